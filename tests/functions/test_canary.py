"""Prompts, answers and the key are nowhere but in the buckets' objects: a canary in each of them, and a search for it.

The provider quotes them in every error that it can make.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from batchdrop.core.errors import BatchdropError
from tests.functions.stack import INPUT, OUTPUT, WORK, Stack

pytestmark = pytest.mark.no_cover

PROMPT, KEY = "canary-7f3a-prompt", "sk-canary-51c0"  # pragma: allowlist secret - ours to find
ECHO = f"Invalid value: '{PROMPT}', under the key {KEY}. {PROMPT} {KEY}"
QUEUES = {"plan": "submitter", "submit": "submitter", "collect": "collector"}
#: Each of the provider's calls, refused in the ways that are recorded differently; after the last one all wait.
REFUSALS = (
    ("files.create", 400),
    ("batches.create", 400),
    ("batches.create", 500),
    ("batches.list", 500),
    ("batches.retrieve", 403),
    ("files.content", 400),
    ("files.delete", 500),
    ("batches.create", 401),
)


def lines(*names: str) -> bytes:
    def line(name: str) -> str:
        body = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": f"{PROMPT} for {name}"}]}
        return json.dumps({"custom_id": name, "method": "POST", "url": "/v1/chat/completions", "body": body})

    return "\n".join(map(line, names)).encode()


@dataclass
class Seen:
    """What ran past. ``raised``: what the functions died of, as Lambda would log it."""

    stack: Stack
    messages: list[str] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)
    raised: list[str] = field(default_factory=list)
    outputs: bytes = b""

    def call(self, function: str, event: dict[str, Any]) -> None:
        try:
            self.answers.append(self.stack.call(function, event))
        except BatchdropError as error:
            self.raised.append(f"{error!r} {error.__cause__!r} {error.__context__!r}")

    def work(self, *, rounds: int = 2) -> None:
        for _ in range(rounds):
            self.call("poller", {})
            for queue, function in QUEUES.items():
                for body in self.stack.received(queue):
                    self.messages.append(body)
                    self.call(function, {"Records": [{"body": body}]})
            self.stack.openai.wait_until_idle()

    def drop(self, key: str, body: bytes, *, rounds: int = 2) -> None:
        version = self.stack.drop(key, body)
        task = {"task": "drop", "bucket": INPUT, "key": key, "version_id": version}
        self.call("submitter", {"Records": [{"body": json.dumps(task)}]})
        self.work(rounds=rounds)

    def evidence(self) -> Iterator[tuple[str, str]]:
        yield "a message", json.dumps(self.messages)
        yield "an answer to the caller", json.dumps(self.answers)
        yield "an exception", json.dumps(self.raised)
        yield "the log", self.stack.log.getvalue()
        yield "an item", json.dumps(self.stack.items())
        yield "an event", json.dumps(self.stack.received("events"))
        s3 = self.stack.s3
        for bucket in (INPUT, OUTPUT, WORK):
            for one in s3.list_object_versions(Bucket=bucket).get("Versions", []):
                found = s3.get_object(Bucket=bucket, Key=one["Key"], VersionId=one["VersionId"])
                described = [one["Key"], found["Metadata"], found["ResponseMetadata"]["HTTPHeaders"]]
                yield f"metadata of {one['Key']}", json.dumps(described, default=str)
                body = found["Body"].read()
                self.outputs += body if bucket == OUTPUT else b""
                if one["Key"].endswith(".status.json"):
                    yield one["Key"], body.decode()


@pytest.fixture
def seen(stack: Stack) -> Seen:
    secrets = stack.secrets
    secrets.put_secret_value(SecretId="batchdrop", SecretString=json.dumps({"api_key": KEY}))
    return Seen(stack)


def check(seen: Seen, metrics: str) -> None:
    evidence = dict(seen.evidence()) | {"the metrics": metrics}
    assert [where for where, text in evidence.items() if PROMPT in text or "sk-canary" in text] == []
    assert '"message":"tick"' in evidence["the log"]
    assert "_aws" in metrics


def test_a_job_and_all_that_users_do_wrong(seen: Seen, capfd: pytest.CaptureFixture[str]) -> None:
    refused = lines("streamed").replace(b'"body": {', b'"body": {"stream": true, ') + b"\n" + PROMPT.encode()
    seen.drop("good.jsonl", lines("a", "b") + b"\n" + refused)
    seen.drop("array.jsonl", b"[" + lines("c") + b"]")
    seen.drop("none.jsonl", PROMPT.encode())
    seen.drop("cut.jsonl.gz", b"\x1f\x8b" + PROMPT.encode())
    seen.drop("one.jsonl", lines("d"), rounds=1)
    seen.drop("one.jsonl.cancel", PROMPT.encode())
    check(seen, capfd.readouterr().out)
    assert PROMPT.encode() in seen.outputs, "the user gets back what was refused"


def test_a_provider_that_quotes_in_every_refusal(seen: Seen, capfd: pytest.CaptureFixture[str]) -> None:
    for number, (route, status) in enumerate(REFUSALS):
        another = b"\n" + lines(f"{number}-b").replace(b"5-mini", b"5") if route == "batches.list" else b""
        seen.drop(f"{number}.jsonl", lines(f"{number}-a") + another, rounds=0)
        seen.stack.openai.fault(route, "status", status=status, code="odd_code", message=ECHO, param=PROMPT)
        seen.work()
        seen.stack.openai.clear_faults()
    met = {entry["route"] for entry in seen.stack.openai.journal() if entry.get("fault")}
    assert met == {route for route, _ in REFUSALS}
    check(seen, capfd.readouterr().out)


def test_a_provider_that_quotes_in_answers_and_failed_batches(seen: Seen, capfd: pytest.CaptureFixture[str]) -> None:
    seen.stack.openai.line_fault("bad", status=400, code="odd_code", message=ECHO)
    seen.stack.openai.line_fault("busy", status=500, message=ECHO)
    seen.drop("lines.jsonl", lines("bad", "busy", "fine"), rounds=3)
    for code in ("token_limit_exceeded", "billing_hard_limit_reached", "invalid_value", ECHO):
        seen.stack.openai.batch_fault(fail_code=code, fail_message=ECHO, times=1)
        seen.drop(f"{len(code)}.jsonl", lines(f"{len(code)}-a", f"{len(code)}-b"), rounds=3)
        seen.stack.openai.clear_faults()
    check(seen, capfd.readouterr().out)
    assert ECHO.encode() in seen.outputs, "the user gets the whole reason"
