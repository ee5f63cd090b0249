from __future__ import annotations

import gzip
from functools import partial
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchdrop.core import limits, naming
from batchdrop.core.cut import Limits
from batchdrop.core.manifest import Refused, Sent
from batchdrop.core.states import JobState
from tests.usecases.planning_stack import PlanningStack, request


@pytest.fixture
def stack() -> PlanningStack:
    return PlanningStack()


def test_invalid_lines_are_noted_and_the_rest_goes_on(stack: PlanningStack) -> None:
    odd = request("b", url="/v1/nothing")
    job = stack.drop(b"\n".join([request("a"), b"no json \xff", b"", odd, request("c")]))
    assert (job.state, job.counts.requests, job.counts.invalid, job.counts.failed) == (JobState.RUNNING, 4, 2, 2)
    sent_a, refused, refused_b, sent_c = stack.rows(job)
    assert isinstance(sent_a, Sent)
    assert isinstance(sent_c, Sent)
    assert (sent_a.line, sent_a.id, sent_c.line, sent_c.id) == (1, "a", 5, "c")
    assert isinstance(refused, Refused)
    assert (refused.line, refused.code, bytes(refused.custom_id)) == (2, "invalid_json_line", b"null")
    assert (bytes(refused.request), refused.raw) == (b"null", "no json \ufffd")
    assert isinstance(refused_b, Refused)
    assert (refused_b.line, refused_b.code, bytes(refused_b.custom_id)) == (4, "invalid_url", b'"b"')
    assert (bytes(refused_b.request), refused_b.raw) == (odd, None)
    [batch] = stack.batches(job)
    assert stack.lines_of(batch) == [request("a"), request("c")]
    [chunk] = stack.chunks(job)
    assert (chunk.staged, chunk.requests, chunk.invalid, chunk.batches) == (True, 4, 2, 1)


def test_several_models_and_endpoints_in_one_file_are_grouped(stack: PlanningStack) -> None:
    pairs = [("m", "/v1/responses"), ("n", "/v1/responses"), ("m", "/v1/embeddings"), ("m", "/chat/completions")]
    lines = [request(f"r{i}", model=pairs[i % 4][0], url=pairs[i % 4][1], input="x") for i in range(40)]
    job = stack.drop(b"\n".join(lines))
    batches = stack.batches(job)
    assert [(batch.model, batch.endpoint) for batch in batches] == pairs
    for number, batch in enumerate(batches):
        assert stack.lines_of(batch) == lines[number::4]
    assert list(stack.fates(job)) == [(number, line.decode()) for number, line in enumerate(lines, 1)]
    assert list(job.usage) == ["m", "n"]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf", b"\r\n\r\n"])
def test_bom_crlf_blank_lines_and_no_final_newline_leave_the_requests_as_they_are(
    stack: PlanningStack, pack: Any, start: bytes
) -> None:
    lines = [request(f"r{i}", text="\u2028\u0085é") for i in range(5)]
    job = stack.drop(pack(start + b"\r\n \r\n".join(lines)))
    [batch] = stack.batches(job)
    assert stack.lines_of(batch) == lines
    first = start.count(b"\n") + 1
    assert [number for number, _ in stack.fates(job)] == [first + 2 * i for i in range(5)]


@pytest.mark.parametrize("key", ["a.jsonl", "a.jsonl.gz", "a.ndjson.gz"])
def test_gzip_is_known_by_its_first_bytes_not_by_its_name(stack: PlanningStack, key: str) -> None:
    lines = [request(f"r{i}") for i in range(100)]
    half = b"\n".join(lines[:50]) + b"\n", b"\n".join(lines[50:])
    packed, plain = stack.drop(b"".join(map(gzip.compress, half)), key), stack.drop(b"".join(half), f"plain/{key}")
    assert [stack.lines_of(job_batch) for job in (packed, plain) for job_batch in stack.batches(job)] == [lines, lines]
    assert [chunk.staged for job in (packed, plain) for chunk in stack.chunks(job)] == [True, False]


def test_ids_that_the_api_cannot_take_are_mapped_and_the_users_kept(stack: PlanningStack) -> None:
    ids: list[Any] = ["a", "a", 7, None, "x" * 65, "bd.000001", {"k": 1}, "日" * 64]
    job = stack.drop(b"\n".join([*map(request, ids), request("z").replace(b'"custom_id":"z",', b"")]))
    rows = stack.rows(job)
    assert all(isinstance(row, Sent) for row in rows)
    assert [row.id for row in rows if isinstance(row, Sent) and not row.mapped] == ["a", "日" * 64]
    mapped = {row.id: msgspec.json.decode(row.original) for row in rows if isinstance(row, Sent) and row.mapped}
    assert mapped == {
        "bd.000002": "a",
        "bd.000003": 7,
        "bd.000004": None,
        "bd.000005": "x" * 65,
        "bd.000006": "bd.000001",
        "bd.000007": {"k": 1},
        "bd.000009": None,
    }
    assert job.mapped_ids == 7
    sent = [msgspec.json.decode(line) for line in stack.lines_of(stack.batches(job)[0])]
    assert [line["custom_id"] for line in sent] == [row.id for row in rows if isinstance(row, Sent)]
    assert len({line["custom_id"] for line in sent}) == 9


