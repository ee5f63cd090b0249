"""Lambda: plan what was dropped, submit what was admitted.

Triggers: the plan queue (S3's events, and the poller's word that a plan goes on) and the submit queue (the poller's).
"""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Any

from batchdrop import bootstrap, telemetry
from batchdrop.core import events

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = telemetry.logger()
metrics = telemetry.metrics()


@functools.cache
def app() -> bootstrap.App:
    return bootstrap.app(os.environ)


@metrics.log_metrics
@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> None:
    deadline = bootstrap.deadline(context)
    for record in event["Records"]:
        for message in events.parse(record["body"]):
            match message:
                case events.Dropped():
                    job = app().plan(message.bucket, message.key, message.version_id, deadline)
                    logger.info("plan", extra=telemetry.about(message, job))
                case events.Task(name="plan"):
                    job = app().plan.resume(message.key.job_id, deadline)
                    logger.info("plan", extra=telemetry.about(message, job))
                case events.Task(name="submit"):
                    outcome = app().submit(message.key, deadline)
                    telemetry.count(metrics, {telemetry.Metric.BATCHES_CREATED: int(outcome == "created")})
                    logger.info(outcome, extra=telemetry.about(message))
                case _:
                    raise ValueError(f"the submitter knows no task {message.name!r}")
