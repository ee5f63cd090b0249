from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchdrop.core import limits
from batchdrop.core.cut import Cut, Limits, Load
from batchdrop.core.lines import windows
from batchdrop.core.planning import Cutter, estimated_tokens

URL = "/v1/chat/completions"


def request(custom_id: object = "a", model: str = "m", url: str = URL, **body: object) -> bytes:
    body = {"model": model, "messages": [], "prompt": "", **body}
    line = {"custom_id": custom_id, "method": "POST", "url": url, "body": body}
    return msgspec.json.encode(line)


def cuts(
    data: bytes,
    limit: Limits | None = None,
    size: int = 1 << 20,
    cap: int = limits.LINE_BYTES,
    steps: tuple[int, ...] = (),
) -> list[Cut]:
    cutter = Cutter(limit or Limits(), steps=steps)
    blocks: Iterable[bytes] = (data[at : at + size] for at in range(0, len(data), size))
    found = [cut for piece in windows(blocks, cap=cap) for cut in cutter.feed(piece)]
    return [*found, *cutter.finish()]


def weight(load: Load) -> object:
    return load.requests, load.bytes, load.inputs, load.answer_bytes


def shape(found: list[Cut]) -> list[object]:
    return [
        (
            (cut.first_byte, cut.end_byte, cut.first_line, cut.lines),
            (cut.requests, cut.invalid, cut.mapped, cut.answer_bytes),
            (cut.plain, cut.head),
            [(pair, load if cut.plain else weight(load)) for pair, loads in cut.loads.items() for load in loads],
        )
        for cut in found
    ]


def test_clean_lines_of_one_pair_are_ranges_of_the_input() -> None:
    data = b"".join(request(f"r{i}") + b"\n" for i in range(10))
    [cut] = cuts(data, Limits(requests=4))
    [loads] = cut.loads.values()
    assert cut.plain
    assert [load.requests for load in loads] == [4, 4, 2]
    assert [data[load.first_byte : load.end_byte].count(b"\n") for load in loads] == [4, 4, 2]
    assert [loads[0].first_byte, loads[0].end_byte] == [0, loads[1].first_byte]
    assert loads[-1].end_byte == len(data)


@pytest.mark.parametrize(
    "data",
    [
        request("a") + b"\r\n" + request("b") + b"\r\n",
        request("a") + b"\n\n" + request("b"),
        request("a") + b"\nno json\n" + request("b"),
        request("a") + b"\n" + request("b", "other"),
        request("a") + b"\n" + request("a"),
        request("bd.000001"),
        request(5),
        request("x" * 65),
        request("a").replace(b"POST", b"post"),
        b'{"line":1,"code":"c","reason":"r","request":' + request("a") + b"}",
    ],
)
def test_what_is_not_clean_is_to_be_copied(data: bytes) -> None:
    assert [cut.plain for cut in cuts(data)] == [False]


@pytest.mark.parametrize("data", [b"\xef\xbb\xbf" + request(), b"\n\n" + request() + b"\n\n", request("日" * 64)])
def test_what_stands_around_the_lines_is_no_reason_to_copy(data: bytes) -> None:
    [cut] = cuts(data)
    assert cut.plain
    assert data[cut.first_byte : cut.end_byte].strip() == data.strip(b"\xef\xbb\xbf\n")


def test_ids_that_are_taken_already_are_counted_as_mapped() -> None:
    [cut] = cuts(b"\n".join(map(request, ["a", "a", "", "bd.000001", "bd.x", 7, "y" * 64, "y" * 65])))
    assert (cut.requests, cut.mapped, cut.invalid) == (8, 5, 0)


def test_one_id_in_two_chunks_is_kept_in_both() -> None:
    found = cuts(b"\n".join(request("a", n=i) for i in range(2)), Limits(requests=1))
    assert [cut.mapped for cut in found] == [1]
    many = cuts(b"\n".join(request(f"r{i % 50}") for i in range(100)), Limits(requests=1))
    assert [(cut.requests, cut.mapped, cut.plain) for cut in many] == [(50, 0, True), (50, 0, True)]


