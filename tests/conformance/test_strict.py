"""The strict eye itself: what it would see."""

from __future__ import annotations

from typing import Any

import httpx2
import msgspec
import pytest
from pydantic import ValidationError

from tests.conformance.strict import Watch

URL = "https://api.test/v1"
FILE: dict[str, Any] = {
    "id": "file-x",
    "object": "file",
    "bytes": 3,
    "created_at": 1,
    "filename": "a.jsonl",
    "purpose": "batch",
    "status": "processed",
}


def reply(body: object, status: int = 200, path: str = "/files/file-x") -> httpx2.Response:
    request = httpx2.Request("GET", URL + path)
    return httpx2.Response(status, content=msgspec.json.encode(body), request=request)


def test_a_sound_reply_passes() -> None:
    watch = Watch(URL)
    watch(reply(FILE))
    assert (watch.validated, watch.drift) == (1, set())


@pytest.mark.parametrize(
    "change", [{"bytes": "3"}, {"created_at": 1.5}, {"object": "fil"}, {"status": "PROCESSED"}, {"id": None}]
)
def test_a_field_of_another_type_or_value_does_not(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Watch(URL)(reply(FILE | change))


def test_neither_does_an_error_that_is_no_envelope() -> None:
    with pytest.raises(ValidationError):
        Watch(URL)(reply({"message": "no"}, 404))


def test_a_new_field_is_drift_at_any_depth() -> None:
    watch = Watch(URL)
    page = {"object": "list", "data": [FILE | {"shape": 1}], "first_id": "x", "last_id": "x", "has_more": False}
    watch(reply(page | {"total": 1}, path="/files"))
    assert watch.drift == {"FileList.total", "FileObject.shape"}


def test_a_path_that_nobody_has_a_model_for_is_an_error() -> None:
    with pytest.raises(StopIteration):
        Watch(URL)(reply({}, path="/models"))
