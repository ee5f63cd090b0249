"""Logs and metrics: every name in one place. Request and answer content, and keys, never get here."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit

from batchdrop.core.events import Dropped
from batchdrop.core.states import JobState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchdrop.core.events import Event
    from batchdrop.core.model import Job
    from batchdrop.usecases.collect import Trouble
    from batchdrop.usecases.poll import Tick


NAMESPACE = "Batchdrop"


class GivenUp(Exception):  # noqa: N818 - no failure of this invocation
    """Raised by a handler over a message about quarantined work, until the queue moves it to the dead letters."""


class Metric(StrEnum):
    """Metrics of the namespace; each is a count."""

    MESSAGES = "Messages"
    JOBS_STARTED = "JobsStarted"
    JOBS_FAILED = "JobsFailed"
    JOBS_OPEN = "JobsOpen"
    BATCHES_OPEN = "BatchesOpen"
    BATCHES_BLOCKED = "BatchesBlocked"
    BATCHES_OVERDUE = "BatchesOverdue"
    BATCHES_ADMITTED = "BatchesAdmitted"
    BATCHES_CREATED = "BatchesCreated"
    BATCHES_ADOPTED = "BatchesAdopted"
    DUPLICATE_BATCHES = "DuplicateBatches"
    STRAY_BATCHES = "StrayBatches"
    LOST_EVENTS = "LostEvents"
    UNKNOWN_BATCHES = "UnknownBatches"
    UNKNOWN_STATUSES = "UnknownStatuses"
    REQUESTS_QUARANTINED = "RequestsQuarantined"
    ITEMS_PARKED = "ItemsParked"
    PROVIDER_CALLS = "ProviderCalls"
    COLLECT_TROUBLES = "CollectTroubles"
    POLL_TROUBLES = "PollTroubles"
    MISCONFIGURED = "Misconfigured"
    TICKS = "Ticks"


def logger() -> Logger:
    """The structured logger; level and service come from Powertools' own environment variables."""
    return Logger()


def metrics() -> Metrics:
    """The metrics sink; the service, which is the stack's name, comes from Powertools' own environment variable."""
    return Metrics(namespace=NAMESPACE)


def about(event: Event, job: Job | None = None) -> dict[str, str]:
    """What a log line says of an event, and of the job that came of it: ids and states, never content."""
    became = {"job_id": job.job_id, "state": job.state.value, "code": job.code or ""} if job else {}
    if isinstance(event, Dropped):
        return {"bucket": event.bucket, "key": event.key, "version_id": str(event.version_id)} | became
    return {"task": event.name, "job_id": event.key.job_id, "item": event.key.item} | became


def of_plan(job: Job | None) -> dict[Metric, int]:
    """What a plan came to, in counts."""
    state = job.state if job else None
    return {
        Metric.JOBS_STARTED: state is JobState.RUNNING,
        Metric.JOBS_FAILED: state is JobState.FAILED,
        Metric.MISCONFIGURED: waits_for(job) is not None,
    }


def waits_for(job: Job | None) -> str | None:
    """What the operator is to mend before the plan can go on."""
    return job.reason if job and job.state is JobState.PLANNING else None


def of_collect(trouble: Trouble | None) -> dict[Metric, int]:
    """What a message to the collector came to, in counts."""
    of_operator = trouble is not None and trouble.misconfigured
    return {Metric.COLLECT_TROUBLES: trouble is not None, Metric.MISCONFIGURED: of_operator}


def of_tick(tick: Tick) -> dict[Metric, int]:
    """A tick in counts."""
    return {
        Metric.TICKS: 1,
        Metric.JOBS_OPEN: tick.open_jobs,
        Metric.BATCHES_OPEN: tick.open_batches,
        Metric.BATCHES_BLOCKED: tick.blocked,
        Metric.BATCHES_OVERDUE: tick.overdue,
        Metric.BATCHES_ADMITTED: tick.admitted,
        Metric.BATCHES_ADOPTED: tick.recovered.adopted + tick.audited.adopted,
        Metric.DUPLICATE_BATCHES: len(tick.untold),
        Metric.STRAY_BATCHES: tick.audited.strays,
        Metric.LOST_EVENTS: tick.swept.resent,
        Metric.UNKNOWN_BATCHES: len(tick.unknown_batches),
        Metric.UNKNOWN_STATUSES: len(tick.odd_statuses),
        Metric.REQUESTS_QUARANTINED: tick.quarantined,
        Metric.ITEMS_PARKED: tick.parked,
        Metric.PROVIDER_CALLS: tick.calls,
        Metric.POLL_TROUBLES: len(tick.troubles),
        Metric.MISCONFIGURED: tick.misconfigured,
    }


def no_tick(metrics: Metrics) -> None:
    """Of a call that leaves the tick to another one: Powertools warns where nothing at all is counted."""
    metrics.add_metric(name=Metric.TICKS.value, unit=MetricUnit.Count, value=0)


def count(metrics: Metrics, values: Mapping[Metric, int]) -> None:
    """Record counts, no zeros: a metric costs for every hour in which it is sent, and alarms take none for well."""
    for name, value in values.items():
        if value:
            metrics.add_metric(name=name.value, unit=MetricUnit.Count, value=int(value))
