"""What is counted, and what is not sent."""

from __future__ import annotations

from batchdrop import telemetry
from batchdrop.telemetry import Metric


def test_a_count_of_zero_is_not_sent() -> None:
    metrics = telemetry.metrics()
    telemetry.count(metrics, {Metric.TICKS: 1, Metric.BATCHES_BLOCKED: 0, Metric.JOBS_STARTED: False})
    sent = set(metrics.metric_set)
    metrics.clear_metrics()
    assert sent == {"Ticks"}
