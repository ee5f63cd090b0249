"""What the provider answers, read without trust: any field may be missing, null or of another type."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from batchdrop.core import discretion
from batchdrop.core.text import with_whole_characters
from batchdrop.ports import BatchPage, LineError, RemoteBatch

PAGE = 100
MESSAGE_CHARACTERS = 1_000
UNKNOWN = "unknown"  #: status or code where the provider gave none that is a word


def as_object(content: bytes) -> dict[str, Any]:
    """The JSON object of a body; empty where it is anything else."""
    try:
        return _object(msgspec.json.decode(content))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        whole = with_whole_characters(content)
    return {} if whole == content else as_object(whole)


def batch(value: object) -> RemoteBatch | None:
    """A batch; None where it has no id."""
    shown = _object(value)
    if not (batch_id := _text(shown.get("id"))):
        return None
    counts = _object(shown.get("request_counts"))
    return RemoteBatch(
        id=batch_id,
        status=discretion.word(shown.get("status")).lower() or UNKNOWN,
        input_file_id=_text(shown.get("input_file_id")),
        created_at=_moment(shown.get("created_at")),
        completed=_count(counts.get("completed")),
        failed=_count(counts.get("failed")),
        output_file_id=_text(shown.get("output_file_id")) or None,
        error_file_id=_text(shown.get("error_file_id")) or None,
        errors=_errors(shown.get("errors")),
        metadata={name: text for name, text in _object(shown.get("metadata")).items() if isinstance(text, str)},
    )


def page(answer: dict[str, Any]) -> BatchPage | None:
    """A page of the list; None where it is none. Entries without an id are left out."""
    entries = answer.get("data")
    if not isinstance(entries, list):
        return None
    batches = tuple(found for found in map(batch, entries) if found)
    more = answer.get("has_more")
    if not isinstance(more, bool):
        more = len(entries) >= PAGE
    return BatchPage(batches, batches[-1].id if more and batches else None)


def _errors(value: object) -> tuple[LineError, ...]:
    if isinstance(value, str) and value:
        return (LineError(UNKNOWN, value[:MESSAGE_CHARACTERS]),)
    entries = _object(value).get("data") if isinstance(value, dict) else value
    return tuple(map(_error, entries)) if isinstance(entries, list) else ()


def _error(value: object) -> LineError:
    shown = _object(value)
    line = shown.get("line")
    return LineError(
        code=discretion.word(shown.get("code")) or UNKNOWN,
        message=_text(shown.get("message"))[:MESSAGE_CHARACTERS],
        line=line if type(line) is int and line > 0 else None,
    )


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _count(value: object) -> int:
    return value if type(value) is int and value > 0 else 0


def _moment(value: object) -> int:
    """Unix seconds from a number, its text, or an ISO 8601 time; 0 where it is none of them."""
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            value = float(value) if value.replace(".", "", 1).isdecimal() else 0
        else:
            value = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return int(value) if isinstance(value, int | float) and 0 <= value < 2**40 else 0
