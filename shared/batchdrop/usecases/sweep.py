"""Find what was dropped and never told of: a lost S3 event is a delay."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from batchdrop.core import naming
from batchdrop.core.housekeeping import Sweeping, VersionCursor
from batchdrop.core.model import Job
from batchdrop.core.states import JobState
from batchdrop.usecases.opening import NO_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batchdrop.ports import Clock, Deadline, Ledger, Messages, ObjectStore, Version

EVERY = dt.timedelta(minutes=10)
#: Pages of the list in one round.
PAGES = 20
#: S3's own event comes within seconds; younger versions are left to it.
AGE = dt.timedelta(minutes=5)
#: A version shows up in the list this long after its ``last_modified`` at the latest: clocks differ, puts take a while.
PUT = dt.timedelta(hours=1)
#: A multipart upload is dated by its beginning; the bucket drops those that take longer (template.yaml).
UPLOAD = dt.timedelta(days=7)


@dataclass(slots=True)
class Swept:
    """What a round did. ``resent``: drops and cancels that nobody had heard of."""

    pages: int = 0
    resent: int = 0


class _Window(NamedTuple):
    """What a pass looks at: what came since ``checked_until``, no older than ``after``, no younger than ``until``."""

    after: dt.datetime
    checked_until: dt.datetime
    until: dt.datetime

    def holds(self, version: Version) -> bool:
        return self.after <= version.last_modified <= self.until and _in_place(version) >= self.checked_until


def _in_place(version: Version) -> dt.datetime:
    """When the version was in the list at the latest."""
    return version.last_modified + (UPLOAD if "-" in version.etag else PUT)


def is_due(at: Sweeping, now: dt.datetime) -> bool:
    """Whether the next round is due."""
    return at.next_at is None or at.next_at <= now


@dataclass(frozen=True, slots=True)
class Sweep:
    """Send a message for every version of the input bucket that is to have a job and has none.

    In half of the time that is left. What it sent is looked at again by the next pass, until it has its job: that
    message may be lost, too.
    """

    ledger: Ledger
    objects: ObjectStore
    messages: Messages
    clock: Clock
    bucket: str

    def __call__(self, at: Sweeping, jobs: Iterable[Job], deadline: Deadline) -> tuple[Swept, Sweeping]:
        """Go on from ``at``. ``jobs``: every open one. What the round did, and how far it came."""
        now, swept, enough = self.clock.now(), Swept(), deadline.remaining() / 2
        if at.cursor is None:
            at = Sweeping(checked_until=at.checked_until, began_at=now)
        window, known = self._window(at, now), _Known(jobs)
        while swept.pages < PAGES:
            page = self.objects.list_versions(self.bucket, at.cursor)
            swept.pages += 1
            for version in filter(window.holds, page.versions):
                if deadline.remaining() < enough:
                    return swept, replace(at, next_at=now)
                if self._is_lost(version, known):
                    self.messages.dropped(self.bucket, version.key, version.version_id)
                    swept.resent += 1
                    at = replace(at, held_at=min(at.held_at or _in_place(version), _in_place(version)))
                # Not the page's: one of a thousand ended jobs takes longer to look up than a round may.
                at = replace(at, cursor=VersionCursor(version.key, version.version_id or NO_VERSION))
            if page.cursor is None:
                return swept, _whole(at, now)
            at = replace(at, cursor=page.cursor)
        return swept, replace(at, next_at=now + EVERY)

    def _window(self, at: Sweeping, now: dt.datetime) -> _Window:
        after = self.ledger.stack(now).accept_after
        return _Window(after, at.checked_until or after, now - AGE)

    def _is_lost(self, version: Version, known: _Known) -> bool:
        if target := naming.to_cancel(version.key):
            return any(_is_to_be_cancelled(job, version) for job in known.by_key.get(target, ()))
        # Of what was written without a version, only what stands there now can be read.
        if naming.is_ignored(version.key) or not (version.version_id or version.is_latest):
            return False
        job_id = naming.job_id(self.bucket, version.key, version.version_id or NO_VERSION)
        return job_id not in known.ids and self.ledger.job(job_id) is None


class _Known:
    """The open jobs, by what a version is compared with."""

    def __init__(self, jobs: Iterable[Job]) -> None:
        self.ids: set[str] = set()
        self.by_key: defaultdict[str, list[Job]] = defaultdict(list)
        for job in jobs:
            self.ids.add(job.job_id)
            self.by_key[job.input_key].append(job)


def _is_to_be_cancelled(job: Job, cancel: Version) -> bool:
    """Whether the cancel is for this job of its key, and the job does not show it yet."""
    is_older = job.last_modified < cancel.last_modified
    return is_older and job.state in (JobState.PLANNING, JobState.RUNNING) and job.cancel_requested_at is None


def _whole(at: Sweeping, now: dt.datetime) -> Sweeping:
    """The bucket is seen to its end: the next pass begins where this one leaves no doubt."""
    began = at.began_at or now
    return Sweeping(next_at=now + EVERY, checked_until=min(began, at.held_at or began))
