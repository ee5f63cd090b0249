"""What can go wrong, grouped by who has to act.

    BatchdropError
    ├── Rejected         the uploader: the input is wrong and will stay wrong
    ├── RetryLater       nobody: the same call is expected to succeed later
    ├── Misconfigured    the operator: a key, a quota or a permission is missing
    └── OutcomeUnknown   nobody: the call may or may not have had its effect; look before acting again

A lost race is not an error; ports return it as a value. Anything else is a defect of ours: it is not caught,
SQS retries it, and it ends on a dead-letter queue with an alarm.
"""

from __future__ import annotations


class BatchdropError(Exception):
    """Base of every error that this package raises on purpose."""


class Rejected(BatchdropError):
    """The input breaks a rule that no retry will change.

    ``code`` is a stable word for programs, ``reason`` a sentence for the uploader: what, where, what to do.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


class RetryLater(BatchdropError):
    """A dependency is busy or unreachable, and nothing was done. ``after``: the seconds that it asked for, if it did.

    ``code`` is the provider's own word where it gave one (``token_limit_exceeded``).
    """

    def __init__(self, message: str, *, code: str = "busy", after: float | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.after = after


class Misconfigured(BatchdropError):
    """Something that only the operator can provide is missing. ``code`` says which (``invalid_api_key``)."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


class OutcomeUnknown(BatchdropError):
    """The answer to a call that changes the world was lost: a timeout, a reset, a 5xx, an unreadable 2xx."""
