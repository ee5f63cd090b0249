from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.core.lines import Line, TooLong, Window, is_blank, lines, windows


def cut(data: bytes, size: int = 1 << 20, cap: int = 1_000) -> list[Line | TooLong]:
    pieces = windows((data[at : at + size] for at in range(0, len(data), size)), cap=cap)
    return [line for piece in pieces for line in (lines(piece) if isinstance(piece, Window) else [piece])]


def texts(data: bytes, size: int = 1 << 20) -> list[bytes]:
    return [bytes(line.text) if isinstance(line, Line) else b"<too long>" for line in cut(data, size)]


def test_lines_end_at_newlines_alone() -> None:
    text = "a\u2028b\u0085c\x0bd\x0ce\x1cf\rg".encode()
    assert texts(text + b"\nnext\n") == [text, b"next"]


def test_the_last_line_needs_no_newline() -> None:
    assert texts(b"a\nb") == [b"a", b"b"]


def test_a_carriage_return_before_the_newline_goes_with_it() -> None:
    assert [(line.text, line.crlf) for line in cut(b"a\r\nb\n") if isinstance(line, Line)] == [
        (b"a", True),
        (b"b", False),
    ]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 100])
def test_a_bom_at_the_start_is_left_out_and_elsewhere_kept(size: int) -> None:
    [first, second] = cut(b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n", size)
    assert (first.offset if isinstance(first, TooLong) else first.start, second.end) == (3, 10)
    assert texts(b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n", size) == [b"a", b"\xef\xbb\xbfb"]


def test_a_line_over_the_cap_is_passed_over_and_its_start_kept() -> None:
    data = b"a\n" + b"x" * 5_000 + b"\nb\n"
    _, long, after = cut(data, 64)
    assert long == TooLong(2, 5_003, b"x" * 4_096)
    assert isinstance(after, Line)
    assert (after.text, after.start) == (b"b", 5_003)


def test_a_line_without_end_is_held_in_flat_memory() -> None:
    block = b"x" * (1 << 20)
    tracemalloc.start()
    [long] = windows((block for _ in range(200)), cap=4 << 20)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(long, TooLong)
    assert long.end == 200 << 20
    assert peak < 16 << 20


@given(
    st.lists(st.sampled_from([b"", b"\r", b"a", b"bc\r", b" ", b"\xef\xbb\xbf", b"x" * 40, b"y" * 41])).map(b"\n".join),
    st.integers(1, 60),
)
def test_how_the_bytes_come_in_never_matters(data: bytes, size: int) -> None:
    assert cut(data, size, cap=40) == cut(data, 10_000, cap=40)
    whole = cut(data, size, cap=40)
    starts = [piece.offset if isinstance(piece, TooLong) else piece.start for piece in whole]
    assert [piece.end for piece in whole][:-1] == starts[1:]
    assert not whole or whole[-1].end == len(data)


@pytest.mark.parametrize(("text", "blank"), [(b"", True), (b" \t\r", True), (b"\x0b", False), (b"\x00", False)])
def test_blank_is_what_json_calls_white_space(text: bytes, blank: bool) -> None:
    assert is_blank(text) is blank
