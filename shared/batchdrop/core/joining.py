"""Answers put back into the order of the input: a result line per request, and an error line per failure."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Annotated

import msgspec

from batchdrop.core import answers, manifest, stream
from batchdrop.core.restoring import restored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

#: Result lines, of successes that follow each other, or that of a failure and its error line; each with its newline.
Joined = tuple[bytes, bytes | None]

#: Requests that are looked up at once, unless they are long: one by one, each takes a fifth longer.
_ROWS = 64
#: Bytes of requests that are held, and of records that are given, at once; one that is longer, by itself.
_TOGETHER = 1 << 18
#: The ordinal of no record, which is a failure.
NONE = -1

_encode = msgspec.json.Encoder().encode


class _Request(msgspec.Struct, gc=False):
    custom_id: str


class _Fine(msgspec.Struct, gc=False):
    status_code: Annotated[int, msgspec.Meta(ge=200, lt=300)]


class _Success(msgspec.Struct, gc=False):
    """As much of a record as tells whose it is, if it is a success as nearly all are; the body is skipped."""

    custom_id: str
    response: _Fine
    error: None = None


_request = msgspec.json.Decoder(_Request).decode
_success = msgspec.json.Decoder(_Success).decode


class Index:
    """Where the record of each custom id stands in a file of records that follow each other, a newline after each.

    Records are told by their ordinals, from 0. About 170 bytes a record: one chunk's worth is held at a time.
    """

    __slots__ = ("_ordinals", "ends", "failures", "find")

    def __init__(self) -> None:
        self._ordinals: dict[str, int] = {}
        self.find = self._ordinals.get  #: the record's ordinal by custom id, or what is given for one without a record
        self.failures = {NONE}
        self.ends = array("q", [0])  #: where the record before the k-th ends, and so where the k-th stands

    def add(self, lines: Iterable[bytes]) -> None:
        """Take records that stand where those before ended. The first of an id counts."""
        number, hold = self._ordinals.setdefault, self.ends.append
        ordinal, end = len(self.ends) - 1, self.ends[-1]
        for line in lines:
            try:
                custom_id = _success(line).custom_id
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                custom_id, success = _judged(line)
                if not success:
                    self.failures.add(ordinal)
            number(custom_id, ordinal)
            ordinal += 1
            end += len(line) + 1
            hold(end)


def _judged(line: bytes) -> tuple[str, bool]:
    answer = answers.read(line)
    return (answer.custom_id, answer.is_success) if answer else ("", False)


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
        find, failures = self._index.find, self._index.failures
        for some in _some(lines):
            ordinals = [find(request.custom_id, NONE) for request in map(_request, some)]
            begin = 0
            for place in [place for place, ordinal in enumerate(ordinals) if ordinal in failures]:
                yield from self._successes(ordinals[begin:place])
                yield self._failure(first_line + place, some[place], ordinals[place])
                begin = place + 1
            yield from self._successes(ordinals[begin:])
            first_line += len(some)

    def _successes(self, ordinals: Iterable[int]) -> Iterator[Joined]:
        """Their records; what is together in the file is read at once."""
        ends, read, held = self._index.ends, list[bytes](), 0
        begin = end = limit = 0
        for ordinal in (*ordinals, NONE):
            if ordinal == end and ends[end] < limit:
                end += 1
                continue
            first, size = ends[begin], ends[end] - ends[begin]
            if read and held + size > _TOGETHER:
                yield b"".join(read), None
                read, held = [], 0
            if size:
                read.append(self._fetch(first, size))
                held += size
            begin, end, limit = ordinal, ordinal + 1, ends[ordinal] + _TOGETHER
        if read:
            yield b"".join(read), None

    def _failure(self, number: int, line: bytes, ordinal: int) -> Joined:
        record = self._record(own_id(line), ordinal)
        return record + b"\n", error_line(number, record, line)

    def staged(self, rows: Iterable[bytes], request: Callable[[int, int], bytes]) -> Iterator[Joined]:
        """Rows of a manifest; ``request`` gives bytes of the staged object."""
        for encoded in rows:
            row = manifest.decode(encoded)
            if isinstance(row, manifest.Refused):
                yield refused(row)
            else:
                yield self._sent(row, request)

    def _sent(self, row: manifest.Sent, request: Callable[[int, int], bytes]) -> Joined:
        ordinal = self._index.find(row.id, NONE)
        record = self._record(row.id, ordinal)
        result = _users(row, record) + b"\n"
        if ordinal not in self._index.failures:
            return result, None
        return result, error_line(row.line, record, _users(row, request(row.first_byte, row.length)))

    def _record(self, custom_id: str, ordinal: int) -> bytes:
        if ordinal != NONE:
            first, end = self._index.ends[ordinal : ordinal + 2]
            return self._fetch(first, end - first)[:-1]
        self.unanswered += 1
        return answers.record(custom_id, *self._reason)


def _some(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    """As many as are looked up at once."""
    some: list[bytes] = []
    size = 0
    for line in lines:
        some.append(line)
        size += len(line)
        if len(some) == _ROWS or size >= _TOGETHER:
            yield some
            some, size = [], 0
    if some:
        yield some


def own_id(line: bytes) -> str:
    """The custom id of a request line."""
    return _request(line).custom_id


def staged_id(row: bytes) -> str:
    """The id that a manifest's row went under; empty if it was refused."""
    decoded = manifest.decode(row)
    return decoded.id if isinstance(decoded, manifest.Sent) else ""


def selected(blocks: Iterable[bytes], wanted: frozenset[str]) -> Iterator[bytes]:
    """The records of these ids, each with its newline."""
    return (line + b"\n" for line in stream.lines(blocks) if _answered(line) in wanted)


def _answered(line: bytes) -> str:
    try:
        return _request(line).custom_id
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _judged(line)[0]


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
