"""Many lines judged at once against each by itself, which is the definition."""

from __future__ import annotations

import json
import re
from unittest import mock

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from batchdrop.core import limits, planning
from batchdrop.core.cut import Cut, Limits
from batchdrop.core.ids import can_be_kept
from batchdrop.core.judging import judge
from batchdrop.core.lines import is_blank, windows
from batchdrop.core.planning import Cutter
from batchdrop.core.request import Request
from batchdrop.core.survey import survey
from batchdrop.core.text import any_is_deep, is_deep

pytestmark = pytest.mark.no_cover


def request(
    custom_id: object = "a", model: object = "m", url: str = "/v1/chat/completions", **body: object
) -> dict[str, object]:
    return {"custom_id": custom_id, "method": "POST", "url": url, "body": {"model": model, "messages": [], **body}}


def line(*args: object, **body: object) -> bytes:
    return json.dumps(request(*args, **body), ensure_ascii=False).encode()  # type: ignore[arg-type]


_USUAL = st.builds(
    line,
    st.text(max_size=3) | st.sampled_from(["bd.000001", "x" * 64, "x" * 65, "日本"]),
    st.sampled_from(["m", "m", "m", "n", "", "m" * 257]),
    st.sampled_from(["/v1/chat/completions"] * 3 + ["/v1/embeddings", "/v1/files"]),
    text=st.sampled_from(["plain", 'q"{[', "é🎉", "}\n{", "\\", "\u2028"]),
    stream=st.sampled_from([None, None, None, False, True, 0]),
    n=st.sampled_from([None, None, None, 1, 2, "2", True]),
    logprobs=st.sampled_from([None, None, None, False, True, 3]),
    input=st.sampled_from(["x", ["x", "y"], [1, 2]]),
)
_ODD = st.sampled_from(
    [
        b"",
        b" ",
        b"{",
        b"}",
        b"{}",
        b"}{",
        b"null",
        line("p") + b" " + line("q"),
        line("p") + line("q"),
        line("p") + b"," + line("q"),
        line("s")[:40],
        line("s")[40:],
        line("t").replace(b'{"model"', b'\n{"model"'),
        line("u", text="?").replace(b"?", b"\xff"),
        line("u", text="??").replace(b"?", b"\xe6") + b"\x97\xa5",
        line("v", text="?").replace(b"?", b"\t"),
        line("w", x="?").replace(b'"?"', b"[" * 126 + b"]" * 126),
        line("w", x="?").replace(b'"?"', b"[" * 127 + b"]" * 127),
        line("x", text="[" * 200),
        line("y", stream=False).replace(b"false", b"true, " + b'"stream": false'),
        line("z") + b"\r",
        b"\r" + line("z"),
        b"\xef\xbb\xbf" + line("z"),
        b" " + line("1") + b" ",
        line("2").replace(b'"method"', b'"custom_id": "3", "method"'),
        line("4").replace(b'"method"', b'"custom\\u005fid": "4", "method"'),
        line("5").replace(b'"model"', b'"model": "m", "model"'),
        line("6").replace(b'"url"', b'"method": "POST", "url"'),
        line("7").replace(b'"url"', b'"method": "GET", "url"'),
        line("8").replace(b'"body"', b'"body": {"model": "m", "messages": []}, "body"'),
        line("9", messages=None),
        line("A", messages="text"),
        line("B").replace(b"messages", b"prompt"),
        line("C", text="?").replace(b"?", b"\\ud800"),
        line("D", "m", "/v1/completions", prompt="x"),
        line("E", "m", "/v1/completions", prompt=["x"]),
        line("F", "m", "/v1/completions", prompt=None),
    ]
)


@st.composite
def _files(draw: st.DrawFn) -> bytes:
    texts = draw(st.lists(st.one_of(_USUAL, _USUAL, _USUAL, _ODD), min_size=1, max_size=8))
    data = bytearray(draw(st.sampled_from([b"\n", b"\n", b"\r\n"])).join(texts) + draw(st.sampled_from([b"", b"\n"])))
    if data and draw(st.booleans()):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.sampled_from(b'{}[]",:\\ \r\n\x00\x80\xe9a1'))
    return bytes(data)


#: A usual line: what comes behind it is no longer told by the first.
FIRST = line("o") + b"\n"


@settings(max_examples=400)
@example(FIRST + line("p") + b" " + line("q") + b"\n\n" + line("r"))
@example(FIRST + line("p") + line("q") + b"\n" + line("t", x=[{}, {}]).replace(b"{}, {}", b"{},\n{}"))
@example(FIRST + line("p") + b"\t" + line("q") + b"\n" + line("t", x=[{}, {}]).replace(b"{}, {}", b"{}\n,{}"))
@example(FIRST + line("p") + line("q") + b"\n" + line("t").replace(b'{"model"', b'\n{"model"'))
@example(FIRST + line("p") + b"\n\r" + line("q"))
@example(line("p", text="??").replace(b"??", b"\xe6") + b"\n" + line("q"))
@example(FIRST + line("p") + b" " + line("q") + b"\n" + line("r"))
@given(_files())
def test_what_is_taken_at_once_is_what_each_line_is_by_itself(data: bytes) -> None:
    found = survey(data)
    if found is None:
        return
    texts = [text.removesuffix(b"\r") for text in data.removesuffix(b"\n").split(b"\n")]
    verdicts = [judge(text) for text in texts]
    requests = [verdict for verdict in verdicts if isinstance(verdict, Request)]
    assert len(requests) == len(texts) == found.requests == len(found.ids)
    assert all(can_be_kept(request.custom_id) and not request.rewrite and not request.text for request in requests)
    assert {request.custom_id for request in requests} == found.ids
    assert list(found.weights) == list(dict.fromkeys(request.pair for request in requests))
    assert found.crlf is (b"\r\n" in data)
    for pair, weight in found.weights.items():
        own = [(verdict, text) for verdict, text in zip(requests, texts, strict=True) if verdict.pair == pair]
        assert weight.requests == len(own)
        assert weight.bytes == sum(len(text) + 1 for _, text in own)
        assert weight.inputs == sum(request.inputs for request, _ in own)
        assert weight.answer_bytes == sum(request.answer_bytes for request, _ in own)


