"""A number that no double holds, which planning does not look for: it costs its own line, and no other's answer."""

from __future__ import annotations

import json

import pytest

from batchdrop.core.codes import said
from tests.functions.stack import INPUT, Stack

REQUESTS = 20
OURS = said("invalid_json_line.double")


def line(number: int, value: str) -> str:
    return (
        f'{{"custom_id": "r-{number}", "method": "POST", "url": "/v1/responses",'
        f' "body": {{"model": "gpt-4o-mini", "input": "Hello.", "temperature": {value}}}}}\n'
    )


@pytest.mark.parametrize("at", [1, 7])
def test_the_request_that_has_it_is_reported_and_every_other_is_answered_once(stack: Stack, at: int) -> None:
    """The first line is read when the file comes, without a word which line it was; the others in the validation."""
    lines = [line(index, "1e400" if index == at else "1") for index in range(1, REQUESTS + 1)]
    stack.drop("a.jsonl", "".join(lines).encode())
    task = json.dumps({"task": "drop", "bucket": INPUT, "key": "a.jsonl"})
    stack.call("submitter", {"Records": [{"body": task}]})
    counts = stack.run("a")["counts"]
    assert (counts["total"], counts["completed"], counts["failed"]) == (REQUESTS, REQUESTS - 1, 1)
    assert (counts["invalid"], counts["retried"]) == (0, 0)
    (error,) = stack.lines("a.errors.jsonl")
    assert (error["line"], (error["code"], error["reason"])) == (at, OURS)
    assert error["request"] == json.loads(lines[at - 1])
    every = [f"r-{index}" for index in range(1, REQUESTS + 1)]
    assert [one["custom_id"] for one in stack.lines("a.results.jsonl")] == every
    assert stack.openai.executions() == {one: 1 for one in every if one != f"r-{at}"}
    assert stack.openai.state()["files"] == []
