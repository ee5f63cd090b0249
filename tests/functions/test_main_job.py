"""The main job through the handlers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.functions.stack import Stack
from tests.functions.test_events import SAMPLE, event

if TYPE_CHECKING:
    import pytest


def test_the_sample_is_answered_in_order_by_the_three_functions(
    stack: Stack, capfd: pytest.CaptureFixture[str]
) -> None:
    stack.drop("reviews/sample.jsonl", SAMPLE)
    stack.call("submitter", event("submitter-s3-put"))
    status = stack.run("reviews/sample")
    lines = [line for line in SAMPLE.split(b"\n") if line]
    wanted = [json.loads(line)["custom_id"] if line.endswith(b"}") else None for line in lines]
    assert [line["custom_id"] for line in stack.lines("reviews/sample.results.jsonl")] == wanted
    assert (status["state"], status["counts"]["completed"], status["counts"]["failed"]) == ("completed", 15, 1)
    assert [error["line"] for error in stack.lines("reviews/sample.errors.jsonl")] == [10]
    assert stack.openai.state()["files"] == []
    ended = [json.loads(body) for body in stack.received("events")]
    assert [(one["detail-type"], one["detail"]["state"]) for one in ended] == [("Job Ended", "completed")]
    assert_nothing_said(stack.log.getvalue() + capfd.readouterr().out)


def assert_nothing_said(out: str) -> None:
    """Logs and metrics are JSON, and hold neither prompts nor keys."""
    lines: list[dict[str, Any]] = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    assert {line["message"] for line in lines if "message" in line} >= {"plan", "created", "tick", "collected"}
    assert any("_aws" in line for line in lines), "metrics are there"
    assert "refund" not in out
    assert "sk-test" not in out


def test_an_idle_tick_reads_two_things_and_does_nothing_else(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore.client import BaseClient

    calls: list[str] = []
    send = BaseClient._make_api_call  # type: ignore[attr-defined]

    def counted(client: Any, operation: str, arguments: dict[str, Any]) -> Any:
        calls.append(operation)
        return send(client, operation, arguments)

    stack.call("poller", {})  # the first one sweeps
    monkeypatch.setattr(BaseClient, "_make_api_call", counted)
    stack.call("poller", {})
    assert calls == ["Query", "GetItem"]
