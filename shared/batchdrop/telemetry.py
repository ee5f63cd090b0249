"""Logs and metrics: every name in one place. Request and answer content, and keys, never get here."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit

if TYPE_CHECKING:
    from collections.abc import Mapping


class Metric(StrEnum):
    """Metrics of the namespace ``Batchdrop``; each is a count."""

    JOBS_OPEN = "JobsOpen"
    BATCHES_OPEN = "BatchesOpen"
    BATCHES_BLOCKED = "BatchesBlocked"
    BATCHES_OVERDUE = "BatchesOverdue"
    BATCHES_ADMITTED = "BatchesAdmitted"
    BATCHES_CREATED = "BatchesCreated"
    BATCHES_ADOPTED = "BatchesAdopted"
    DUPLICATE_BATCHES = "DuplicateBatches"
    UNKNOWN_BATCHES = "UnknownBatches"
    UNKNOWN_STATUSES = "UnknownStatuses"
    PROVIDER_CALLS = "ProviderCalls"
    POLL_TROUBLES = "PollTroubles"
    TICKS = "Ticks"


def logger() -> Logger:
    """The structured logger; level and service come from Powertools' own environment variables."""
    return Logger()


def count(metrics: Metrics, values: Mapping[Metric, int]) -> None:
    """Record counts; zeros too, so that an alarm sees that all is well."""
    for name, value in values.items():
        metrics.add_metric(name=name.value, unit=MetricUnit.Count, value=value)
