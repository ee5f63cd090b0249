"""A result line under the id that its user gave, where the request went under one of ours."""

from __future__ import annotations

import re

import msgspec

_MEMBER = re.compile(rb'[\s{,]*"(?:[^"\\]|\\.)*"\s*:\s*', re.DOTALL)

_encode = msgspec.json.Encoder().encode
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


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
