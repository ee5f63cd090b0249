"""Writing a request's line anew where the API would not take it: all but the id and the method stays, byte for byte."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from batchdrop.core.request import NULL

_FIELDS = msgspec.json.Decoder(dict[str, Raw])
_POST = Raw(b'"POST"')


class _Id(msgspec.Struct, gc=False):
    custom_id: Raw = NULL


_ID = msgspec.json.Decoder(_Id)


def original_id(text: Raw | bytes | bytearray) -> Raw:
    """The JSON value of ``custom_id`` as it stands there; ``null`` if it is missing."""
    return _ID.decode(text).custom_id.copy()


def rewritten(text: Raw | bytes | bytearray, custom_id: str | None) -> list[bytes | memoryview]:
    """The line in pieces, which view ``text``: a long one is not copied. ``custom_id`` None: its own stays."""
    fields = _FIELDS.decode(text)
    if custom_id is not None:
        mapped = Raw(msgspec.json.encode(custom_id))
        fields = {"custom_id": mapped} | fields | {"custom_id": mapped}
    pieces: list[bytes | memoryview] = []
    for name, value in (fields | {"method": _POST}).items():
        pieces += [b"," if pieces else b"{", msgspec.json.encode(name), b":", memoryview(value)]
    return [*pieces, b"}"]
