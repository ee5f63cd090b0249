"""Answers put back into the order of the input: a result line per request, and an error line per failure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from batchdrop.core import answers, manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

#: A result line and, for a failure, the error line; each with its newline.
Joined = tuple[bytes, bytes | None]

_encode = msgspec.json.Encoder().encode
_MEMBER = re.compile(rb'[\s{,]*"(?:[^"\\]|\\.)*"\s*:\s*', re.DOTALL)


class _Request(msgspec.Struct, gc=False):
    custom_id: str


class _Status(msgspec.Struct, gc=False):
    status_code: int = 0


class _Glance(msgspec.Struct, gc=False):
    """As much of a record as tells whose it is and whether it is a success; the body is skipped."""

    custom_id: str
    response: _Status | None = None
    error: Any = None


_request = msgspec.json.Decoder(_Request).decode
_glance = msgspec.json.Decoder(_Glance).decode
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Place(NamedTuple):
    """Where a record stands, without its newline, and whether it is a success."""

    first_byte: int
    length: int
    success: bool


class Index:
    """Where the record of each custom id stands in a file of records that follow each other, a newline after each.

    About 250 bytes a record: one chunk's worth is held at a time.
    """

    __slots__ = ("_end", "_places", "find")

    def __init__(self) -> None:
        self._places: dict[str, Place] = {}
        self._end = 0
        self.find = self._places.get  #: by custom id; None if it has no record

    def add(self, lines: Iterable[bytes]) -> None:
        """Take records that stand where those before ended. The first of an id counts."""
        places, at = self._places, self._end
        for line in lines:
            size = len(line)
            custom_id, success = _judged(line)
            if custom_id not in places:
                places[custom_id] = Place(at, size, success)
            at += size + 1
        self._end = at


def _judged(line: bytes) -> tuple[str, bool]:
    try:
        seen = _glance(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        answer = answers.read(line)
        return (answer.custom_id, answer.is_success) if answer else ("", False)
    response = seen.response
    fine = seen.error is None and response is not None and 200 <= response.status_code < 300  # noqa: PLR2004
    return seen.custom_id, fine


class Joiner:
    """Joins one chunk. ``fetch`` gives bytes of the file that ``index`` is of, by place and length.

    ``unanswered``: why a request may have no record at all, as code and reason. Counts how many had none.
    """

    def __init__(self, index: Index, fetch: Callable[[int, int], bytes], unanswered: tuple[str, str]) -> None:
        self._index = index
        self._fetch = fetch
        self._reason = unanswered
        self.unanswered = 0

    def turn_to(self, index: Index) -> None:
        """Go on with another index, of what the file holds from now on."""
        self._index = index

    def clean(self, lines: Iterable[bytes], first_line: int) -> Iterator[Joined]:
        """Lines of the user's own object, none of them blank; ``first_line`` is the number of the first, from 1."""
        find, fetch = self._index.find, self._fetch
        for number, line in enumerate(lines, first_line):
            custom_id = _request(line).custom_id
            place = find(custom_id)
            if place is not None and place[2]:
                yield fetch(place[0], place[1] + 1), None
            else:
                record = self._record(custom_id, place)
                yield record + b"\n", error_line(number, record, line)

    def staged(self, rows: Iterable[bytes], request: Callable[[int, int], bytes]) -> Iterator[Joined]:
        """Rows of a manifest; ``request`` gives bytes of the staged object."""
        for encoded in rows:
            row = manifest.decode(encoded)
            if isinstance(row, manifest.Refused):
                yield refused(row)
            else:
                yield self._sent(row, request)

    def _sent(self, row: manifest.Sent, request: Callable[[int, int], bytes]) -> Joined:
        place = self._index.find(row.id)
        record = self._record(row.id, place)
        result = _users(row, record) + b"\n"
        if place is not None and place.success:
            return result, None
        return result, error_line(row.line, record, _users(row, request(row.first_byte, row.length)))

    def _record(self, custom_id: str, place: Place | None) -> bytes:
        if place is not None:
            return self._fetch(place.first_byte, place.length)
        self.unanswered += 1
        return answers.record(custom_id, *self._reason)


def own_id(line: bytes) -> str:
    """The custom id of a request line."""
    return _request(line).custom_id


def staged_id(row: bytes) -> str:
    """The id that a manifest's row went under; empty if it was refused."""
    decoded = manifest.decode(row)
    return decoded.id if isinstance(decoded, manifest.Sent) else ""


def selected(blocks: Iterable[bytes], wanted: frozenset[str]) -> Iterator[bytes]:
    """The records of these ids, each with its newline."""
    return (line + b"\n" for line in answers.lines(blocks) if _judged(line)[0] in wanted)


def error_line(number: int, record: bytes, request: bytes) -> bytes:
    """The line of ``errors.jsonl`` for a record that is a failure; ``request`` goes in as it stands."""
    answer = answers.read(record)
    code, reason = answer.fault if answer else ("unreadable", "The record of this request cannot be read.")
    return b"".join((_about(number, code, reason), b',"request":', request.strip(), b"}\n"))


def refused(row: manifest.Refused) -> Joined:
    """A line that never went out: its result and its error."""
    error = _encode({"code": row.code, "message": row.reason})
    result = b"".join((b'{"id":null,"custom_id":', bytes(row.custom_id), b',"response":null,"error":', error, b"}\n"))
    about = _about(row.line, row.code, row.reason)
    if row.raw is not None:
        return result, b"".join((about, b',"raw":', _encode(row.raw), b"}\n"))
    return result, b"".join((about, b',"request":', bytes(row.request), b"}\n"))


def _about(number: int, code: str, reason: str) -> bytes:
    return _encode({"line": number, "code": code, "reason": reason})[:-1]


def _users(row: manifest.Sent, line: bytes) -> bytes:
    """The line under the id that the user gave."""
    return restored(line, row.id, bytes(row.original)) if row.mapped else line


def restored(line: bytes, mapped_id: str, original: bytes) -> bytes:
    """The JSON object with ``original`` as the value of its own ``custom_id``, every other byte kept."""
    try:
        first, end = _value_of_id(line)
    except (ValueError, msgspec.MsgspecError, RecursionError):
        # Not quite JSON (NaN, a lone surrogate): our ids are distinct enough to be found by their text.
        return line.replace(_encode(mapped_id), original, 1)
    return b"".join((line[:first], original, line[end:]))


def _value_of_id(line: bytes) -> tuple[int, int]:
    """Where the value stands. Members are walked from the front: the body may hold a ``custom_id`` too."""
    at = 0
    for name, raw in _members(line).items():
        member, value = _MEMBER.match(line, at), bytes(raw)
        if member is None or not line.startswith(value, member.end()):
            break
        at = member.end() + len(value)
        if name == "custom_id":
            return member.end(), at
    raise ValueError("no custom_id of its own")
