from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.core import limits
from batchdrop.core.judging import judge
from batchdrop.core.request import Pair, Refusal, Request
from batchdrop.core.rewriting import original_id, rewritten
from batchdrop.core.survey import survey

OK = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "m", "messages": []}}


def line(**changes: object) -> bytes:
    return json.dumps({name: value for name, value in {**OK, **changes}.items() if value is not ...}).encode()


@pytest.mark.parametrize("url", limits.ENDPOINTS)
def test_every_endpoint_of_the_table_is_taken(url: str) -> None:
    prompt = limits.ENDPOINTS[url].prompt
    verdict = judge(line(url=url, body={"model": "m"} | ({prompt: "x"} if prompt else {})))
    assert isinstance(verdict, Request)
    assert verdict.pair == Pair("m", url)


def test_azures_endpoint_and_openais_are_both_known() -> None:
    assert {"/chat/completions", "/v1/chat/completions", "/v1/images/edits", "/v1/videos"} <= limits.ENDPOINTS.keys()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (line() + b",", f"A comma stands behind the object (byte {len(line())})."),
        (line() + b" ,\t", f"A comma stands behind the object (byte {len(line()) + 1})."),
        (line() + line(), f"A second object begins in the line (byte {len(line())})."),
        (b"{'custom_id': 'a'}", "' stands where JSON has \" (byte 1)."),
        (line().replace(b'"a"', b"'a'"), "' stands where JSON has \" (byte "),
        ("{\u201ccustom_id\u201d: 1}".encode(), '\u201c stands where JSON has " (byte 1).'),
        (b'{"custom_id": NaN}', "NaN is no value of JSON (byte 14)."),
        (b'{"custom_id": True}', "True is no value of JSON (byte 14)."),
        (b'{"custom_id": None}', "None is no value of JSON (byte 14)."),
        (b"# ten lines of mine", "JSON has no comments (byte 0)."),
        (b'{"custom_id": "a", // mine', "JSON has no comments (byte 19)."),
        (b'{"custom_id": "a\tb"}', "A text in the line has a tab, or another control character, as it is (byte 16)."),
        (line()[:-1], "This line is not parseable as valid JSON: it is cut short."),
        (b'{"a":1,}', "This line is not parseable as valid JSON: trailing comma in object (byte 7)."),
        (line() + b"x", "This line is not parseable as valid JSON: trailing characters (byte "),
    ],
)
def test_what_people_write_instead_of_json_is_told(text: bytes, words: str) -> None:
    verdict = judge(text)
    assert isinstance(verdict, Refusal)
    assert verdict.code == "invalid_json_line"
    assert verdict.reason.startswith(words)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"no json", "invalid_json_line"),
        (b"{'custom_id': 'a'}", "invalid_json_line"),
        (b'{"a":1,}', "invalid_json_line"),
        (b'{"a":NaN}', "invalid_json_line"),
        (line() + line(), "invalid_json_line"),
        (line()[:-1], "invalid_json_line"),
        (line(body={"model": "m", "messages": [], "x": "?"}).replace(b"?", b"\xff"), "invalid_json_line"),
        (line(body={"model": "m", "messages": [], "x": "?"}).replace(b"?", b"\xc0\xaf"), "invalid_json_line"),
        (line(body={"model": "m", "messages": [], "x": "?"}).replace(b"?", b"\xed\xa0\x80"), "invalid_json_line"),
        (line(body={"model": "m", "messages": [], "x": "?"}).replace(b"?", b"\\ud800"), "invalid_json_line"),
        (line(body={"model": "m", "messages": [], "x": "?"}).replace(b"?", b"\t"), "invalid_json_line"),
        (b"\xef\xbb\xbf" + line(), "invalid_json_line"),
        (line() + b"\0", "invalid_json_line"),
        (b"[1]", "not_an_object"),
        (b'"text"', "not_an_object"),
        (b"null", "not_an_object"),
        (b"1e400", "not_an_object"),
        (b"[" * 100_000, "too_deep"),
        (b'{"a":' * 129 + b"1" + b"}" * 129, "too_deep"),
        (line(method=...), "missing_required_parameter"),
        (line(url=...), "missing_required_parameter"),
        (line(body=...), "missing_required_parameter"),
        (line(method="GET"), "invalid_method"),
        (line(method=1), "invalid_method"),
        (line(url="/v1/files"), "invalid_url"),
        (line(url="https://api.openai.com/v1/responses"), "invalid_url"),
        (line(url="//evil/v1/responses"), "invalid_url"),
        (line(url=None), "invalid_url"),
        (line(body=[]), "invalid_request"),
        (line(body="text"), "invalid_request"),
        (line(body={}), "invalid_request"),
        (line(body={"model": ""}), "invalid_request"),
        (line(body={"model": 5}), "invalid_request"),
        (line(body={"model": "m" * 257}), "invalid_request"),
        (line(body={"model": "m"}), "invalid_request"),
        (line(body={"model": "m", "messages": None}), "invalid_request"),
        (line(url="/v1/embeddings", body={"model": "m", "messages": []}), "invalid_request"),
        (line(url="/v1/images/edits", body={"model": "m", "prompt": None}), "invalid_request"),
        (line(body={"model": "m", "messages": [], "stream": True}), "streaming_unsupported"),
        (line(body={"model": "m", "messages": [], "stream": 1}), "streaming_unsupported"),
        (line().replace(b'"url"', b'"custom_id": "b", "url"'), "duplicate_key"),
        (line().replace(b'"url"', b'"cust\\u006fm_id": "a", "url"'), "duplicate_key"),
        (line().replace(b'"url"', b'"body": {"model": "m", "messages": []}, "url"'), "duplicate_key"),
        (line().replace(b'"messages"', b'"model": "n", "messages"'), "duplicate_key"),
        (line(custom_id=5).replace(b'"url"', b'"method": "GET", "url"'), "duplicate_key"),
        (line(custom_id=5).replace(b'"messages"', b'"stream": false, "stream": null, "messages"'), "duplicate_key"),
        (line(url="/v1/embeddings", body={"model": "m", "input": ["x"] * 50_001}), "too_many_inputs"),
    ],
)
def test_a_line_that_is_no_request_is_refused(text: bytes, code: str) -> None:
    verdict = judge(text)
    assert isinstance(verdict, Refusal)
    assert verdict.code == code
    assert verdict.reason.endswith((".", "..."))
    assert survey(text + b"\n") is None