def test_a_mended_errors_file_is_a_new_input(stack: PlanningStack) -> None:
    mended = request("b", url="/v1/responses")
    line = b'{"line": 2, "code": "invalid_url", "reason": "use one of", "request": %s}' % mended
    job = stack.drop(line + b"\n", "a.errors.jsonl")
    [batch] = stack.batches(job)
    assert stack.lines_of(batch) == [mended]
    assert [row.id for row in stack.rows(job) if isinstance(row, Sent)] == ["b"]


def test_a_body_passes_through_byte_for_byte_where_the_id_is_mapped(stack: PlanningStack) -> None:
    body = b'{ "model":"m", "temperature":0.10, "top_p":1E-1,  "x":"\\u00e9\\/" }'
    job = stack.drop(b'{"method":"post","url":"/v1/responses","note":[1, 2],"body":' + body + b"}\n")
    [line] = stack.lines_of(stack.batches(job)[0])
    assert body in line
    assert b'"note":[1, 2]' in line
    assert msgspec.json.decode(line)["method"] == "POST"


def test_a_line_that_is_too_long_is_reported_and_the_rest_goes_on() -> None:
    stack = PlanningStack(limit=Limits(bytes=400))
    job = stack.drop(b"\n".join([request("a"), request("b", text="x" * 400), request("c")]))
    assert [fate if number == 2 else number for number, fate in stack.fates(job)] == [1, "line_too_long", 3]
    assert job.state is JobState.RUNNING


@pytest.mark.parametrize("pack", [bytes, partial(gzip.compress, compresslevel=0)])
def test_a_line_over_the_cap_is_passed_over(pack: Any) -> None:
    stack = PlanningStack()
    huge = b"y" * (limits.LINE_BYTES + 5_000_000)
    job = stack.drop(pack(b"\n".join([request("a"), huge, request("b")])))
    assert [(chunk.requests, chunk.invalid, chunk.batches) for chunk in stack.chunks(job)] == [
        (1, 0, 1),
        (1, 1, 0),
        (1, 0, 1),
    ]
    [row] = stack.rows(job, 2)
    assert isinstance(row, Refused)
    assert (row.line, row.code, row.raw) == (2, "line_too_long", "y" * 4_096)
    assert [number for number, _ in stack.fates(job)] == [1, 2, 3]


def test_a_chunk_of_refused_lines_alone_has_a_manifest_and_no_batch() -> None:
    stack = PlanningStack(limit=Limits(requests=1))
    lines = [request(f"r{i}") for i in range(50)] + [b"broken"] * 3 + [request(f"s{i}", n=1) for i in range(51)]
    job = stack.drop(b"\n".join(lines))
    assert job.counts.invalid == 3
    assert [chunk.requests for chunk in stack.chunks(job)] == [53, 50, 1]


_LINES = st.sampled_from(
    [*(request(name) for name in "abcd"), request("e", model="n"), request(1), b"", b"oops", request("f") + b"\r"]
)


@settings(max_examples=60)
@given(st.lists(_LINES, max_size=25), st.integers(1, 4), st.booleans())
def test_every_line_is_sent_once_in_order_or_refused(texts: list[bytes], requests: int, packed: bool) -> None:
    stack = PlanningStack(limit=Limits(requests=requests))
    data = b"\n".join(texts)
    job = stack.drop(gzip.compress(data) if packed else data)
    if job.state is JobState.FAILED:
        assert all(text in (b"", b"oops") for text in texts)
        return
    fates = list(stack.fates(job))
    assert [number for number, _ in fates] == [number for number, text in enumerate(texts, 1) if text]
    for number, fate in fates:
        text = texts[number - 1].removesuffix(b"\r")
        if text == b"oops":
            assert fate == "invalid_json_line"
        else:
            sent = msgspec.json.decode(fate)
            assert sent["body"] == msgspec.json.decode(text)["body"]
    lines = [line for batch in stack.batches(job) for line in stack.lines_of(batch)]
    assert sorted(lines) == sorted(fate.encode() for _, fate in fates if fate != "invalid_json_line")
    for chunk in stack.chunks(job):
        own = [batch for batch in stack.batches(job) if batch.chunk == chunk.number]
        ids = [msgspec.json.decode(line)["custom_id"] for batch in own for line in stack.lines_of(batch)]
        assert len(set(ids)) == len(ids) == chunk.requests - chunk.invalid
        assert all(batch.requests == len(stack.lines_of(batch)) <= requests for batch in own)


def test_staged_bytes_are_the_same_every_time() -> None:
    data = b"\n".join([request("a"), request("a"), request("b", model="n"), b"oops"])
    first, second = PlanningStack(), PlanningStack()
    job, again = first.drop(data), second.drop(data)
    for key in (naming.staged_key(job.job_id, 1), naming.manifest_key(job.job_id, 1)):
        assert first.objects.read("work", key) == second.objects.read("work", key)
    assert job.job_id == again.job_id
