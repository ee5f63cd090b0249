"""Object metadata travels as HTTP headers: text that is no plain ASCII goes as S3 itself returns it, by RFC 2047."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from email.errors import HeaderParseError
from email.header import decode_header, make_header

_MARK = "=?"


def to_headers(metadata: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value if _is_plain(value) else _encoded(value) for name, value in metadata.items()}


def from_headers(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): _decoded(value) for name, value in headers.items()}


def _is_plain(value: str) -> bool:
    return value.isascii() and (value.isprintable() or not value) and value == value.strip() and _MARK not in value


def _encoded(value: str) -> str:
    # One word, however long: only mail needs it folded.
    return f"=?UTF-8?B?{base64.b64encode(value.encode()).decode()}?="


def _decoded(value: str) -> str:
    if _MARK not in value:
        return value
    try:
        return str(make_header(decode_header(value)))
    except (HeaderParseError, LookupError, UnicodeDecodeError):
        return value
