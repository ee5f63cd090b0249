"""Writes under a precondition: one that does not hold is a value, not an error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NotRequired, TypedDict

from botocore.exceptions import ClientError

from batchdrop.adapters.aws import code_of
from batchdrop.adapters.s3_errors import CONFLICT, FAILED, GONE, UPLOAD_GONE, writing
from batchdrop.ports import IfAbsent, IfMatch, Precondition, Written

TRIES_IN_A_CONFLICT = 3


class Headers(TypedDict):
    """What S3 takes of a precondition."""

    IfMatch: NotRequired[str]
    IfNoneMatch: NotRequired[str]


def headers(only: Precondition) -> Headers:
    if isinstance(only, IfMatch):
        return {"IfMatch": f'"{only.etag}"'}
    return {"IfNoneMatch": "*"} if isinstance(only, IfAbsent) else {}


def bare(etag: str) -> str:
    """An ETag without its quotes, as S3's events give it."""
    return etag.strip('"')


def real_version(version_id: str | None) -> str | None:
    """``null`` is S3's word for what was written while a bucket was not versioned: no id that stays."""
    return None if version_id == "null" else version_id


def conditional(call: Callable[[], Any], place: str, only: Precondition) -> Written | None:
    """Make the call; None if ``only`` does not hold, or if the upload that it would end is gone.

    While another conditional write is under way S3 answers with a conflict: that is tried again, and lost in the end.
    """
    lost = UPLOAD_GONE | FAILED | CONFLICT if only else UPLOAD_GONE
    if isinstance(only, IfMatch):
        lost |= GONE  # S3's answer where nothing holds the name
    for _ in range(TRIES_IN_A_CONFLICT):
        try:
            with writing(place, through=lost):
                answer = call()
        except ClientError as error:
            if code_of(error) in CONFLICT and only:
                continue
            if code_of(error) in lost:
                return None
            raise
        return Written(bare(answer["ETag"]), real_version(answer.get("VersionId")))
    return None