def test_a_refusal_says_what_to_do_and_keeps_what_the_user_wrote() -> None:
    verdict = judge(line(custom_id=7, url="/v2/chat"))
    assert isinstance(verdict, Refusal)
    assert '"/v2/chat"' in verdict.reason
    assert "/v1/responses" in verdict.reason
    assert bytes(verdict.custom_id) == b"7"
    assert bytes(verdict.request or b"") == line(custom_id=7, url="/v2/chat")


@pytest.mark.parametrize(
    "body", [{"stream": False}, {"stream": None}, {"messages": "text"}, {"x": [[[1e5]]]}, {"\u0000": "é🎉"}]
)
def test_what_the_provider_may_judge_passes(body: dict[str, object]) -> None:
    assert isinstance(judge(line(body={"model": "m", "messages": [], **body})), Request)


def test_128_levels_pass() -> None:
    text = line(body={"model": "m", "messages": [], "x": "?"}).replace(b'"?"', b"[" * 126 + b"]" * 126)
    assert isinstance(judge(text), Request)
    assert isinstance(judge(text.replace(b"[]", b"[[]]")), Refusal)


def test_brackets_in_texts_are_no_depth() -> None:
    text = line(body={"model": "m", "messages": [], "x": '[{"\\' * 500})
    assert isinstance(judge(text), Request)
    assert survey(text + b"\n") is not None or text.count(b"[") > limits.LINE_DEPTH


@pytest.mark.parametrize("custom_id", [..., None, 5, ["a"], ""])
def test_an_id_that_is_no_text_is_no_fault(custom_id: object) -> None:
    verdict = judge(line(custom_id=custom_id))
    assert isinstance(verdict, Request)
    assert not verdict.custom_id


def test_a_method_in_lower_case_is_written_anew() -> None:
    verdict = judge(line(method="post"))
    assert isinstance(verdict, Request)
    assert verdict.rewrite


