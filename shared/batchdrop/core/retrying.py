"""What happens to a batch that the provider refused as a whole, decided by the error codes.

Codes and texts were pasted from live replies by third parties, 2025-08 to 2026-04. An unknown code is not an error of
ours: the batch is halved until the request at fault stands nearly alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from batchdrop.core import allowance, discretion
from batchdrop.core.codes import said
from batchdrop.core.text import has_number_beyond_double

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

#: Room, rate or the provider's own trouble: the same batch may pass later.
PASSING = frozenset(
    {
        "token_limit_exceeded",
        "request_limit_exceeded",
        "rate_limit_exceeded",
        "too_many_requests",
        "server_error",
        "internal_error",
        "internal_server_error",
        "service_unavailable",
        "timeout",
        "busy",
    }
)
#: Only the operator can mend these.
OPERATOR = frozenset(
    {
        "billing_hard_limit_reached",
        "billing_not_active",
        "insufficient_quota",
        "account_deactivated",
        "invalid_api_key",
        "permission_denied",
        "input_no_permissions",
    }
)
#: True of every request of the batch, which share a model and an endpoint; no repetition will change it.
PERMANENT = frozenset(
    {
        "model_not_found",
        "invalid_url",
        "url_mismatch",
        "url_not_found",
        "invalid_value",
        "invalid_type",
        "invalid_endpoint",
        "unsupported_endpoint",
        "streaming_unsupported",
        "missing_required_parameter",
        "mismatched_model",
        "model_mismatch",
        "invalid_json_line",
        "duplicate_custom_id",
    }
)
#: Of those, the ones that concern the shared model: one line names them for all.
_OF_THE_MODEL = frozenset({"model_not_found"})
#: The provider sometimes does not yet see a file that it has just taken: code ``invalid_request``, no line, this text.
_FILE_NOT_SEEN = "cannot find file"

_UNREADABLE = "invalid_json_line"

HALVINGS = 3
PATIENCE = 10  #: refusals of a single request: six hours, with the waits between them
FIRST_WAIT = 60
LONGEST_WAIT = 3_600


class Complaint(Protocol):
    """One error of a refused batch. ``line`` is 1-based within the batch's input, None where it names no line."""

    @property
    def code(self) -> str: ...
    @property
    def message(self) -> str: ...
    @property
    def line(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Wait:
    """The whole batch goes again in ``seconds``; not counted as an attempt. ``reason``: what may be kept of it."""

    seconds: int
    reason: str


@dataclass(frozen=True, slots=True)
class Block:
    """The operator must act, then the whole batch goes again; not counted as an attempt."""

    reason: str


@dataclass(frozen=True, slots=True)
class Halve:
    """Nobody knows which request it was: both halves go again, not counted."""


@dataclass(frozen=True, slots=True)
class Report:
    """These requests, by line from 1, get that error for good; the rest, if any, goes again, not counted."""

    lines: Mapping[int, Complaint] = field(default_factory=dict)
    everyone: Complaint | None = None


Verdict = Wait | Block | Halve | Report


@dataclass(frozen=True, slots=True)
class _Ours:
    """What we say where the provider does not."""

    code: str
    message: str
    line: int | None = None


_SILENCE = _Ours("batch_failed", "The provider failed the whole batch and gave no reason.")


def judge(
    complaints: Sequence[Complaint], *, requests: int, halvings: int, refusals: int, tokens: int | None = None
) -> Verdict:
    """What to do about a batch of so many ``requests`` and (estimated) ``tokens`` that was refused so."""
    first = complaints[0] if complaints else _SILENCE
    for complaint in complaints:
        if complaint.code in OPERATOR:
            return Block(f"{complaint.code}: {discretion.kept(complaint.message)}")
        if complaint.code in _OF_THE_MODEL or _is_hopeless(complaint, requests, refusals, tokens):
            return Report(everyone=complaint)
        if _is_passing(complaint):
            return Wait(backoff(refusals), f"{complaint.code}: {discretion.kept(complaint.message)}")
    if named := _named(complaints, requests):
        return Report(lines=named)
    if first.code in PERMANENT or halvings >= HALVINGS or requests == 1:
        return Report(everyone=first)
    return Halve()


def says_enough(verdict: Verdict) -> bool:
    """Whether no request is to be looked into: it is the model's, or the provider says what is wrong with which."""
    if isinstance(verdict, Report) and verdict.everyone:
        return verdict.everyone.code in _OF_THE_MODEL
    if isinstance(verdict, Report):
        return all(complaint.code != _UNREADABLE for complaint in verdict.lines.values())
    return not isinstance(verdict, Halve)


def looked_into(verdict: Halve | Report, requests: Iterable[bytes]) -> Halve | Report:
    """With those that are surely at fault, and why: a number that no double holds. ``requests``: all of the batch."""
    said_of_it = _Ours(*said("invalid_json_line.double"))
    found = {line: said_of_it for line, request in enumerate(requests, 1) if has_number_beyond_double(request)}
    if not found:
        return verdict
    named = verdict.lines if isinstance(verdict, Report) else {}
    return Report(lines={**named, **found})


def backoff(refusals: int) -> int:
    """Seconds until a refused batch is tried again: a minute, doubled each time, an hour at most."""
    return int(min(FIRST_WAIT * 2 ** min(refusals, 10), LONGEST_WAIT))


def _is_passing(complaint: Complaint) -> bool:
    return complaint.code in PASSING or (complaint.line is None and _FILE_NOT_SEEN in complaint.message.lower())


def _is_hopeless(complaint: Complaint, requests: int, refusals: int, tokens: int | None) -> bool:
    """One request that alone is over the token limit, for hours: no waiting and no splitting will help it.

    Not if it is far below the limit that the provider names: then that has no room for anybody.
    """
    if complaint.code != "token_limit_exceeded" or requests > 1 or refusals < PATIENCE:
        return False
    limit = allowance.named(complaint.message)
    return tokens is None or limit is None or tokens * allowance.MOST_FACTOR >= (limit.tokens or 0)


def _named(complaints: Sequence[Complaint], requests: int) -> dict[int, Complaint]:
    """The first complaint about each line that there is."""
    named: dict[int, Complaint] = {}
    for complaint in complaints:
        if complaint.line is not None and 1 <= complaint.line <= requests:
            named.setdefault(complaint.line, complaint)
    return named