def test_a_chunk_has_room_for_every_pair_of_a_job_however_they_are_mixed() -> None:
    [cut] = cuts(b"\n".join(request(f"r{i}", f"m{i % limits.PAIRS_PER_JOB}") for i in range(5_000)))
    assert [load.requests for loads in cut.loads.values() for load in loads] == [100] * limits.PAIRS_PER_JOB


def test_answers_that_will_be_large_make_small_batches_and_chunks() -> None:
    found = cuts(b"\n".join(request(f"r{i}", url="/v1/images/generations") for i in range(400)))
    assert [cut.requests for cut in found] == [333, 67]
    assert {load.requests for cut in found for loads in cut.loads.values() for load in loads[:-1]} == {33}


@pytest.mark.parametrize(
    ("body", "each"),
    [
        ({}, 2_000),
        ({"n": 1, "logprobs": False}, 2_000),
        ({"n": 10}, 20_000),
        ({"n": "10"}, 2_000),
        ({"logprobs": True}, 2_000 + 250 * 90),
        ({"logprobs": True, "top_logprobs": 20, "max_tokens": 8_000}, 2_000 + 250 * 21 * 90),
        ({"logprobs": True, "top_logprobs": 5, "max_completion_tokens": 1}, 2_000 + 6 * 90),
        ({"n": 2, "logprobs": 5, "max_tokens": 10}, 2 * (2_000 + 10 * 5 * 90)),
    ],
)
def test_more_answers_and_their_probabilities_are_projected_however_the_line_is_written(
    body: dict[str, Any], each: int
) -> None:
    [cut] = cuts(b"\n".join(request(f"r{i}", **body) for i in range(3)))
    assert cut.answer_bytes == 3 * each
    [cut] = cuts(b"\n".join(request(f"r{i}", **body).replace(b"POST", b"post") for i in range(3)))
    assert cut.answer_bytes == 3 * each


def test_so_many_images_are_projected_as_are_asked_for() -> None:
    found = cuts(b"\n".join(request(f"r{i}", url="/v1/images/generations", n=10) for i in range(40)))
    assert {load.requests for cut in found for loads in cut.loads.values() for load in loads[:-1]} == {3}


def test_a_batch_of_embeddings_has_at_most_50_000_texts() -> None:
    lines = [request(f"r{i}", url="/v1/embeddings", input=["x"] * 2_000, dimensions=1) for i in range(30)]
    [cut] = cuts(b"\n".join(lines))
    assert [load.inputs for loads in cut.loads.values() for load in loads] == [50_000, 10_000]


@pytest.mark.parametrize(
    ("more", "per_batch"),
    [
        ({}, 1_538),
        ({"dimensions": 3_072}, 1_538),
        ({"encoding_format": "base64"}, 5_282),
        ({"dimensions": 256}, 17_018),
    ],
)
@pytest.mark.no_cover
def test_no_file_of_embeddings_is_projected_to_exceed_100_megabytes(more: dict[str, object], per_batch: int) -> None:
    """A vector of 3,072 numbers is 64.5 kB of text, or 18.4 kB in base64: 50,000 in one batch would be 3.2 GB."""
    lines = (request(f"r{i}", "text-embedding-3-large", "/v1/embeddings", input="x", **more) for i in range(50_000))
    found = cuts(b"\n".join(lines))
    loads = [load for cut in found for pair in cut.loads.values() for load in pair]
    assert sum(load.requests for load in loads) == 50_000
    assert max(load.requests for load in loads) == per_batch
    assert max(load.answer_bytes for load in loads) <= limits.PROJECTED_BYTES_PER_BATCH
    assert max(cut.answer_bytes for cut in found) <= limits.PROJECTED_BYTES_PER_CHUNK


def test_a_line_that_fits_no_batch_is_refused() -> None:
    [cut] = cuts(request("a") + b"\n" + request("b", text="x" * 500), Limits(bytes=200))
    assert (cut.requests, cut.invalid, cut.plain) == (2, 1, False)