def test_a_line_of_our_errors_file_is_unwrapped() -> None:
    inner = line(url="/v1/responses", body={"model": "m", "input": 1.10})
    wrapped = b'{"line": 3, "code": "invalid_url", "reason": "mended", "request": ' + inner + b"}"
    verdict = judge(wrapped)
    assert isinstance(verdict, Request)
    assert bytes(verdict.text or b"") == inner
    broken = judge(wrapped.replace(b"/v1/responses", b"/v1/nothing"))
    assert isinstance(broken, Refusal)
    assert bytes(broken.request or b"") == inner.replace(b"/v1/responses", b"/v1/nothing")
    assert isinstance(judge(b'{"line":1,"code":"c","reason":"r","raw":"x"}'), Refusal)


@pytest.mark.parametrize(
    ("value", "inputs"), [("text", 1), (["a", "b"], 2), ([1, 2, 3], 1), ([[1], [2]], 2), ([], 1), ({}, 1)]
)
def test_texts_to_embed_are_counted(value: object, inputs: int) -> None:
    verdict = judge(line(url="/v1/embeddings", body={"model": "m", "input": value, "dimensions": 100}))
    assert isinstance(verdict, Request)
    assert (verdict.inputs, verdict.answer_bytes) == (inputs, 500 + inputs * 2_100)


@pytest.mark.parametrize(("value", "bytes_"), [("float", 2_600), ("base64", 1_100), (None, 2_600), (7, 2_600)])
def test_packed_vectors_are_projected_smaller(value: object, bytes_: int) -> None:
    body = {"model": "m", "input": "a", "dimensions": 100, "encoding_format": value}
    verdict = judge(line(url="/v1/embeddings", body=body))
    assert isinstance(verdict, Request)
    assert verdict.answer_bytes == bytes_


def test_rewriting_keeps_all_else_byte_for_byte() -> None:
    body = b'{"model" : "m","x":0.10,"y":1E5,"z":"\\u00e9\xc3\xa9"}'
    text = b'{"extra": [1, 2],"custom_id" :7, "method":"post","url":"/v1/responses", "body": ' + body + b" }"
    new = b"".join(rewritten(text, "bd.000001"))
    assert body in new
    assert msgspec.json.decode(new) == {**msgspec.json.decode(text), "custom_id": "bd.000001", "method": "POST"}
    assert bytes(original_id(text)) == b"7"
    assert bytes(original_id(b"{}")) == b"null"
    assert b'"custom_id":7' in b"".join(rewritten(text, None))


_USUAL = [line(custom_id=name) for name in ("a", "b", "c")]
_ANY = st.sampled_from(
    [*_USUAL, b"", b" ", b"{", b"}{", line()[:20], line()[20:], b"[" + line() + b",", line() + b"]", b"{}"]
)


@given(st.lists(_ANY, min_size=1, max_size=6), st.sampled_from([b"\n", b"\r\n"]), st.booleans())
def test_many_at_once_are_judged_as_each_by_itself(texts: list[bytes], end: bytes, ended: bool) -> None:
    data = end.join(texts) + end * ended
    found = survey(data)
    if found is not None:
        lines = [text.removesuffix(b"\r") for text in data.removesuffix(b"\n").split(b"\n")]
        verdicts = [judge(text) for text in lines]
        requests = [verdict for verdict in verdicts if isinstance(verdict, Request)]
        assert len(verdicts) == len(requests) == found.requests == sum(w.requests for w in found.weights.values())
        assert {request.pair for request in requests} == found.weights.keys()
        assert {request.custom_id for request in requests} == found.ids
        assert sum(request.answer_bytes for request in requests) == sum(w.answer_bytes for w in found.weights.values())
        assert sum(map(len, lines)) + len(lines) == sum(w.bytes for w in found.weights.values())
        assert found.crlf is (b"\r" in data)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_usual_lines_are_judged_at_once(end: bytes) -> None:
    other = line(custom_id="d", url="/v1/embeddings", body={"model": "m", "input": ["x", "y"], "dimensions": 1})
    found = survey(end.join([*_USUAL, other, b""]))
    assert found is not None
    assert found.ids == {"a", "b", "c", "d"}
    assert {pair.endpoint: weight.requests for pair, weight in found.weights.items()} == {
        "/v1/chat/completions": 3,
        "/v1/embeddings": 1,
    }


@given(st.binary(max_size=200))
def test_no_bytes_raise(data: bytes) -> None:
    assert isinstance(judge(data), Refusal)
