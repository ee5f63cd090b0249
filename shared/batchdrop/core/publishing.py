"""Who holds an output's name: this job, an older run of the same input, or somebody whose object must stay."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from batchdrop.core.model import Job


class Holder(Enum):
    """Who holds an output's name, as seen from one job."""

    NOBODY = "write it if it is still absent"
    OLDER = "an older run of the same input key: replace it"
    US = "this very job: it is done"
    OTHER = "a newer version, another input, or something that is not ours: take another name"


@dataclass(frozen=True, slots=True)
class Claimant:
    """What a job says of itself on its outputs. ``is_newest``: of this key; it decides within the same second."""

    job_id: str
    input_bucket: str
    input_key: str
    input_version: str
    last_modified: datetime
    is_newest: bool

    @property
    def metadata(self) -> dict[str, str]:
        return {
            "job-id": self.job_id,
            "input-bucket": self.input_bucket,
            "input-key": self.input_key,
            "input-version": self.input_version,
            "input-last-modified": self.last_modified.isoformat(),
        }


def holder(metadata: Mapping[str, str] | None, us: Claimant) -> Holder:
    """Judge the metadata of the object that holds the name; None if nothing does."""
    if metadata is None:
        return Holder.NOBODY
    if metadata.get("job-id") == us.job_id:
        return Holder.US
    # Stacks may share an output bucket. What was written before the bucket was noted is taken to be of ours.
    if (metadata.get("input-bucket", us.input_bucket), metadata.get("input-key")) != (us.input_bucket, us.input_key):
        return Holder.OTHER
    theirs, ours = metadata.get("input-last-modified", ""), us.metadata["input-last-modified"]
    older = theirs < ours or (theirs == ours and us.is_newest)
    return Holder.OLDER if older else Holder.OTHER


def claimant(job: Job, newest: str | None) -> Claimant:
    """The job as it names itself; ``newest``: the id of its key's last job, None if that is not known."""
    is_newest = newest in (None, job.job_id)
    return Claimant(job.job_id, job.bucket, job.input_key, job.version_id, job.last_modified, is_newest)
