"""From a dropped object to its job's item: one job per version, whatever is delivered twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from batchdrop.core import limits, naming
from batchdrop.core.codes import said
from batchdrop.core.errors import Rejected, RetryLater
from batchdrop.core.model import Item, Job
from batchdrop.core.options import Options, options
from batchdrop.core.states import JobState
from batchdrop.core.status import is_final
from batchdrop.ports import ObjectInfo

if TYPE_CHECKING:
    from datetime import datetime

    from batchdrop.ports import Clock, Ledger, ObjectStore

TRIES = 5  #: races lost against other drops on the same key before the message goes back to the queue
NO_VERSION = "null"  #: what S3 calls the version of an object in a bucket that is not versioned


class Opened(NamedTuple):
    """A job, and whether this call made it."""

    job: Job
    is_new: bool


@dataclass(frozen=True)
class Open:
    """``defaults``: the stack's options, for what an object does not say. ``bucket``: the only one we serve.

    ``windows``: the completion windows that the provider takes, where that is known.
    """

    ledger: Ledger
    objects: ObjectStore
    clock: Clock
    defaults: Options
    bucket: str
    windows: tuple[str, ...] = ()

    def __call__(self, bucket: str, key: str, version_id: str | None) -> Opened | None:
        """The job of this version, ``planning`` or born ``failed`` if it is new. None: no input, or gone already."""
        if bucket != self.bucket or naming.is_ignored(key):
            return None
        version_id = version_id or self._current(bucket, key)
        job_id = naming.job_id(bucket, key, version_id or NO_VERSION)
        for _ in range(TRIES):
            if known := self.ledger.job(job_id):
                return Opened(known, is_new=False)
            newest = self.ledger.newest_job(bucket, key)
            job = self._judged(bucket, key, version_id, newest)
            if job is None:
                return None
            if self.ledger.open_job(job, after=newest):
                return Opened(job, is_new=True)
        raise RetryLater(f"other drops on the key of {job_id} keep coming first")

    def _current(self, bucket: str, key: str) -> str | None:
        """The version that stands there now, for an event that does not name its own."""
        try:
            info = self.objects.head(bucket, key)
        except Rejected:
            return None  # what is wrong with it is told when the job is judged
        return info.version_id if info else None

    def _judged(self, bucket: str, key: str, version_id: str | None, newest: str | None) -> Job | None:
        now = self.clock.now()
        try:
            info = self.objects.head(bucket, key, None if version_id == NO_VERSION else version_id)
        except Rejected as error:
            info = ObjectInfo(bucket, key, version_id, etag="", bytes=0, last_modified=now)
            return _failed(_job(info, version_id, self.defaults, now), error, now)
        if info is None:
            return None
        job = _job(info, version_id, self.defaults, now)
        try:
            _check(info, version_id)
            self._refuse_cancelled(info)
            self._refuse_duplicate(job, newest)
            return _job(info, version_id, options(info.metadata, self.defaults, self.windows), now)
        except Rejected as error:
            return _failed(job, error, now)

    def _refuse_cancelled(self, info: ObjectInfo) -> None:
        """A cancel may come first: events keep no order, and one may be lost."""
        asked = self.objects.head(info.bucket, info.key + naming.CANCEL)
        if asked is not None and info.last_modified < asked.last_modified:
            raise Rejected(*said("cancelled.file"))

    def _refuse_duplicate(self, job: Job, newest: str | None) -> None:
        former = self.ledger.job(newest) if newest else None
        if former and former.etag == job.etag and not is_final(former):
            raise Rejected(*said("duplicate_of", job=former.job_id))


def _check(info: ObjectInfo, version_id: str | None) -> None:
    if version_id in (None, NO_VERSION):
        raise Rejected(*said("unversioned_bucket", bucket=info.bucket))
    if not naming.is_input(info.key):
        raise Rejected(*said("unsupported_type.name"))
    if not _has_room(info.key):
        raise Rejected(*said("key_too_long", most=limits.STEM_BYTES))


def _job(info: ObjectInfo, version_id: str | None, chosen: Options, now: datetime) -> Job:
    job_id = naming.job_id(info.bucket, info.key, version_id or NO_VERSION)
    return Job(
        job_id=job_id,
        item="job",
        state=JobState.PLANNING,
        bucket=info.bucket,
        input_key=info.key,
        version_id=version_id or NO_VERSION,
        etag=info.etag,
        bytes=info.bytes,
        last_modified=info.last_modified,
        stem=naming.stem(info.key) if _has_room(info.key) else job_id,
        options=chosen,
        created_at=now,
        month=now.strftime("%Y-%m"),
        due=Item.OPEN,
        next_check_at=now,
    )


def _failed(job: Job, error: Rejected, now: datetime) -> Job:
    return replace(job, state=JobState.FAILED, code=error.code, reason=error.reason, ended_at=now)


def _has_room(key: str) -> bool:
    return len(naming.stem(key).encode()) <= limits.STEM_BYTES
