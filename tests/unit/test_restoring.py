"""Restoring the user's ids."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.core.restoring import restored

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    before=st.dictionaries(st.text(max_size=6).filter(lambda name: name != "custom_id"), JSON, max_size=3),
    after=st.dictionaries(st.text(max_size=6).filter(lambda name: name != "custom_id"), JSON, max_size=3),
    original=JSON,
    compact=st.booleans(),
)
def test_restoring_an_id_changes_that_value_alone(
    before: dict[str, Any], after: dict[str, Any], original: Any, compact: bool
) -> None:
    separators = (",", ":") if compact else (" ,\t", " : ")
    value = {**before, "custom_id": "bd.000001", **{name: v for name, v in after.items() if name not in before}}
    line = json.dumps(value, separators=separators).encode()
    wanted = json.dumps(value | {"custom_id": "@@"}, separators=separators).encode()
    new = json.dumps(original).encode()

    assert restored(line, "bd.000001", new) == wanted.replace(b'"@@"', new, 1)


@pytest.mark.parametrize(
    "line",
    [
        b'{"body":{"custom_id":"bd.000001"},"custom_id":"bd.000001"}',
        b'{"body":"{\\"custom_id\\":\\"bd.000001\\"}" , "custom_id" :  "bd.000001"}',
        b'{"id":"bd.000001","x":["custom_id","bd.000001"],"custom_id":"bd.000001"}',
        b'{"esc\\"aped\\\\":1,"custom_id":"bd.000001"}',
    ],
)
def test_an_id_inside_the_body_is_not_taken_for_the_lines_own(line: bytes) -> None:
    head, _, tail = line.rpartition(b'"bd.000001"')

    assert restored(line, "bd.000001", b'"mine"') == head + b'"mine"' + tail


def test_an_id_is_restored_in_a_line_that_is_not_quite_json() -> None:
    line = b'{"custom_id":"bd.000001","x":NaN}'

    assert restored(line, "bd.000001", b"null") == b'{"custom_id":null,"x":NaN}'
