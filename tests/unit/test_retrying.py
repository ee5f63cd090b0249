"""What is done about a batch that the provider refused."""

from __future__ import annotations

import pytest

from batchdrop.core import retrying
from batchdrop.core.retrying import Block, Halve, Report, Wait, judge, looked_into, says_enough
from batchdrop.ports import LineError


def judged(*complaints: LineError, requests: int = 10, halvings: int = 0, refusals: int = 0) -> retrying.Verdict:
    return judge(complaints, requests=requests, halvings=halvings, refusals=refusals)


@pytest.mark.parametrize("code", sorted(retrying.PASSING))
def test_a_passing_code_waits(code: str) -> None:
    said = "Please try again later."
    assert judged(LineError(code, said)) == Wait(60, f"{code}: {said}")


@pytest.mark.parametrize("code", sorted(retrying.OPERATOR))
def test_what_the_operator_must_mend_blocks(code: str) -> None:
    assert judged(LineError(code, "Please try again later.")) == Block(f"{code}: Please try again later.")


@pytest.mark.parametrize("code", sorted(retrying.PERMANENT))
def test_a_permanent_code_without_a_line_is_everyones(code: str) -> None:
    error = LineError(code, "m")

    assert judged(error) == Report(everyone=error)


def test_a_file_that_the_provider_does_not_see_yet_is_waited_for() -> None:
    assert isinstance(judged(LineError("invalid_request", "Cannot find file file-1, or ...")), Wait)


def test_lines_that_are_named_are_reported_with_the_first_that_was_said_of_each() -> None:
    first, second, third = (LineError("x", text, line) for text, line in (("1", 2), ("2", 2), ("3", 5)))

    assert judged(first, second, third) == Report(lines={2: first, 5: third})


def test_a_model_that_does_not_exist_does_not_exist_for_any_line() -> None:
    error = LineError("model_not_found", "m", 1)

    assert judged(error) == Report(everyone=error)


def test_lines_that_are_not_there_are_not_named() -> None:
    assert judged(LineError("x", "m", 0), LineError("x", "m", 11)) == Halve()


def test_an_unknown_code_halves_three_times_and_is_then_everyones() -> None:
    error = LineError("brand_new", "m")

    assert [judged(error, halvings=done) for done in range(4)] == [Halve()] * 3 + [Report(everyone=error)]


def test_a_single_request_cannot_be_halved() -> None:
    error = LineError("brand_new", "m")

    assert judged(error, requests=1) == Report(everyone=error)


def test_a_refusal_without_a_word_is_told_as_such() -> None:
    verdict = judged(requests=1)

    assert isinstance(verdict, Report)
    assert verdict.everyone is not None
    assert verdict.everyone.code == "batch_failed"


def test_the_wait_doubles_up_to_an_hour() -> None:
    assert [retrying.backoff(refusals) for refusals in range(8)] == [60, 120, 240, 480, 960, 1920, 3600, 3600]
    assert retrying.backoff(10**6) == 3_600


@pytest.mark.parametrize("number", ["1e400", "-0.1E+0999", "9" * 400 + ".0", "1.8e308"])
def test_a_number_that_no_double_holds_is_found_where_the_provider_names_no_line(number: str) -> None:
    found = looked_into(Halve(), [b"{}", f'{{"body": {{"x": [{{"y": {number}}}]}}}}'.encode(), b"{}"])

    assert isinstance(found, Report)
    assert [(line, of.code) for line, of in found.lines.items()] == [(2, "invalid_json_line")]
    assert found.everyone is None


@pytest.mark.parametrize("number", ["1e308", "-1.7E+308", "1e-400", "9" * 4_300, "0e9999", '"1e400"', '"\\"1e400"'])
def test_a_number_that_a_parser_takes_is_under_no_suspicion(number: str) -> None:
    assert looked_into(Halve(), [f'{{"body": {{"x": {number}}}}}'.encode()]) == Halve()


def test_where_it_names_the_line_as_unreadable_we_say_why_and_keep_what_it_said_of_others() -> None:
    named = Report(lines={1: LineError("invalid_json_line", "no", 1), 2: LineError("invalid_json_line", "no", 2)})
    found = looked_into(named, [b"{}", b"[1e400]", b"[-1e999]"])

    assert isinstance(found, Report)
    assert found.lines[1].message == "no"
    assert "beyond what a double holds" in found.lines[2].message
    assert found.lines[3].code == "invalid_json_line"


@pytest.mark.parametrize(
    ("verdict", "enough"),
    [
        (Halve(), False),
        (Report(everyone=LineError("batch_failed", "no")), False),
        (Report(everyone=LineError("model_not_found", "no")), True),
        (Report(lines={1: LineError("invalid_json_line", "no", 1)}), False),
        (Report(lines={1: LineError("invalid_request", "no", 1)}), True),
        (Wait(60, "busy"), True),
    ],
)
def test_requests_are_looked_into_where_the_provider_does_not_say_what_is_wrong_with_them(
    verdict: retrying.Verdict, enough: bool
) -> None:
    assert says_enough(verdict) is enough
