"""Reading and judging a provider's result lines."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.core import answers
from batchdrop.core.answers import Sieve, Taken
from batchdrop.core.model import Usage


def row(custom_id: str = "a", status: object = 200, body: object = None, error: object = None) -> bytes:
    return json.dumps(
        {"id": "x", "custom_id": custom_id, "response": {"status_code": status, "body": body}, "error": error}
    ).encode()


def never_ran(code: str | None, custom_id: str = "a") -> bytes:
    return json.dumps({"custom_id": custom_id, "response": None, "error": {"code": code, "message": "m"}}).encode()


@pytest.mark.parametrize("status", [200, 201, 204])
def test_a_status_of_2xx_without_an_error_is_success(status: int) -> None:
    answer = answers.read(row(status=status))

    assert answer is not None
    assert answer.is_success
    assert not answer.is_passing


@pytest.mark.parametrize("cut", [b"\xf0\x9f", rb"\ud83c"])
def test_a_text_that_was_cut_in_the_middle_of_a_character_is_read_and_can_be_written(cut: bytes) -> None:
    line = row(status=400, body={"error": {"code": "c", "message": "party ?"}}).replace(b"?", cut)
    answer = answers.read(line)

    assert answer is not None
    assert answer.fault == ("c", "party \ufffd")


@pytest.mark.parametrize("status", [0, 408, 409, 429, 500, 502, 503, 529, 599])
def test_these_statuses_pass(status: int) -> None:
    answer = answers.read(row(status=status))

    assert answer is not None
    assert answer.is_passing


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 413, 422])
def test_every_other_status_is_a_failure_for_good(status: int) -> None:
    answer = answers.read(row(status=status))

    assert answer is not None
    assert not answer.is_passing
    assert not answer.is_success


@pytest.mark.parametrize(
    ("code", "passing"), [("batch_expired", True), ("batch_cancelled", True), ("content_policy", False), (None, False)]
)
def test_a_request_that_was_never_run_is_judged_by_its_errors_code(code: str | None, passing: bool) -> None:
    answer = answers.read(never_ran(code))

    assert answer is not None
    assert answer.is_passing is passing
    assert not answer.is_success


def test_a_row_with_neither_response_nor_error_says_nothing_and_passes() -> None:
    answer = answers.read(b'{"custom_id": "a"}')

    assert answer is not None
    assert answer.is_passing


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (never_ran("content_policy"), ("content_policy", "m")),
        (row(status=400, body={"error": {"code": "too_long", "message": "Shorter."}}), ("too_long", "Shorter.")),
        (row(status=400, body={"error": {"code": None, "message": "Bad."}}), ("http_400", "Bad.")),
        (row(status=404), ("http_404", "The request failed with HTTP status 404.")),
        (row(status=502, body="<html>"), ("http_502", "The request failed with HTTP status 502.")),
        (row(status=400, body={"error": "just text"}), ("http_400", "just text")),
        (row(status=400, body={"error": {"code": 17, "message": ["x"]}}), ("17", "['x']")),
    ],
)
def test_a_failure_has_a_code_and_a_reason_however_it_is_told(line: bytes, fault: tuple[str, str]) -> None:
    answer = answers.read(line)

    assert answer is not None
    assert answer.fault == fault


@pytest.mark.parametrize(
    "line",
    [
        row(status=200, body={"usage": "none", "error": None}),
        row(status="200", body={"usage": {"input_tokens": "x"}}),
        b'{"custom_id":"a","response":{"status_code":200,"body":{"x":NaN}},"error":null}',
        b'{"custom_id":"a","response":{"status_code":200,"body":{"x":"\\ud800"}},"error":null}',
        b'{"custom_id":"a","response":{"status_code":200,"body":[1e999]},"error":null}',
    ],
)
def test_an_answer_shaped_unlike_the_api_says_is_an_answer_all_the_same(line: bytes) -> None:
    answer = answers.read(line)

    assert answer is not None
    assert answer.custom_id == "a"
    assert answer.is_success


@pytest.mark.parametrize(
    "line",
    [b"", b"null", b"[]", b"{}", b'{"custom_id": 7}', b'{"custom_id":"a"', b"\xff", b"[" * 100_000, b'{"custom_id":'],
)
def test_what_is_no_result_line_is_none(line: bytes) -> None:
    assert answers.read(line) is None


@given(st.binary(max_size=200))
def test_no_bytes_at_all_make_it_fail(line: bytes) -> None:
    answers.read(line)


def test_our_own_record_reads_as_a_failure_for_good() -> None:
    answer = answers.read(answers.record("\u00fc", "no_answer", "m"))

    assert answer is not None
    assert (answer.custom_id, answer.fault, answer.is_passing) == ("\u00fc", ("no_answer", "m"), False)


# ── the sieve ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_first_final_record_of_each_request_is_taken() -> None:
    sieve = Sieve({"a": 0, "b": 1})
    first = [sieve.take(line) for line in (row("b"), row("b", 400), row("c"), b"junk", row("a", 400))]

    assert [taken for taken, _ in first] == [Taken.FINAL, Taken.DROPPED, Taken.DROPPED, Taken.DROPPED, Taken.FINAL]
    assert (sieve.completed, sieve.failed, sieve.dropped, sieve.missing) == (1, 1, 3, [])


def test_a_passing_row_leaves_its_request_open() -> None:
    sieve = Sieve({"a": 0, "b": 1})

    assert sieve.take(row("b", 500)) == (Taken.HELD, 1)
    assert sieve.missing == [0, 1]
    assert sieve.take(row("b")) == (Taken.FINAL, 1)
    assert sieve.missing == [0]


def test_usage_counts_what_is_kept_and_nothing_twice() -> None:
    body = {"usage": {"prompt_tokens": 3, "completion_tokens": 2}}
    sieve = Sieve({"a": 0, "b": 1})
    for line in (row("a", body=body), row("a", body=body), row("x", body=body), row("b", 500, body)):
        sieve.take(line)

    assert sieve.usage == Usage(requests=1, input_tokens=3, output_tokens=2)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from([200, 400, 500])), max_size=30))
def test_completed_failed_and_missing_are_all_requests(told: list[tuple[str, int]]) -> None:
    sieve = Sieve({custom_id: ordinal for ordinal, custom_id in enumerate("abcd")})
    written = [custom_id for custom_id, status in told if sieve.take(row(custom_id, status))[0] is Taken.FINAL]

    assert sieve.completed + sieve.failed + len(sieve.missing) == 4
    assert len(set(written)) == len(written) == sieve.completed + sieve.failed
