"""The enqueued-token limit as the local OpenAI server has it, met by the three functions."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest

from batchdrop.core import creates, retrying
from tests.functions.stack import INPUT, Stack

pytestmark = pytest.mark.no_cover

MODEL, LIMIT = "gpt-4o-mini", 90_000
#: How often the limit goes into the file: fifty in ``make soak``.
TIMES = int(os.environ.get("CROWDED_TIMES", "5"))


@pytest.fixture
def crowded(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    # The clock is the real one, and a tick takes no minute.
    monkeypatch.setattr(retrying, "FIRST_WAIT", 0)
    monkeypatch.setattr(creates, "BURST", 10_000)
    stack.openai.configure(token_limits={MODEL: LIMIT})
    yield stack
    stack.openai.configure(token_limits={})


def file_of(tokens: int, each: int = 9_000) -> bytes:
    def line(number: int) -> str:
        body = {"model": MODEL, "input": "word" * each}
        return json.dumps({"custom_id": f"r-{number}", "method": "POST", "url": "/v1/responses", "body": body}) + "\n"

    return "".join(map(line, range(tokens // each))).encode()


def drop(stack: Stack, body: bytes) -> None:
    stack.drop("a.jsonl", body)
    task = json.dumps({"task": "drop", "bucket": INPUT, "key": "a.jsonl"})
    stack.call("submitter", {"Records": [{"body": task}]})


def refused(stack: Stack) -> int:
    return sum(batch["status"] == "failed" for batch in stack.openai.batches())


def test_a_file_of_many_times_the_limit_meets_it_once_and_no_request_fails(crowded: Stack) -> None:
    drop(crowded, file_of(TIMES * LIMIT))
    number = TIMES * 10
    counts = crowded.run("a", ticks=20 * TIMES)["counts"]
    assert (counts["total"], counts["completed"], counts["failed"]) == (number, number, 0)
    assert refused(crowded) == 1
    assert set(crowded.openai.executions().values()) == {1}
    assert [line["custom_id"] for line in crowded.lines("a.results.jsonl")] == [f"r-{n}" for n in range(number)]
    assert crowded.openai.state()["files"] == []


def test_a_limit_that_the_stack_is_told_is_never_met(crowded: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENQUEUED_LIMITS", json.dumps({MODEL: LIMIT}))
    drop(crowded, file_of(2 * LIMIT))
    assert crowded.run("a", ticks=100)["counts"]["completed"] == 20
    assert refused(crowded) == 0
