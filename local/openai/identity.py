"""Identifiers and choices that depend on the seed alone."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections import Counter

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class Ids:
    """Issues ids in OpenAI's shapes; the same salt gives the same ids in the same order."""

    def __init__(self, salt: str) -> None:
        self._salt = salt
        self._issued: Counter[str] = Counter()

    def file(self) -> str:
        """``file-`` and 22 letters and digits."""
        return "file-" + _base62(self._next("file"), 22)

    def batch(self) -> str:
        """``batch_`` and 32 hexadecimal digits."""
        return "batch_" + self._next("batch").hex()[:32]

    def request(self) -> str:
        """The value of ``x-request-id``."""
        return "req_" + self._next("request").hex()[:32]

    def other(self, prefix: str) -> str:
        """``prefix`` and 32 hexadecimal digits: an id of any other kind."""
        return prefix + self._next(prefix).hex()[:32]

    def secret(self) -> str:
        """A signing secret of webhooks: ``whsec_`` and 32 bytes in base64."""
        return "whsec_" + b64encode(self._next("secret")).decode()

    def _next(self, kind: str) -> bytes:
        self._issued[kind] += 1
        return digest(self._salt, kind, self._issued[kind])


def digest(*parts: object) -> bytes:
    """32 bytes that depend on ``parts`` alone."""
    return hashlib.sha256("\x1f".join(map(str, parts)).encode("utf-8", "surrogatepass")).digest()


def chance(rate: float, *parts: object) -> bool:
    """True for a share ``rate`` (0..1) of all ``parts``, always the same for the same ones."""
    return rate >= 1.0 or int.from_bytes(digest(*parts)[:8]) < rate * 2**64


def _base62(raw: bytes, length: int) -> str:
    return "".join(_BASE62[byte % 62] for byte in raw[:length])
