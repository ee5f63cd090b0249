"""Whatever a provider answers, reading it never fails, and what is not there is left out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.adapters import openai_shapes
from batchdrop.ports import LineError, RemoteBatch

FIELDS = ["id", "status", "created_at", "request_counts", "errors", "metadata", "output_file_id", "data", "has_more"]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
KEYS = st.sampled_from([*FIELDS, "total", "completed", "failed", "code", "message", "line"]) | st.text(max_size=3)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6))


@given(JSON)
def test_no_answer_is_too_strange_to_be_read(value: object) -> None:
    found = openai_shapes.batch(value)
    if found is not None:
        assert found.id
        assert found.output_file_id != ""
    openai_shapes.page(value if isinstance(value, dict) else {"data": value})


@given(st.binary(max_size=50))
def test_no_body_is_too_strange_to_be_read(content: bytes) -> None:
    assert isinstance(openai_shapes.as_object(content), dict)


def test_a_body_that_is_nested_too_deeply_is_no_object() -> None:
    assert openai_shapes.as_object(b'{"a":' * 100_000) == {}


def test_half_a_character_in_one_batchs_error_hides_no_other_batch() -> None:
    halves = rb'{"data": [{"id": "b", "errors": [{"message": "\udc00 \ud83c\udf89 \\ud83d \ud83c"}]}, {"id": "c"}]}'
    page = openai_shapes.page(openai_shapes.as_object(halves))
    assert page is not None
    assert [found.id for found in page.batches] == ["b", "c"]
    assert page.batches[0].errors[0].message == "\ufffd \U0001f389 \\ud83d \ufffd"


def batch(**fields: object) -> RemoteBatch:
    found = openai_shapes.batch({"id": "batch_1"} | fields)
    assert found is not None
    return found


def test_all_that_a_batch_needs_is_an_id() -> None:
    assert batch() == RemoteBatch(id="batch_1", status="unknown", input_file_id="", created_at=0)
    nameless: object
    for nameless in ({}, {"id": None}, {"id": ""}, {"id": 7}, [], None, "batch_1"):
        assert openai_shapes.batch(nameless) is None


def test_statuses_come_in_lower_case() -> None:
    assert batch(status="VALIDATING").status == "validating"


@pytest.mark.parametrize("absent", [None, "", 7, {}, False])
def test_a_file_id_that_is_none_or_no_text_is_none(absent: object) -> None:
    found = batch(output_file_id=absent, error_file_id=absent)
    assert (found.output_file_id, found.error_file_id) == (None, None)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (1_795_348_800, 1_795_348_800),
        (1_795_348_800.9, 1_795_348_800),
        ("1795348800", 1_795_348_800),
        ("2026-11-22T12:00:00Z", 1_795_348_800),
        ("2026-11-22T12:00:00", 1_795_348_800),
        (None, 0),
        ("yesterday", 0),
        (float("nan"), 0),
        (-1, 0),
    ],
)
def test_times_are_read_as_numbers_texts_or_dates(value: object, seconds: int) -> None:
    assert batch(created_at=value).created_at == seconds


def test_counts_that_are_no_numbers_are_zero() -> None:
    assert batch(request_counts={"completed": 4, "failed": None}).completed == 4
    assert batch(request_counts={"completed": 4, "failed": None}).failed == 0
    assert batch(request_counts=None).completed == 0


def test_errors_are_read_in_every_form() -> None:
    entry = {"code": "invalid_url", "message": "The URL", "line": 3, "param": "url"}
    assert batch(errors={"data": [entry]}).errors == (LineError("invalid_url", "The URL", 3),)
    assert batch(errors=[entry]).errors == (LineError("invalid_url", "The URL", 3),)
    assert batch(errors={"data": [{"line": 0}, None]}).errors == (LineError("unknown", ""), LineError("unknown", ""))
    assert batch(errors="boom").errors == (LineError("unknown", "boom"),)
    assert batch(errors={"data": None}).errors == ()


def test_metadata_that_is_no_text_is_left_out() -> None:
    assert batch(metadata={"stack": "s", "claim": 3}).metadata == {"stack": "s"}


def test_a_page_without_has_more_goes_on_while_it_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_shapes, "PAGE", 2)
    full = openai_shapes.page({"data": [{"id": "b2"}, {"id": "b1"}]})
    last = openai_shapes.page({"data": [{"id": "b0"}]})
    assert full is not None
    assert last is not None
    assert (full.cursor, last.cursor) == ("b1", None)


def test_a_page_that_claims_more_but_shows_nothing_is_the_last() -> None:
    page = openai_shapes.page({"data": [], "has_more": True})
    assert page is not None
    assert page.cursor is None
    assert openai_shapes.page({"data": "none"}) is None


def test_words_that_go_into_the_table_are_cut() -> None:
    found = openai_shapes.batch({"id": "b", "status": "S" * 10_000, "errors": {"data": [{"code": "c" * 10_000}]}})
    assert found
    assert (len(found.status), len(found.errors[0].code)) == (100, 100)
