"""What people drop besides clean files: 68 kinds, numbered, and what becomes of each of their lines."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Iterable
from typing import Any, NamedTuple

import pytest

from batchdrop.core import manifest
from batchdrop.core.states import JobState
from tests.usecases.planning_stack import PlanningStack, request

A, B = request("a"), request("b")
SENT = "sent"  #: as it is
MAPPED = "mapped"  #: under an id of ours
MODEL = "gpt-5-mini"
LATIN = A.replace(b"[]", b'"gr\xfc\xdfe"')
DEEP = A.replace(b"[]", b"[" * 100_000 + b"]" * 100_000)


class Row(NamedTuple):
    """``lines``: the fate of each that is not blank; or the job fails with ``code`` and says ``says``."""

    number: str
    data: bytes
    lines: tuple[str, ...] = ()
    code: str = ""
    says: str = ""
    key: str = "a.jsonl"
    metadata: dict[str, str] = {}  # noqa: RUF012 - a constant


def body(text: bytes) -> bytes:
    """A request whose messages are this JSON text."""
    return A.replace(b"[]", text)


def without(name: str) -> bytes:
    value = json.loads(A)
    del value[name]
    return json.dumps(value).encode()


def having(**fields: Any) -> bytes:
    return json.dumps(json.loads(A) | fields).encode()


def jsonl(*lines: bytes) -> bytes:
    return b"".join(line + b"\n" for line in lines)


def ok(number: str, *lines: bytes, fates: Iterable[str] = ()) -> Row:
    return Row(number, jsonl(*lines), tuple(fates) or (SENT,) * len(lines))


def bad(number: str, line: bytes, code: str) -> Row:
    """Among good lines it is reported, and they are sent."""
    return Row(number, jsonl(A, line, B), (SENT, code, SENT))


def refused(number: str, data: bytes, code: str, says: str, **more: Any) -> Row:
    return Row(number, data, code=code, says=says, **more)


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.jsonl", A)
    return file.getvalue()


def tarred() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        info = tarfile.TarInfo("a.jsonl")
        info.size = len(A)
        archive.addfile(info, io.BytesIO(A))
    return file.getvalue()


RESULT = b'{"id":"batch_req_1","custom_id":"a","response":{"status_code":200,"request_id":"r","body":{}},"error":null}'
OUR_REFUSAL = b'{"id":null,"custom_id":"a","response":null,"error":{"code":"invalid_url","message":"No."}}'
ANTHROPIC = b'{"custom_id":"a","params":{"model":"claude","max_tokens":9,"messages":[{"role":"user","content":"x"}]}}'
GEMINI = b'{"key":"a","request":{"contents":[{"parts":[{"text":"x"}]}]}}'
BEDROCK = b'{"recordId":"a","modelInput":{"max_tokens":9}}'
PACKED = gzip.compress(jsonl(A, B), mtime=0)
S3_ERROR = b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code></Error>\n'
NOT = "no_valid_requests"
NO_BODIES: list[Any] = [{}, None, "text"]

ROWS = [
    refused("1", b"", "empty_file", "no line"),
    refused("2", b"\n \t\r\n\n", "empty_file", "no line"),
    Row("3", A + b"\n\n  \n" + B, (SENT, SENT)),
    Row("4", b"\xef\xbb\xbf" + A + b"\n", (SENT,)),
    bad("5", b"\xef\xbb\xbf" + B, "invalid_json_line"),
    Row("6", A + b"\r\n" + B + b"\r\n", (SENT, SENT)),
    refused("7", A + b"\r" + B, NOT, "Macintosh line ends"),
    ok("8", body('["\u2028\u2029\x85"]'.encode()), B),
    bad("9 in a line", body(b'["\0"]'), "invalid_json_line"),
    Row("9 at the end", jsonl(A) + b"\0" * 4_096, (SENT, "invalid_json_line")),
    ok("10", body(b'["\\u0000"]')),
    bad("11", body(b'["\t"]'), "invalid_json_line"),
    bad("12", body(b'["\xff"]'), "invalid_json_line"),
    bad("13 overlong", body(b'["\xc0\xaf"]'), "invalid_json_line"),
    bad("13 surrogate bytes", body(b'["\xed\xa0\xbd\xed\xb8\x80"]'), "invalid_json_line"),
    bad("14", body(b'["\\ud800"]'), "invalid_json_line"),
    bad("14 in the id", A.replace(b'"a"', b'"\\udc00"'), "invalid_json_line"),
    *(
        refused(f"15 {name}", A.decode().encode(name), "unsupported_type", name[:6].upper())
        for name in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be")
    ),
    bad("16 a line", LATIN, "invalid_json_line"),
    refused("16 all lines", jsonl(LATIN, LATIN), NOT, "Save the file as UTF-8"),
    Row("17", PACKED, (SENT, SENT)),
    Row("18", jsonl(A, B), (SENT, SENT), key="a.jsonl.gz"),
    refused("19 cut", PACKED[:-9], "corrupt_gzip", "in the middle"),
    refused("19 checksum", PACKED[:-8] + b"0000" + PACKED[-4:], "corrupt_gzip", "damaged"),
    Row("20 members", gzip.compress(jsonl(A)) + gzip.compress(jsonl(B)), (SENT, SENT), key="a.jsonl.gz"),
    refused("20 junk", PACKED + b"junk", "corrupt_gzip", "not gzip"),
    refused("21 twice", gzip.compress(PACKED), NOT, "packed twice"),
    refused("22 zip, xlsx", zipped(), "unsupported_type", "zip archive"),
    refused("22 tar", tarred(), "unsupported_type", "tar archive"),
    refused("22 parquet", b"PAR1\x15\x04\x15", "unsupported_type", "Parquet"),
    refused("22 pdf", b"%PDF-1.7\n%\xe2", "unsupported_type", "PDF"),
    refused("22 name", jsonl(A), "unsupported_type", "Drop JSON Lines", key="a.csv"),
    refused("23", b"[" + A + b",\n" + B + b"]\n", NOT, "jq -c '.[]'"),
    refused("23 indented", json.dumps([json.loads(A)], indent=2).encode(), NOT, "JSON array"),
    refused("23 as Windows writes it", b"\xef\xbb\xbf[\r\n" + A + b",\r\n" + B + b"\r\n]", "unsupported_type", "array"),
    refused("24", json.dumps(json.loads(A), indent=2).encode(), NOT, "jq -c ."),
    refused("25 csv", b"id,prompt\n1,hello\n2,bye\n", NOT, "CSV"),
    refused("25 html as Windows writes it", b"\xef\xbb\xbf<html></html>", NOT, "HTML"),
    refused("25 html", b"<!doctype html>\n<html></html>", NOT, "HTML"),
    refused("25 s3 error", S3_ERROR, NOT, "an error of S3"),
    bad("26", A + b" " + B, "invalid_json_line"),
    bad("27 trailing comma", A[:-1] + b",}", "invalid_json_line"),
    bad("27 single quotes", A.replace(b'"', b"'"), "invalid_json_line"),
    bad("27 comment", A + b" // mine", "invalid_json_line"),
    refused("27 python, all lines", jsonl(A.replace(b'"', b"'")), NOT, "json.dumps"),
    *(bad(f"28 {line.decode()}", line, "not_an_object") for line in (b"[]", b'"text"', b"7", b"null")),
    *(bad(f"29 {value.decode()}", body(value), "invalid_json_line") for value in (b"NaN", b"-Infinity")),
    # It is JSON, and planning does not look for it: tests/functions/test_numbers.py has what becomes of that line.
    ok("30", body(b"[1e400]")),
    ok("31", body(b"[18446744073709551616," + b"9" * 4_300 + b"]")),
    bad("31 more digits than a parser takes", body(b"[-" + b"9" * 4_301 + b"]"), "invalid_json_line"),
    ok("31 in a text", body(b'["' + b"9" * 5_000 + b'"]')),
    bad("32", DEEP, "too_deep"),
    ok("33", body(b'[ 0.10,1E5 , "\\u00e9\\/" ]')),
    *(ok(f"34 {value!r}", having(custom_id=value), fates=[MAPPED]) for value in (7, None, "", ["a"])),
    ok("35 long", having(custom_id="x" * 65), fates=[MAPPED]),
    ok("35 control characters", having(custom_id="a\u0001\n")),
    ok("36", A, A, fates=[SENT, MAPPED]),
    ok("37", A, body(b'["other"]'), fates=[SENT, MAPPED]),
    bad("38 custom_id", A.replace(b'"url"', b'"custom_id":"c","url"'), "duplicate_key"),
    bad("38 model", A.replace(b'"messages"', b'"model":"n","messages"'), "duplicate_key"),
    ok("39 custom_id", without("custom_id"), fates=[MAPPED]),
    *(bad(f"39 {name}", without(name), "missing_required_parameter") for name in ("method", "url", "body")),
    bad("40 GET", having(method="GET"), "invalid_method"),
    ok("40 post", having(method="post"), fates=["as POST"]),
    *(
        bad(f"41 {url}", having(url=url), "invalid_url")
        for url in ("/v1/files", "https://api.openai.com/v1/responses", "//host/v1/responses", "/v1/../v1/responses")
    ),
    ok("42", A, request("b", url="/v1/responses"), request("c", url="/v1/embeddings", input="x")),
    ok("43", A, request("b", model="n")),
    refused("41 all lines", jsonl(having(url="/secret")), NOT, "'url' is one, which takes no batches"),
    bad("44", having(body={"messages": []}), "invalid_request"),
    ok("45", request("a", model="no-such-model")),
    bad("46", request("c", stream=True), "streaming_unsupported"),
    bad("46 background", request("c", url="/v1/responses", background=True), "invalid_request"),
    ok("46 neither", request("c", stream=False, background=None), request("d", stream=None, background=False)),
    ok("47", request("a", n=-1, max_tokens=10**12)),
    refused("48", jsonl(request("a", model=MODEL)), "over_cost_cap", "more than $0", metadata={"max-cost-usd": "0"}),
    *(bad(f"49 {value!r}", having(body=value), "invalid_request") for value in NO_BODIES),
    ok("50", body(b"[]"), having(custom_id="b", body={"model": "m", "messages": [{"role": "king"}]})),
    ok("50 no list", body(b'"text"')),
    bad("50 no messages", having(body={"model": "m"}), "invalid_request"),
    ok("51", *(request(f"{i}", url="/v1/embeddings", input=["x"] * 30_000, dimensions=1) for i in range(2))),
    bad("51 one line", request("c", url="/v1/embeddings", input=["x"] * 50_001), "too_many_inputs"),
    ok("55", body(b'["data:image/png;base64,' + b"A" * 3_000_000 + b'"]')),
    Row("56", jsonl(A) + B[:40], (SENT, "invalid_json_line")),
    refused("56 all or none", jsonl(A) + B[:40], "invalid_lines", "line 2", metadata={"invalid-lines": "reject"}),
    ok("57", having(__proto__={"x": 1}, constructor="y", extra=[1])),
    *(Row(f"60 {key!r}", jsonl(A), (SENT,), key=key) for key in ("a b+c%2F.jsonl", "🎉/a\nb.jsonl", "../x.jsonl")),
    refused("62", jsonl(A), "key_too_long", "Shorten", key="k" * 1_018 + ".jsonl"),
    Row("65", jsonl(A), (SENT,), metadata={"content-encoding": "gzip"}),
    refused("66", jsonl(RESULT), NOT, "a result, not a request"),
    bad("66 a line", RESULT, "not_a_request"),
    refused("67", jsonl(OUR_REFUSAL, RESULT), NOT, "a result, not a request", key="a.results.jsonl"),
    refused("another's: Anthropic", jsonl(ANTHROPIC), NOT, "Anthropic"),
    refused("another's: Gemini", jsonl(GEMINI), NOT, "Gemini"),
    refused("another's: Bedrock", jsonl(BEDROCK), NOT, "Bedrock"),
    refused("bodies alone", jsonl(b'{"model":"m","messages":[]}'), NOT, '"/v1/chat/completions", "body": {...}'),
    refused("bodies alone, input", jsonl(b'{"model":"m","input":"x"}'), NOT, '"/v1/responses", "body": {...}'),
    refused("bodies alone, prompt", jsonl(b'{"model":"m","prompt":"x"}'), NOT, '"/v1/completions", "body": {...}'),
]


def fates(stack: PlanningStack, job: Any) -> list[str]:
    """In input order; a request that is sent must be in a batch, byte for byte or under another id."""
    lines = [line for batch in stack.batches(job) for line in stack.lines_of(batch)]
    assert len(lines) == job.counts.requests - job.counts.invalid
    if not stack.chunks(job)[0].staged:
        return [SENT] * len(lines)
    return [
        row.code if isinstance(row, manifest.Refused) else MAPPED if row.mapped else SENT
        for chunk in stack.chunks(job)
        for row in stack.rows(job, chunk.number)
    ]


@pytest.mark.parametrize("row", ROWS, ids=[f"row {row.number}" for row in ROWS])
def test_bad_input(row: Row) -> None:
    stack = PlanningStack()
    job = stack.drop(row.data, row.key, row.metadata)
    if row.code:
        assert (job.state, job.code) == (JobState.FAILED, row.code)
        assert row.says in (job.reason or "")
        assert "secret" not in (job.reason or "")
        assert "tick" not in [message.to for message in stack.messages.sent], "nothing is to be bought"
        return
    assert job.state is JobState.RUNNING, job.reason
    assert fates(stack, job) == [SENT if fate == "as POST" else fate for fate in row.lines]
    sent = [line for batch in stack.batches(job) for line in stack.lines_of(batch)]
    content = gzip.decompress(row.data) if row.data.startswith(b"\x1f\x8b") else row.data.removeprefix(b"\xef\xbb\xbf")
    own = {line.removesuffix(b"\r") for line in content.split(b"\n")}
    assert sum(line in own for line in sent) == row.lines.count(SENT)
    assert all(b'"POST"' in line for line in sent)
