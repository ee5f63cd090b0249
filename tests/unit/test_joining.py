"""Putting answers into order."""

from __future__ import annotations

import json
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batchdrop.core import answers, joining, manifest
from batchdrop.core.joining import Index, Joiner


def indexed(*records: bytes) -> tuple[Index, bytes]:
    index = Index()
    index.add(records)
    return index, b"".join(record + b"\n" for record in records)


def joiner(*records: bytes) -> Joiner:
    index, held = indexed(*records)
    return Joiner(index, lambda first, length: held[first : first + length], ("not_answered", "given up"))


def success(custom_id: str) -> bytes:
    return json.dumps({"custom_id": custom_id, "response": {"status_code": 200}, "error": None}).encode()


def test_the_first_record_of_an_id_counts() -> None:
    index, _ = indexed(success("a"), answers.record("a", "x", "y"), success("b"))

    assert [index.find(custom_id, joining.NONE) for custom_id in "abc"] == [0, 2, joining.NONE]
    assert index.failures == {joining.NONE, 1}
    size, other = len(success("a")) + 1, len(answers.record("a", "x", "y")) + 1
    assert list(index.ends) == [0, size, size + other, size + other + size]


@pytest.mark.parametrize(
    ("line", "failed"),
    [
        (b'{"custom_id":"a","response":{"status_code":200,"body":{"error":{"code":"x"}}},"error":null}', False),
        (b'{"custom_id":"a","response":{"status_code":200}}', False),
        (b'{"custom_id":"a","response":{"status_code":200},"error":{"code":"x"}}', True),
        (b'{"custom_id":"a","response":{"status_code":422},"error":null}', True),
        (b'{"custom_id":"a","response":null,"error":null}', True),
        (b'{"custom_id":"a","response":{"status_code":200,"body":NaN},"error":null}', False),
    ],
)
def test_the_index_judges_a_record_as_the_fetch_did(line: bytes, failed: bool) -> None:
    index, _ = indexed(line)
    answer = answers.read(line)

    assert index.find("a", joining.NONE) == 0
    assert (0 in index.failures) is failed
    assert answer is not None
    assert answer.is_success is not failed


@given(st.permutations([f"r{number}" for number in range(12)]))
def test_results_stand_in_the_order_of_the_input_whatever_the_order_of_the_answers(order: list[str]) -> None:
    lines = [json.dumps({"custom_id": f"r{number}", "n": number}).encode() for number in range(12)]

    joined = list(joiner(*map(success, order)).clean(lines, 1))

    assert b"".join(result for result, _ in joined) == b"".join(success(f"r{number}") + b"\n" for number in range(12))
    assert not any(error for _, error in joined)


@given(
    order=st.permutations(range(12)),
    missing=st.sets(st.integers(0, 11)),
    failed=st.sets(st.integers(0, 11)),
    together=st.integers(1, 400),
    rows=st.integers(1, 13),
)
@example(order=list(range(12)), missing=set(), failed=set(), together=1, rows=13)
def test_what_is_read_together_is_what_would_be_read_one_by_one(
    order: list[int], missing: set[int], failed: set[int], together: int, rows: int
) -> None:
    lines = [json.dumps({"custom_id": f"r{number}"}).encode() for number in range(12)]
    records = {
        number: answers.record(f"r{number}", "refused", "no") if number in failed else success(f"r{number}")
        for number in order
        if number not in missing
    }

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(joining, "_TOGETHER", together)
        patch.setattr(joining, "_ROWS", rows)
        joined = list(joiner(*records.values()).clean(lines, 1))

    unanswered = [answers.record(f"r{number}", "not_answered", "given up") for number in range(12)]
    assert b"".join(result for result, _ in joined).splitlines() == [
        records.get(number, unanswered[number]) for number in range(12)
    ]
    told = [json.loads(error)["line"] for _, error in joined if error is not None]
    assert told == [number + 1 for number in range(12) if number in missing | failed]
    assert max(len(result) for result, _ in joined) < 2 * (together + 100)


def test_of_long_requests_no_more_are_held_than_of_short_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "_TOGETHER", 1_000)
    taken = 0

    def lines() -> Iterator[bytes]:
        nonlocal taken
        for number in range(20):
            taken += 1
            yield json.dumps({"custom_id": f"r{number}", "text": "x" * 400}).encode()

    join = joiner(*(success(f"r{number}") for number in range(20))).clean(lines(), 1)
    next(join)
    assert taken == 3


def test_a_long_record_is_given_as_it_was_read_and_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "_TOGETHER", 1_000)
    long = success("a")[:-1] + b',"text":"' + b"x" * 2_000 + b'"}'
    records = {"a": long, "c": success("c"), "b": success("b")}
    lines = [json.dumps({"custom_id": name}).encode() for name in ("c", "a", "b")]
    joined = [result for result, _ in joiner(*records.values()).clean(lines, 1)]
    assert joined == [records[name] + b"\n" for name in ("c", "a", "b")]


def test_a_request_without_a_record_is_counted_and_reported() -> None:
    joined = joiner(success("a"))
    [_, (result, error)] = list(joined.clean([b'{"custom_id":"a"}', b'{"custom_id":"b", "x":1.0}'], 7))

    assert joined.unanswered == 1
    assert json.loads(result)["error"]["code"] == "not_answered"
    assert error == b'{"line":8,"code":"not_answered","reason":"given up","request":{"custom_id":"b", "x":1.0}}\n'


def test_text_that_was_no_json_is_reported_raw() -> None:
    row = manifest.Refused(3, "invalid_json", "No.", raw='{"a":\u2028')

    result, error = joining.refused(manifest.decode(manifest.encode(row)))  # type: ignore[arg-type]

    assert json.loads(result)["custom_id"] is None
    assert error is not None
    assert json.loads(error) == {"line": 3, "code": "invalid_json", "reason": "No.", "raw": '{"a":\u2028'}


def test_a_mapped_request_gets_its_own_id_back_in_result_and_error() -> None:
    staged = b'{"custom_id":"bd.000001","body":{}}\n'
    row = manifest.Sent(4, "bd.000001", 0, len(staged) - 1, mapped=True, original=msgspec.Raw(b"[1, 2]"))
    record = answers.record("bd.000001", "x", "y")

    [(result, error)] = joiner(record).staged(
        [manifest.encode(row)], lambda first, length: staged[first : first + length]
    )

    assert result == record.replace(b'"bd.000001"', b"[1, 2]") + b"\n"
    assert error is not None
    assert json.loads(error)["request"] == {"custom_id": [1, 2], "body": {}}
