"""How long answers may get is read from the requests' bodies, and nothing of it is lost or counted twice."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.core.lines import TooLong, Window
from batchdrop.core.metering import Meter, added
from batchdrop.core.pricing import Estimate
from tests import samples


def line(url: str = "/v1/responses", model: Any = "m", **body: Any) -> bytes:
    return (
        msgspec.json.encode({"custom_id": "a", "method": "POST", "url": url, "body": {"model": model, **body}}) + b"\n"
    )


def metered(*lines: bytes, every_line: bool = True, requests: int = 0) -> Estimate:
    """What a chunk of these lines comes to, all of them of model ``m``; ``requests``: how many of them are valid."""
    meter, data = Meter(every_line=every_line), b"".join(lines)
    meter.take(Window(0, data), 0, len(data))
    batch = samples.batch(model="m", requests=requests or len(lines), estimated_tokens=len(data) // 4)
    return meter.drain([batch])["m"]


@pytest.mark.parametrize(
    ("request_line", "tokens", "assumed"),
    [
        (line(max_output_tokens=500), 500, 0),
        (line("/v1/chat/completions", max_completion_tokens=500, n=3), 1_500, 0),
        (line("/v1/chat/completions", max_tokens=20), 20, 0),
        (line("/v1/chat/completions", max_tokens=20, max_completion_tokens=30), 30, 0),
        (line("/v1/completions", max_tokens=20, n=2, best_of=5), 100, 0),
        (line("/v1/completions"), 16, 1),
        (line("/v1/chat/completions"), 1_000, 1),
        (line("/v1/chat/completions", n=2), 2_000, 1),
        (line(max_output_tokens="500"), 1_000, 1),
        (line(max_output_tokens=0), 1_000, 1),
        (line(max_output_tokens=-5), 1_000, 1),
        (line(max_output_tokens=True), 1_000, 1),
        (line(max_output_tokens=10**20), 1_000, 1),
        (line(max_output_tokens=None), 1_000, 1),
        (line(max_output_tokens={"a": 1}), 1_000, 1),
        (line(max_output_tokens=[5], n={}), 1_000, 1),
        (line("/v1/embeddings", input=["x"]), 0, 0),
        (line("/v1/moderations", input="x"), 0, 0),
        (line("/v1/images/generations", n=2), 12_480, 1),
    ],
)
def test_the_most_that_an_answer_holds_is_its_limit_times_the_answers(
    request_line: bytes, tokens: int, assumed: int
) -> None:
    found = metered(request_line)
    assert (found.read, found.output_tokens, found.unlimited) == (1, tokens, assumed)


def test_a_request_of_an_errors_file_is_read_where_it_stands() -> None:
    wrapped = msgspec.json.encode({"line": 7, "code": "x", "request": msgspec.json.decode(line(max_output_tokens=7))})
    assert metered(wrapped).output_tokens == 7


def test_a_value_of_a_wrong_type_hides_no_other_line() -> None:
    found = metered(line(max_output_tokens=5), line(max_output_tokens=[5]), line(model={}), line(max_output_tokens=6))
    assert (found.read, found.output_tokens, found.unlimited) == (3, 1_011, 1)


@pytest.mark.parametrize(
    "bad",
    [b"oops\n", b"[1]\n", b'"x"\n', b'{"url": 5, "body": {"model": "m"}}\n', b'{"body": "x"}\n', b"\xff\n", b"\n"],
)
def test_a_line_that_is_no_request_costs_nothing_and_hides_no_other(bad: bytes) -> None:
    found = metered(line(max_output_tokens=5), bad, line(max_output_tokens=6), requests=2)
    assert (found.read, found.output_tokens) == (2, 11)


def test_lines_of_a_model_that_is_not_run_are_left_out() -> None:
    found = metered(line(max_output_tokens=5), line(model="refused", max_output_tokens=10**6), requests=1)
    assert found.output_tokens == 5


def test_without_a_cap_the_first_line_of_a_window_stands_for_the_others() -> None:
    found = metered(line(max_output_tokens=5), *[line(max_output_tokens=9)] * 3, every_line=False)
    assert (found.requests, found.read, found.most_output_tokens) == (4, 1, 20)


def test_of_a_model_that_was_not_looked_at_the_usual_length_is_assumed() -> None:
    meter, data = Meter(every_line=False), line(max_output_tokens=5) + line(model="other")
    meter.take(Window(0, data), 0, len(data))
    batches = [samples.batch(model="m"), samples.batch(model="other"), samples.batch(model="other", requests=3)]
    found = meter.drain([*batches, samples.batch(model="vectors", endpoint="/v1/embeddings")])
    assert {model: estimate.most_output_tokens for model, estimate in found.items()} == {
        "m": 10,
        "other": 5_000,
        "vectors": 0,
    }


def test_a_line_that_is_too_long_is_passed_over() -> None:
    meter = Meter(every_line=True)
    assert meter.take(TooLong(10, 99, b"{"), 10, 99) == 99
    assert meter.drain([]) == {}


@given(
    st.lists(st.integers(1, 50), min_size=1, max_size=30),
    st.lists(st.integers(0, 4_000), max_size=4),
    st.integers(0, 1_000),
)
def test_wherever_chunks_are_cut_every_line_counts_once(limits: list[int], cuts: list[int], offset: int) -> None:
    data = b"".join(line(max_output_tokens=limit) for limit in limits)
    ends = sorted({data.rfind(b"\n", 0, cut) + 1 for cut in cuts} - {0} | {len(data)})
    meter, window, at = Meter(every_line=True), Window(offset, data), offset
    parts: dict[str, Estimate] = {}
    for end in ends:
        at = meter.take(window, at, offset + end)
        parts = added(parts, meter.drain([samples.batch(model="m", requests=1, estimated_tokens=1)]))
    assert parts["m"].output_tokens == sum(limits)
    assert parts["m"].read == len(limits)
    assert parts["m"].requests == len(ends)
