"""What people write that is no JSON, told by where the parser stopped: the reason can then say what to do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from batchdrop.core.codes import said

if TYPE_CHECKING:
    import msgspec

_PLACE = re.compile(r"\(byte (\d+)\)$")
#: What stands where the parser stopped, as group 1 where the text names it; and the text. The first that fits.
MISTAKES = (
    (re.compile(rb"\s*,\s*\Z"), "invalid_json_line.comma"),
    (re.compile(rb"('|\xe2\x80[\x98-\x9d])"), "invalid_json_line.quote"),
    (re.compile(rb"([+-]?(?:NaN|Infinity|inf|nan)|True|False|None|undefined)\b"), "invalid_json_line.word"),
    (re.compile(rb"#|//|/\*"), "invalid_json_line.comment"),
    (re.compile(rb"[\x00-\x1f]"), "invalid_json_line.control"),
)
_NEXT = re.compile(rb"\s*\{")


def reason(line: bytes | bytearray, error: msgspec.DecodeError) -> tuple[str, str]:
    """Code and reason of a line that is no JSON; of the line, it quotes a word or a quotation mark at the most."""
    detail = str(error).removeprefix("JSON is malformed: ")
    if detail == "Input data was truncated":
        return said("invalid_json_line", detail="it is cut short")
    place = _PLACE.search(detail)
    at = int(place[1]) if place else len(line)
    if is_behind := detail.startswith("trailing characters"):
        at -= 1  # it has taken the first of them
    if is_behind and _NEXT.match(line, at):
        return said("invalid_json_line.several", at=at)
    for pattern, name in MISTAKES:
        if found := pattern.match(line, at):
            return said(name, at=at, what=found[1].decode() if pattern.groups else "")
    return said("invalid_json_line", detail=detail)
