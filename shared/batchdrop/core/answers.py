"""A provider's result lines: read one, judge it by its own status code, keep one final record per request."""

from __future__ import annotations

import json
from enum import Enum
from typing import TYPE_CHECKING, Any

import msgspec

from batchdrop.core.codes import said
from batchdrop.core.states import JobState
from batchdrop.core.text import with_whole_characters
from batchdrop.core.usage import Reported, Tally, salvage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchdrop.core.model import Job, Usage

#: Errors that say only that the provider did not come to it.
NOT_RUN = frozenset({"batch_expired", "batch_cancelled"})
#: Code and reason of a request that was never answered because its job was cancelled.
CANCELLED = said("cancelled")
#: The same where it ran for too long.
DEADLINE = said("deadline")
NO_ANSWER = said("no_answer")
_PASSING = frozenset({0, 408, 409, 429})
_SERVER_ERROR = 500


class Fault(msgspec.Struct, frozen=True):
    """An error object, of a line or of an HTTP body."""

    code: str | None = None
    message: str | None = None


class Body(msgspec.Struct, frozen=True):
    usage: Reported | None = None
    error: Fault | None = None


class Response(msgspec.Struct, frozen=True):
    status_code: int = 0
    body: Body | None = None


class Answer(msgspec.Struct, frozen=True):
    """What we need to know of a result line."""

    custom_id: str
    response: Response | None = None
    error: Fault | None = None

    @property
    def is_success(self) -> bool:
        return self.error is None and self.response is not None and self.response.status_code // 100 == 2  # noqa: PLR2004

    @property
    def was_run(self) -> bool:
        """Whether the provider came to it."""
        return self.error is None or self.error.code not in NOT_RUN

    @property
    def is_passing(self) -> bool:
        """Whether the same request may well succeed later."""
        if not self.was_run:
            return True
        if self.response is None:
            return self.error is None
        return self.response.status_code in _PASSING or self.response.status_code >= _SERVER_ERROR

    @property
    def fault(self) -> tuple[str, str]:
        """Why it failed: a code for programs, a sentence for people."""
        status = self.response.status_code if self.response else 0
        body = self.response.body if self.response else None
        said = self.error or (body.error if body else None) or Fault()
        return said.code or f"http_{status}", said.message or f"The request failed with HTTP status {status}."


_DECODER = msgspec.json.Decoder(Answer)


def read(line: bytes) -> Answer | None:
    """The line's meaning; None where it is not JSON or has no ``custom_id``."""
    try:
        return _DECODER.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _salvage(line)


def _salvage(line: bytes) -> Answer | None:
    """An answer that is paid for is not thrown away because a part of it is shaped unlike the API's description."""
    try:
        value = json.loads(with_whole_characters(line))
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or not isinstance(value.get("custom_id"), str):
        return None
    response = value.get("response")
    return Answer(value["custom_id"], _response(response), _fault(value.get("error")))


def _response(value: Any) -> Response | None:  # noqa: ANN401 - decoded JSON of any shape
    if not isinstance(value, dict):
        return None
    status, body = value.get("status_code"), value.get("body")
    try:
        code = int(status or 0)
    except (TypeError, ValueError, OverflowError):
        code = 0
    if not isinstance(body, dict):
        return Response(code)
    return Response(code, Body(salvage(body.get("usage")), _fault(body.get("error"))))


def _fault(value: Any) -> Fault | None:  # noqa: ANN401
    if value is None:
        return None
    if not isinstance(value, dict):
        return Fault(message=str(value))
    code, message = value.get("code"), value.get("message")
    return Fault(None if code is None else str(code), None if message is None else str(message))


def record(custom_id: str, code: str, message: str) -> bytes:
    """A result line of ours for a request that has no answer, without its newline."""
    error = {"code": code, "message": message}
    return msgspec.json.encode({"id": None, "custom_id": custom_id, "response": None, "error": error})


def stopped(job: Job) -> tuple[str, str] | None:
    """Why a job is stopped before all is answered, as code and reason; None while it is not."""
    if job.cancel_requested_at is None:
        return None
    if job.state is JobState.FAILED and job.code and job.reason:
        return job.code, job.reason
    return DEADLINE if job.code == DEADLINE[0] else CANCELLED


class Taken(Enum):
    """What to do with a line."""

    FINAL = "write it"
    HELD = "keep it aside: it counts only if nothing better comes"
    DROPPED = "unreadable, of a foreign request, or of one that has its record"


class Sieve:
    """Of all lines of a batch's files, in the order that they come, the first final one of each request.

    ``ids``: the batch's custom ids with their ordinals, from 0. ``run_only``: a line that says only that its request
    was not run is no answer. ``long_above``: prompts of more tokens are also counted apart.
    """

    def __init__(self, ids: Mapping[str, int], *, run_only: bool = False, long_above: int | None = None) -> None:
        self._run_only = run_only
        self._ids = ids
        self._tally = Tally(long_above)
        self.settled = bytearray(len(ids))  #: by ordinal: 1 once there is a final record
        self.completed = 0
        self.failed = 0
        self.dropped = 0

    def take(self, line: bytes) -> tuple[Taken, int]:
        """What to do with the line, and the ordinal of its request (-1 where it is dropped)."""
        answer = read(line)
        ordinal = self._ids.get(answer.custom_id, -1) if answer else -1
        if answer is None or ordinal < 0 or self.settled[ordinal] or (self._run_only and not answer.was_run):
            self.dropped += 1
            return Taken.DROPPED, -1
        if answer.is_passing:
            return Taken.HELD, ordinal
        self.settle(ordinal, success=answer.is_success)
        usage = answer.response.body.usage if answer.response and answer.response.body else None
        if usage or answer.is_success:
            self._tally.add(usage)
        return Taken.FINAL, ordinal

    def settle(self, ordinal: int, *, success: bool = False) -> None:
        """This request has its final record."""
        self.settled[ordinal] = 1
        if success:
            self.completed += 1
        else:
            self.failed += 1

    @property
    def usage(self) -> Usage:
        return self._tally.usage

    @property
    def long_usage(self) -> Usage:
        return self._tally.long_usage

    @property
    def missing(self) -> list[int]:
        """Ordinals without a final record, ascending."""
        return [ordinal for ordinal, settled in enumerate(self.settled) if not settled]
