"""Lambda: plan what was dropped, submit what was admitted, take note of cancels.

Triggers: the plan queue (S3's events, and the poller's word that a plan goes on) and the submit queue (the poller's).
"""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Any

from batchdrop import bootstrap, telemetry
from batchdrop.core import events, naming, poison
from batchdrop.telemetry import Metric

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from batchdrop.core.model import Job
    from batchdrop.ports import Deadline

logger = telemetry.logger()
metrics = telemetry.metrics()


@functools.cache
def app() -> bootstrap.App:
    return bootstrap.app(os.environ)


@metrics.log_metrics
@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> None:
    telemetry.count(metrics, {Metric.MESSAGES: len(event["Records"])})
    for record in event["Records"]:
        for message in events.parse(record["body"]):
            take(message, bootstrap.deadline(context))


def take(message: events.Event, deadline: Deadline) -> None:
    match message:
        case events.Dropped() if not app().serves(message):
            logger.warning("not ours", extra=telemetry.about(message) | {"account": message.account})
        case events.Dropped() if message.key.endswith(naming.CANCEL):
            stopped = app().cancel.dropped(message.bucket, message.key, message.version_id)
            log, word = (logger.info, "cancel") if stopped else (logger.warning, "nothing to cancel")
            log(word, extra=telemetry.about(message) | {"cancelled": stopped})
        case events.Dropped():
            planned(message, app().plan(message.bucket, message.key, message.version_id, deadline))
        case events.Task(name="plan"):
            planned(message, app().plan.resume(message.key.job_id, deadline))
        case events.Task(name="submit"):
            outcome = app().submit(message.key, deadline)
            telemetry.count(metrics, {Metric.BATCHES_CREATED: int(outcome == "created")})
            logger.info(outcome, extra=telemetry.about(message))
            if outcome == "quarantined":
                raise telemetry.GivenUp(message.key.item)
        case _:
            raise ValueError(f"the submitter knows no task {message.name!r}")


def planned(message: events.Event, job: Job | None) -> None:
    telemetry.count(metrics, telemetry.of_plan(job))
    if trouble := telemetry.waits_for(job):
        logger.warning("put off", extra=telemetry.about(message, job) | {"trouble": trouble})
    else:
        logger.info("plan", extra=telemetry.about(message, job))
    if poison.is_given_up(job):
        raise telemetry.GivenUp(job.job_id if job else "")
