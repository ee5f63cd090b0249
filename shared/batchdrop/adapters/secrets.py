"""The provider's key, from Secrets Manager: bare, or as ``{"api_key": "..."}``."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from batchdrop.adapters.aws import translated
from batchdrop.core.codes import said
from batchdrop.core.errors import Misconfigured

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

TTL = 300  #: seconds; a rotated key is seen after this at the latest, or when the old one is refused
_PLACEHOLDERS = frozenset({"changeme", "placeholder", "replaceme", "todo", "yourapikey", "yourkey", "yourkeyhere"})


class ApiKey:
    """The key, read when it is first needed and kept in memory for ``ttl`` seconds."""

    def __init__(
        self,
        client: SecretsManagerClient,
        arn: str,
        *,
        ttl: float = TTL,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._arn = arn
        self._ttl = ttl
        self._monotonic = monotonic
        self._key: str | None = None
        self._version = ""
        self._read_at = 0.0

    def current(self) -> str:
        """The key. ``Misconfigured("missing_secret")`` where there is none."""
        if self._key is None or self._monotonic() - self._read_at >= self._ttl:
            self._key = self._read()
            self._read_at = self._monotonic()
        return self._key

    def version(self) -> str:
        """The secret's version that holds ``current()``."""
        self.current()
        return self._version

    def renewed(self) -> bool:
        """Read again, after the provider refused the key; whether there is another one now."""
        refused, self._key = self._key, None
        return self.current() != refused

    def _read(self) -> str:
        unknown = {
            "DecryptionFailure": self._missing("its KMS key cannot decrypt it"),
            "InvalidRequestException": self._missing("it is about to be deleted"),
            "ResourceNotFoundException": self._missing("there is no such secret, or it has no value"),
        }
        with translated("Secrets Manager", unknown):
            answer = self._client.get_secret_value(SecretId=self._arn)
        key = _key_in(answer.get("SecretString", ""))
        if not _is_key(key):
            raise Misconfigured(*self._missing("it holds no key"))
        self._version = answer["VersionId"]
        return key

    def _missing(self, why: str) -> tuple[str, str]:
        return said("missing_secret", secret=self._arn, why=why)


def _key_in(text: str) -> str:
    """The key in what the secret holds; empty if there is none."""
    text = text.strip()
    if not text.startswith(("{", '"')):
        return text
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return ""
    key = value.get("api_key") if isinstance(value, dict) else value
    return key.strip() if isinstance(key, str) else ""


def _is_key(key: str) -> bool:
    """Whether it may be a key: one printable word, and not what a template left to be replaced."""
    word = "".join(filter(str.isalnum, key.lower()))
    return key.isascii() and key.isprintable() and " " not in key and bool(word) and word not in _PLACEHOLDERS
