"""Lambda: fetch a batch's answers, join a chunk, assemble a job, clean up. Trigger: the poller's collect queue."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Any

from batchdrop import bootstrap, telemetry
from batchdrop.core import events, poison

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
    telemetry.count(metrics, {telemetry.Metric.MESSAGES: len(event["Records"])})
    for record in event["Records"]:
        for message in events.parse(record["body"]):
            if not isinstance(message, events.Task) or message.name != "collect":
                raise ValueError("the collector takes collect tasks only")
            trouble = app().collect(message.key, deadline)
            telemetry.count(metrics, telemetry.of_collect(trouble))
            if trouble and trouble.reason.startswith(poison.QUARANTINED):
                raise telemetry.GivenUp(trouble.reason)
            if trouble:
                logger.warning("put off", extra=telemetry.about(message) | {"trouble": trouble.reason})
            else:
                logger.info("collected", extra=telemetry.about(message))
