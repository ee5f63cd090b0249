"""S3's errors in our words: one table for what is read, one for what is written.

``through``: codes that the caller takes as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import ClientError

from batchdrop.adapters.aws import DENIED, LOST, code_of, is_busy
from batchdrop.core.codes import said
from batchdrop.core.errors import BatchdropError, Misconfigured, Rejected, RetryLater

GONE = frozenset({"404", "405", "NoSuchKey", "NoSuchVersion", "MethodNotAllowed"})
#: A range that the object does not reach, or another object than the one that was begun: it is not what was planned.
_REPLACED = frozenset({"416", "InvalidRange", "412", "PreconditionFailed"})
UPLOAD_GONE = frozenset({"NoSuchUpload"})
FAILED = frozenset({"412", "PreconditionFailed"})
CONFLICT = frozenset({"409", "ConditionalRequestConflict"})
#: The key, where S3's message says that it was the key.
_KEY = re.compile(r"arn:[\w-]+:kms:[\w-]*:\d*:key/[\w-]+")


@contextmanager
def reading(place: str, *, through: frozenset[str] = frozenset()) -> Iterator[None]:
    """Around calls that read ``place``: what cannot be read is the uploader's to mend."""
    try:
        yield
    except LOST as error:
        raise RetryLater(f"S3 cannot be reached: {type(error).__name__}") from None
    except ClientError as error:
        if code_of(error) in through:
            raise
        raise _unreadable(error, place) or _either(error, place) or error from None


@contextmanager
def writing(place: str, *, through: frozenset[str] = frozenset()) -> Iterator[None]:
    """Around calls that change ``place``: what we may not write is the operator's to mend."""
    try:
        yield
    except LOST as error:
        raise RetryLater(f"S3 cannot be reached: {type(error).__name__}") from None
    except ClientError as error:
        if code_of(error) in through:
            raise
        if code_of(error) in DENIED or code_of(error).startswith("KMS."):
            raise Misconfigured(
                *said("access_denied.role", service="S3", operation=f"{error.operation_name} on {place}")
            ) from None
        raise _either(error, place) or error from None


def _unreadable(error: ClientError, place: str) -> BatchdropError | None:
    code = code_of(error)
    if code in GONE | _REPLACED:
        return Rejected(*said("input_gone", place=place))
    if code in DENIED or code.startswith("KMS."):
        if key := _KEY.search(error.response["Error"].get("Message", "")):
            return Rejected(*said("access_denied.key", place=place, key=key[0]))
        return Rejected(*said("access_denied", place=place))
    if code == "InvalidObjectState":
        return Rejected(*said("not_readable", place=place))
    return None


def _either(error: ClientError, place: str) -> BatchdropError | None:
    code = code_of(error)
    if is_busy(error):
        return RetryLater(f"S3 is busy: {code}")
    if code in UPLOAD_GONE:
        return Rejected("upload_gone", f"the multipart upload to {place} is not there (any more)")
    if code == "NoSuchBucket":
        return Misconfigured("no_such_bucket", f"there is no bucket for {place}")
    if code in GONE:
        return Rejected(*said("input_gone", place=f"The source of {place}"))
    return None
