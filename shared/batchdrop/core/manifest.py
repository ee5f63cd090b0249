"""What became of each line of a staged chunk, in input order: one JSON array per non-blank line.

Written by the plan beside the chunk's staged requests, read by the join. A chunk whose lines go out untouched has none.
"""

from __future__ import annotations

import msgspec


class Sent(msgspec.Struct, frozen=True, array_like=True, tag="sent"):
    """A request that goes to the provider.

    ``line``: physical line of the input, from 1. ``id``: the custom id that it goes under, unique in the chunk.
    ``first_byte``, ``length``: where its line stands in the staged object, without the newline.
    ``mapped``: the id is ours; ``original`` is then the JSON value that the user wrote (``null`` if there was none).
    """

    line: int
    id: str
    first_byte: int
    length: int
    mapped: bool = False
    original: msgspec.Raw = msgspec.Raw(b"null")


class Refused(msgspec.Struct, frozen=True, array_like=True, tag="refused"):
    """A line that is no request, and why.

    ``custom_id``: the JSON value that the user wrote, ``null`` if none could be read. ``request``: the user's line
    where it is a JSON object, else ``null`` and ``raw`` holds the start of its text (at most 4 kB).
    """

    line: int
    code: str
    reason: str
    custom_id: msgspec.Raw = msgspec.Raw(b"null")
    request: msgspec.Raw = msgspec.Raw(b"null")
    raw: str | None = None


Row = Sent | Refused

_DECODER: msgspec.json.Decoder[Row] = msgspec.json.Decoder(Row)
_ENCODER = msgspec.json.Encoder()


def encode(row: Row) -> bytes:
    """The row as one line, with its newline."""
    return _ENCODER.encode(row) + b"\n"


def decode(line: bytes) -> Row:
    return _DECODER.decode(line)
