"""What reaches a function through a queue."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.core.events import Dropped, Task, parse
from batchdrop.core.model import Key


def notification(key: str, **thing: Any) -> str:
    record = {
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": "in"}, "object": {"key": key, **thing}},
    }
    return json.dumps({"Records": [record]})


@pytest.mark.parametrize(
    ("encoded", "key"),
    [
        ("a+b.jsonl", "a b.jsonl"),
        ("a%2Bb.jsonl", "a+b.jsonl"),
        ("a%252Fb.jsonl", "a%2Fb.jsonl"),
        ("%C3%BC/%E6%97%A5.jsonl", "ü/日.jsonl"),
        ("dir/x%3Dy%26z.jsonl", "dir/x=y&z.jsonl"),
    ],
)
def test_the_key_of_a_notification_is_decoded_once(encoded: str, key: str) -> None:
    assert parse(notification(encoded, versionId="v1")) == [Dropped("in", key, "v1")]


@given(st.text(min_size=1, max_size=300))
def test_whatever_the_key_it_is_read_as_it_was_written(key: str) -> None:
    assert parse(notification(quote_plus(key, safe="/"))) == [Dropped("in", key, None)]


def test_the_test_event_that_s3_sends_at_deployment_is_no_drop() -> None:
    assert parse('{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"in"}') == []


def test_eventbridge_says_the_key_as_it_is() -> None:
    detail = {"bucket": {"name": "in"}, "object": {"key": "a+b%2F.jsonl", "version-id": "v1"}}
    about = {"source": "aws.s3", "account": "123456789012", "detail-type": "Object Created"}
    body = json.dumps(about | {"detail": detail})
    assert parse(body) == [Dropped("in", "a+b%2F.jsonl", "v1", "123456789012")]


def test_a_drop_that_the_sweep_found_reads_like_s3s_own() -> None:
    assert parse('{"task":"drop","bucket":"in","key":"a+b%2F.jsonl","version_id":"v1"}') == [
        Dropped("in", "a+b%2F.jsonl", "v1")
    ]
    assert parse('{"task":"drop","bucket":"in","key":"a.jsonl"}') == [Dropped("in", "a.jsonl", None)]


def test_an_event_without_a_version_leaves_it_open() -> None:
    assert parse(notification("a.jsonl")) == [Dropped("in", "a.jsonl", None)]


def test_a_removal_is_no_drop() -> None:
    assert parse(notification("a.jsonl").replace("ObjectCreated:Put", "ObjectRemoved:Delete")) == []


def test_a_task_names_its_item() -> None:
    assert parse('{"task":"plan","job_id":"j"}') == [Task("plan", Key("j", "job"))]
    assert parse('{"task":"submit","job_id":"j","item":"chunk#000001#batch#0001"}') == [
        Task("submit", Key("j", "chunk#000001#batch#0001"))
    ]


@pytest.mark.parametrize("body", ["[]", '"x"', "{}", '{"hello":1}', "not json"])
def test_anything_else_is_not_taken_silently(body: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - json's own error is one too
        parse(body)
