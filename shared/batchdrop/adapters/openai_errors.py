"""The provider's refusals in our words, in one table. Codes and texts: the Batch API as seen live, 2025 and 2026."""

from __future__ import annotations

import email.utils
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchdrop.core import discretion
from batchdrop.core.codes import said
from batchdrop.core.errors import BatchdropError, Misconfigured, OutcomeUnknown, Rejected, RetryLater

if TYPE_CHECKING:
    from openai import APIConnectionError, APIStatusError

REASON_CHARACTERS = 500
_DAY = 86_400
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _TOO_MANY = 401, 403, 404, 429
_OK, _REDIRECT, _CLIENT_ERROR, _SERVER_ERROR = 200, 300, 400, 500
#: A timeout and a conflict say nothing about what became of the call.
_VAGUE = frozenset({408, 409})
_NO_MONEY = frozenset({"billing_hard_limit_reached", "billing_not_active", "insufficient_quota"})
_NO_ROOM = frozenset({"request_limit_exceeded", "token_limit_exceeded"})
_NO_FILE = ("cannot find file", "file not found", "no such file", "could not find file")


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer above 299, as the provider gave it. ``readable``: its body was a JSON object, so an API spoke.

    ``about``: the parameter and the request's id, where it names them.
    """

    status: int
    code: str
    message: str
    about: tuple[str, ...] = ()
    after: float | None = None
    readable: bool = True
    creating: bool = False

    @property
    def definite(self) -> bool:
        """Whether it proves that the call had no effect."""
        return _CLIENT_ERROR <= self.status < _SERVER_ERROR and self.status not in _VAGUE

    @property
    def says_no_file(self) -> bool:
        text = self.message.lower()
        return self.creating and (self.status == _NOT_FOUND or any(words in text for words in _NO_FILE))

    @property
    def is_of_another_server(self) -> bool:
        """Whether this path is not served at all: a wrong base URL, which must never pass for "no such batch"."""
        return self.status in (_NOT_FOUND, 405) and (
            not self.readable
            or self.code == "unknown_url"
            or self.message == "Not Found"
            or self.message.startswith("Invalid URL")
        )

    @property
    def reason(self) -> str:
        said = discretion.kept(self.message) if self.message else "no reason given"
        return f"{said} ({', '.join((f'HTTP {self.status}', *self.about))})"

    def rejected(self) -> Rejected:
        return Rejected(self.code or f"http_{self.status}", self.reason)

    def later(self, code: str | None = None) -> RetryLater:
        return RetryLater(f"the provider answered {self.reason}", code=code or self.code or "busy", after=self.after)


Rule = tuple[Callable[[Refusal], bool], Callable[[Refusal], BatchdropError]]

#: The first rule that fits counts.
RULES: tuple[Rule, ...] = (
    (
        # Its text repeats the key, so we say it ourselves.
        lambda it: it.status == _UNAUTHORIZED,
        lambda _: Misconfigured(*said("invalid_api_key")),
    ),
    (
        lambda it: it.code in _NO_MONEY,
        lambda it: Misconfigured(*said(it.code, message=discretion.kept(it.message).rstrip("."))),
    ),
    (
        lambda it: it.status == _FORBIDDEN,
        lambda it: Misconfigured(*said("permission_denied", message=it.reason)),
    ),
    (
        lambda it: it.is_of_another_server or _REDIRECT <= it.status < _CLIENT_ERROR,
        lambda it: Misconfigured(*said("wrong_base_url", status=it.status)),
    ),
    (lambda it: it.code in _NO_ROOM, lambda it: it.later()),
    (lambda it: "token_limit_exceeded" in it.message, lambda it: it.later("token_limit_exceeded")),
    (lambda it: it.message.startswith("Enqueued token limit"), lambda it: it.later("token_limit_exceeded")),
    (lambda it: it.message.startswith("Enqueued request limit"), lambda it: it.later("request_limit_exceeded")),
    (lambda it: it.status == _TOO_MANY, lambda it: it.later()),
    # We hold the 200 of its upload: it is not everywhere yet.
    (lambda it: it.says_no_file, lambda it: it.later("file_not_found")),
    (lambda it: not it.definite, lambda it: it.later()),
    (lambda _: True, lambda it: it.rejected()),
)


def translate(refusal: Refusal) -> BatchdropError:
    """Our error. A creating call that was not refused for sure is ``OutcomeUnknown``."""
    if refusal.creating and not refusal.definite:
        return OutcomeUnknown(f"the provider answered {refusal.reason}")
    return next(make(refusal) for fits, make in RULES if fits(refusal))


@contextmanager
def translated(*, creating: bool = False) -> Iterator[None]:
    """Raise ours for the SDK's. Theirs is dropped: it holds the request."""
    from openai import APIConnectionError, APIStatusError  # noqa: PLC0415 - an API call follows

    try:
        yield
    except APIStatusError as error:
        raise translate(refusal_of(error, creating=creating)) from None
    except APIConnectionError as error:
        raise _lost(error, creating=creating) from None


def _lost(error: APIConnectionError, *, creating: bool) -> BatchdropError:
    import httpx2  # noqa: PLC0415 - comes with the SDK

    why = f"the provider cannot be reached: {type(error.__cause__ or error).__name__}"
    never_sent = isinstance(error.__cause__, httpx2.ConnectError | httpx2.ConnectTimeout)
    return OutcomeUnknown(why) if creating and not never_sent else RetryLater(why, code="unreachable")


def refusal_of(error: APIStatusError, *, creating: bool = False) -> Refusal:
    """What the SDK's error says. Bodies of other servers (a proxy's HTML) are left out."""
    body: Any = error.body
    if not isinstance(body, dict):
        body, readable = {"message": body if isinstance(body, str) and "<" not in body else ""}, False
    else:
        readable = True
    return Refusal(
        status=error.status_code,
        code=discretion.word(body.get("code")) or discretion.word(body.get("type")),
        message=_text(body.get("message") or body.get("detail"))[:REASON_CHARACTERS],
        about=tuple(_about(body.get("param"), error.response.headers.get("x-request-id"))),
        after=retry_after(error.response.headers),
        readable=readable,
        creating=creating,
    )


def _about(parameter: object, request_id: object) -> Iterator[str]:
    if name := discretion.parameter(parameter):
        yield f"parameter {name}"
    if id_ := discretion.request_id(request_id):
        yield f"request {id_}"


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that the provider asks for, between 0 and a day; None if it does not ask."""
    for name, unit in (("retry-after-ms", 1000), ("retry-after", 1)):
        try:
            seconds = float(headers.get(name, "")) / unit
        except ValueError:
            continue
        return min(max(seconds, 0.0), _DAY) if math.isfinite(seconds) else None
    try:
        moment = email.utils.parsedate_to_datetime(headers.get("retry-after", ""))
    except ValueError:
        return None
    return min(max(moment.timestamp() - time.time(), 0.0), _DAY)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