def test_a_line_over_the_cap_is_a_chunk_by_itself() -> None:
    found = cuts(request("a") + b"\n" + b"x" * 500 + b"\n" + request("b"), cap=200)
    assert [(cut.first_line, cut.requests, cut.invalid) for cut in found] == [(1, 1, 0), (2, 1, 1), (3, 1, 0)]
    assert found[1].head == b"x" * 500


def test_a_run_of_blank_lines_does_not_make_a_chunk_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BYTES_PER_CHUNK", 1_000)
    cutter = Cutter(Limits())
    data = request("a") + b"\n" * 5_000
    found = [cut for piece in windows([data[:500], data[500:]]) for cut in cutter.feed(piece)]
    assert [cut.requests for cut in found] == [1]
    assert cutter.needs_from is None


def test_blank_windows_are_counted_without_being_cut() -> None:
    cutter = Cutter(Limits())
    pieces = windows([b"\n" * 100 + b" \r\n", request("a") + b"\n" * 50])
    assert [cut for piece in pieces for cut in cutter.feed(piece)] == []
    [cut] = cutter.finish()
    assert (cut.first_line, cut.lines, cutter.lines, cut.plain) == (102, 102, 151, True)


def test_a_token_is_guessed_per_four_bytes_and_one_per_request() -> None:
    assert (estimated_tokens(2, 4_000), estimated_tokens(50, 100)) == (1_000, 50)


_LINES = st.sampled_from(
    [
        *(request(name) for name in "abcdefgh"),
        *(request(name) for name in "abcdefgh"),
        request("i", "other"),
        request("j", url="/v1/embeddings", input=["x"] * 3),
        request("x" * 65),
        request(None),
        b"",
        b" ",
        b"broken",
        request("k") + b"\r",
        request("long", text="x" * 400),
        b"y" * 2_000,
    ]
)


@pytest.mark.no_cover
@settings(max_examples=300)
@given(
    st.lists(_LINES, max_size=60),
    st.booleans(),
    st.integers(1, 7),
    st.integers(150, 3_000),
    st.sampled_from([1, 7, 100, 4_096, 1 << 20]),
)
def test_every_line_is_in_one_batch_or_refused_whatever_the_blocks(
    texts: list[bytes], ended: bool, requests: int, size: int, block: int
) -> None:
    data = b"\n".join(texts) + b"\n" * ended
    limit = Limits(requests=requests, bytes=size)
    found = cuts(data, limit, block, cap=1_000)

    assert shape(found) == shape(cuts(data, limit, cap=1_000)) == shape(cuts(data, limit, cap=1_000, steps=(500, 100)))
    texts_there = data.split(b"\n")
    filled = [number for number, text in enumerate(texts_there, 1) if text.strip()]
    sent = sum(load.requests for cut in found for loads in cut.loads.values() for load in loads)
    assert sum(cut.requests for cut in found) == len(filled) == sent + sum(cut.invalid for cut in found)
    position = 0
    for cut in found:
        assert not data[position : cut.first_byte].strip(), "nothing but blank lines between chunks"
        own = data[cut.first_byte : cut.end_byte].removesuffix(b"\n").split(b"\n")
        assert (cut.first_line, cut.lines) == (cut.first_line, cut.first_line + len(own) - 1)
        assert texts_there[cut.first_line - 1 : cut.lines] == own
        assert cut.batches <= limits.BATCHES_PER_CHUNK
        for loads in cut.loads.values():
            assert all(load.requests <= requests and load.bytes <= size for load in loads)
        if cut.plain:
            [loads] = cut.loads.values()
            ranges = [data[load.first_byte : load.end_byte] for load in loads]
            assert b"".join(ranges) == data[cut.first_byte : cut.end_byte]
            assert [len(part.removesuffix(b"\n").split(b"\n")) for part in ranges] == [load.requests for load in loads]
        position = cut.end_byte
    assert not data[position:].strip()
