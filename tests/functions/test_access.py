"""Each role holds what its function uses, and nothing else: a trace of runs, held against the template.

The runs take every way that takes a permission of its own. What the functions use elsewhere in these tests is looked at
after each of them, and the emulator keeps a trace of its own (tests/e2e).
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from moto.s3 import models as s3_models

from batchdrop.adapters.s3 import S3Objects
from batchdrop.adapters.s3_multipart import S3Uploads
from batchdrop.core import assembly
from batchdrop.core.errors import RetryLater
from batchdrop.usecases import sweep
from tests.access.granted import BY_LAMBDA, FUNCTIONS, granted, grants_for
from tests.e2e.test_main_job import request, requests
from tests.functions.stack import INPUT, WORK, Stack
from tests.template.reading import Template, transformed

pytestmark = pytest.mark.no_cover

TIMES = 4  #: SQS brings a message

#: What the emulator asks for where a deletion names a version; S3 asks for DeleteObjectVersion alone.
BY_EMULATOR = ("s3:DeleteObject", "arn:aws:s3:::drops-work-123456789012/*")


def told(stack: Stack, key: str, body: bytes, *, times: int = 1) -> None:
    """Put an input, and have the submitter told."""
    task = {"task": "drop", "bucket": INPUT, "key": key, "version_id": stack.drop(key, body)}
    delivered(stack, "submitter", json.dumps(task), times=times)


def delivered(stack: Stack, function: str, body: str, *, times: int = 1) -> None:
    """As SQS does it: a message whose work failed comes again."""
    for _ in range(times):
        with suppress(RetryLater):
            stack.call(function, {"Records": [{"body": body}]})


def run_waves(stack: Stack) -> None:
    """One request goes again."""
    stack.openai.line_fault("w-1", status=500, times=1)
    told(stack, "waves.jsonl", requests(2, "w"))
    assert stack.run("waves")["counts"]["retried"] == 1


def refuse_a_file(stack: Stack) -> None:
    """By itself, and for its lines: the one is told by the submitter, the other by the collector."""
    told(stack, "none.txt", b"none")
    told(stack, "broken.jsonl", b"broken")
    assert stack.status("broken")["state"] == "failed"
    body, options = request("n-0") + b"\nbroken", {"invalid-lines": "reject"}
    stack.s3.put_object(Bucket=INPUT, Key="none.jsonl", Body=body, Metadata=options)
    delivered(stack, "submitter", json.dumps({"task": "drop", "bucket": INPUT, "key": "none.jsonl"}))
    assert stack.run("none")["code"] == "invalid_lines"
    (errors,) = (key for key in stack.outputs() if key.startswith("none.") and key.endswith(".errors.jsonl"))
    assert [error["line"] for error in stack.lines(errors)] == [2]


def mend_a_file(stack: Stack) -> None:
    """The errors of the first run go when the second has none."""
    told(stack, "mended.jsonl", request("m-0") + b"\nbroken")
    assert stack.run("mended")["counts"]["invalid"] == 1
    told(stack, "mended.jsonl", requests(1, "m"))
    while "mended.errors.jsonl" in stack.outputs():
        stack.run("mended")


def cancel(stack: Stack) -> None:
    """Looks for jobs, whether there are any."""
    told(stack, "unwanted.jsonl.cancel", b"")


def lose_an_event(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "AGE", dt.timedelta(seconds=-60))
    stack.drop("lost.jsonl", requests(1, "lost"))
    housekeeping = {"job_id": {"S": "stack"}, "item": {"S": "housekeeping"}}
    stack.dynamodb.delete_item(TableName="table", Key=housekeeping)
    assert stack.call("poller", {})["swept"]["resent"] >= 1


def lose_what_is_staged(stack: Stack) -> None:
    """Between its plan and its upload."""
    told(stack, "staged.jsonl", request("s-1") + b"\nbroken")
    stack.call("poller", {})
    for one in stack.s3.list_objects_v2(Bucket=WORK)["Contents"]:
        stack.s3.delete_object(Bucket=WORK, Key=one["Key"])
    work_off(stack, "submit")


def lose_the_input(stack: Stack) -> None:
    """While its batch runs."""
    told(stack, "gone.jsonl", requests(2, "gone"))
    stack.call("poller", {})
    work_off(stack, "submit")
    for one in stack.s3.list_object_versions(Bucket=INPUT, Prefix="gone")["Versions"]:
        stack.s3.delete_object(Bucket=INPUT, Key=one["Key"], VersionId=one["VersionId"])
    assert stack.run("gone")["code"] == "input_gone"


def upload_in_parts(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is staged, what is fetched, and the results; the end of each upload fails once."""
    stack.forget()
    monkeypatch.setattr(s3_models, "S3_UPLOAD_PART_MIN_SIZE", 1)
    monkeypatch.setattr(S3Objects.__init__, "__kwdefaults__", {"part_bytes": 450, "page": 1_000})
    monkeypatch.setattr(assembly, "PLAIN_BYTES", 450)
    monkeypatch.setattr(assembly, "SMALLEST_PART", 450)
    monkeypatch.setattr(S3Uploads, "complete_upload", failing_once(S3Uploads.complete_upload))
    told(stack, "parts.jsonl", request("p-0") + b"\nbroken\n" + requests(5, "p"), times=TIMES)
    stack.call("poller", {})
    work_off(stack, "submit")
    stack.openai.wait_until_idle()
    stack.call("poller", {})
    work_off(stack, "collect")
    (job_id,) = {item["job_id"]["S"] for item in stack.items() if item.get("stem") == {"S": "parts"}}
    delivered(stack, "collector", json.dumps({"task": "collect", "job_id": job_id}), times=TIMES)
    assert stack.status("parts")["state"] == "completed"


def failing_once(complete: Callable[..., Any]) -> Callable[..., Any]:
    """Each object's first end of an upload fails."""
    tried: set[str] = set()

    def busy(store: S3Uploads, bucket: str, key: str, *rest: Any, **named: Any) -> Any:
        if key.endswith(".jsonl") and key not in tried:
            tried.add(key)
            raise RetryLater("S3 is busy")
        return complete(store, bucket, key, *rest, **named)

    return busy


def work_off(stack: Stack, queue: str) -> None:
    for body in stack.received(queue):
        delivered(stack, "collector" if queue == "collect" else "submitter", body, times=TIMES)


def test_a_role_holds_what_its_function_uses_and_nothing_else(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    stack.call("poller", {})
    run_waves(stack)
    refuse_a_file(stack)
    mend_a_file(stack)
    cancel(stack)
    lose_what_is_staged(stack)
    lose_the_input(stack)
    lose_an_event(stack, monkeypatch)
    upload_in_parts(stack, monkeypatch)
    template = Template(transformed(), {})
    for function in FUNCTIONS:
        grants = granted(template, function)
        used = {grant for use in stack.used[function] for grant in grants_for(use, grants)}
        assert {grant for grant in grants - used - {BY_EMULATOR} if grant[0] not in BY_LAMBDA} == set(), function
