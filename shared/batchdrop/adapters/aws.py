"""What the AWS adapters share: how a client is set up, and which errors pass by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    IncompleteReadError,
    ReadTimeoutError,
    ResponseStreamingError,
)
from botocore.exceptions import ConnectionError as BotoConnectionError

from batchdrop.core.codes import said
from batchdrop.core.errors import Misconfigured, RetryLater

#: For bodies, and copies on the server's side, which take their time. Four tries in all, for every client: a throttled
#: call backs off within the invocation before the queue does it.
BODIES = Config(
    connect_timeout=5,
    read_timeout=60,
    retries={"mode": "standard", "total_max_attempts": 4},
    tcp_keepalive=True,
)
#: For what is answered at once or never: with a minute for each try, one answer that does not come costs a whole tick.
CALLS = BODIES.merge(Config(read_timeout=10))

#: What botocore raises when no whole answer came.
LOST: tuple[type[BotoCoreError], ...] = (
    BotoConnectionError,
    HTTPClientError,
    IncompleteReadError,
    ReadTimeoutError,
    ResponseStreamingError,
)

DENIED = frozenset({"403", "AccessDenied", "AccessDeniedException", "AllAccessDisabled", "Forbidden"})

_BUSY = frozenset(
    {
        "EC2ThrottledException",
        "InternalError",
        "InternalFailure",
        "InternalServiceError",
        "OperationAborted",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceException",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_TOO_MANY, _SERVER_ERROR = 429, 500


def code_of(error: ClientError) -> str:
    """AWS's word for the error; for a HEAD, which has no body, the status."""
    return error.response.get("Error", {}).get("Code", "")


def is_busy(error: ClientError) -> bool:
    """Whether the same call is expected to succeed later."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return code_of(error) in _BUSY or status == _TOO_MANY or status >= _SERVER_ERROR


@contextmanager
def translated(service: str, missing: dict[str, tuple[str, str]] | None = None) -> Iterator[None]:
    """Raise ours for theirs. ``missing``: AWS's code to (our code, what the operator has to do)."""
    try:
        yield
    except LOST as error:
        raise RetryLater(f"{service} cannot be reached: {type(error).__name__}") from None
    except ClientError as error:
        if is_busy(error):
            raise RetryLater(f"{service} is busy: {code_of(error)}") from None
        if code_of(error) in DENIED:
            raise Misconfigured(*said("access_denied.role", service=service, operation=error.operation_name)) from None
        if known := (missing or {}).get(code_of(error)):
            raise Misconfigured(*known) from None
        raise