def _cuts(data: bytes, limit: Limits) -> list[Cut]:
    cutter = Cutter(limit, steps=(300, 100))
    found = [cut for piece in windows([data], cap=2_000) for cut in cutter.feed(piece)]
    return [*found, *cutter.finish()]


def _shape(cuts: list[Cut]) -> list[object]:
    """All that a plan is made of; byte ranges are of use where nothing is copied."""
    return [
        (
            [getattr(cut, name) for name in ("first_byte", "end_byte", "first_line", "lines", "requests", "invalid")],
            (cut.mapped, cut.plain, cut.head, cut.answer_bytes, cut.ids),
            [
                (pair, load.requests, load.bytes, load.inputs, load.answer_bytes, cut.plain and load)
                for pair, loads in cut.loads.items()
                for load in loads
            ],
        )
        for cut in cuts
    ]


@settings(max_examples=150)
@given(_files(), st.integers(1, 5), st.integers(200, 2_000))
def test_a_plan_is_the_same_with_and_without_the_fast_path(data: bytes, requests: int, size: int) -> None:
    limit = Limits(requests=requests, bytes=size)
    fast = _shape(_cuts(data, limit))
    with mock.patch.object(planning, "survey", return_value=None):
        assert fast == _shape(_cuts(data, limit))


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize(
    "texts",
    [
        [line(name) for name in "abc"],
        [line(name, text='é日🎉 [{ \\ " }\n{') for name in "abc"],
        [line("a"), line("b", "other"), line("c", "m", "/v1/responses")],
        [line(name, stream=False) for name in "abc"],
        [line("a"), line("b", stream=False), line("c", stream=None)],
        [line(name, "m", "/v1/embeddings", input=["x"]) for name in "abc"],
        [line(name, text="}," * 200) for name in "abc"],
        [line("a", x=[[], {"y": [1]}] * 500, text='\\"[{' * 50), line("b"), line("c")],
    ],
)
def test_usual_files_take_the_fast_path(texts: list[bytes], end: bytes) -> None:
    assert not any(map(is_blank, texts))
    assert survey(end.join(texts)) is not None
    assert survey(bytearray(end.join(texts) + end)) is not None


@pytest.mark.parametrize("depth", [126, 127, 1_000, 20_000])
def test_a_deep_line_among_others_never_takes_the_fast_path(depth: int) -> None:
    deep = line("deep", x="?").replace(b'"?"', b"[" * depth + b"]" * depth)
    data = b"\n".join([line("a"), deep, line("b")])
    assert isinstance(judge(deep), Request) is (depth + 2 <= limits.LINE_DEPTH)
    assert survey(data) is None or depth + 2 <= limits.LINE_DEPTH


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 140), st.integers(1, 9)), max_size=60), st.integers(200, 1 << 17))
def test_many_lines_are_deep_where_one_is_however_their_brackets_are_spread(
    some: list[tuple[int, int]], size: int
) -> None:
    texts = [(b"[" * depth + b"]" * depth) * times for depth, times in some]
    data = b"\n".join(text + b" " * (size // 60) for text in texts)
    assert any_is_deep(data) is any(map(is_deep, texts))


@given(st.lists(st.sampled_from([b"[", b"]", b"{", b"}", b'"', b"\\", b"[[[[[[[[", b"}}}]]", b"x"])))
def test_depth_is_the_same_by_either_way_of_counting(tokens: list[bytes]) -> None:
    data = b"".join(tokens)
    with mock.patch.object(limits, "LINE_DEPTH", 3):
        depth = 0
        deepest = 0
        for token in re.finditer(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]', data):
            depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(token[0], 0)
            deepest = max(deepest, depth)
        assert is_deep(data) is (deepest > 3)


def test_a_model_that_stands_twice_is_seen_among_many_lines_too() -> None:
    fine = b'{"custom_id": "%d", "method": "POST", "url": "/v1/responses", "body": {"model": "m", "input": "x"}}\n'
    twice = fine.replace(b'"model": "m"', b'"model": "m", "model": "m"')
    assert survey(fine % 1 + fine % 2) is not None
    assert survey(fine % 1 + twice % 2) is None


@pytest.mark.parametrize("before", [0, 1, 60, 61, 1_020, 5_000, 123_456])
def test_a_number_that_is_too_long_never_takes_the_fast_path_wherever_it_stands(before: int) -> None:
    for digits in (limits.NUMBER_DIGITS, limits.NUMBER_DIGITS + 1):
        number = line("b", n="?").replace(b'"?"', b"1" * digits)
        data = b"\n".join([line("a", text="x" * before), number])
        assert isinstance(judge(number), Request) is (survey(data) is not None) is (digits <= limits.NUMBER_DIGITS)
    assert survey(line("a", text="x" * before + "1" * 5_000)) is not None
