"""Lambda: one tick. Triggers: the schedule, the submitter when a plan is done, or anybody who wants a look now.

``{"cancel": "<job id>"}`` stops a job first, ``{"redrive": "<job id>"}`` has what was put aside tried again. The
answer begins with what came of it: ``cancelled``, ``released``.
``{"poke": true}``, which our functions send, may be left to another tick. What is not understood is answered with
``error``, and there is no tick.
"""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Any

import msgspec

from batchdrop import bootstrap, telemetry
from batchdrop.core import events

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from batchdrop.usecases.poll import Tick

logger = telemetry.logger()
metrics = telemetry.metrics()


@functools.cache
def app() -> bootstrap.App:
    return bootstrap.app(os.environ)


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    taken: tuple[dict[str, Any], Tick | None] = take(event, context)
    answer, tick = taken
    if tick and tick.untold:
        app().poll.told(tick)  # now that its metrics are out
    return answer


@metrics.log_metrics
@logger.inject_lambda_context
def take(event: dict[str, Any], context: LambdaContext) -> tuple[dict[str, Any], Tick | None]:
    try:
        look = events.asked(event)
    except ValueError as error:
        telemetry.no_tick(metrics)
        logger.warning("not understood")
        return {"error": str(error)}, None
    if look.poke and not app().heeds_poke():
        telemetry.no_tick(metrics)
        logger.info("another tick was just made")
        return {}, None
    done: dict[str, Any] = {}
    if look.cancel:
        done["cancelled"] = app().cancel(look.cancel)
        logger.info("cancel", extra={"job_id": look.cancel, **done})
    if look.redrive:
        done["released"] = app().release(look.redrive)
        logger.info("redrive", extra={"job_id": look.redrive, "released": done["released"]})
    tick = app().poll(bootstrap.deadline(context))
    telemetry.count(metrics, telemetry.of_tick(tick))
    seen: dict[str, Any] = msgspec.to_builtins(tick, enc_hook=str)
    (logger.warning if tick.troubles else logger.info)("tick", extra=seen)
    return done | seen, tick
