"""``/_admin``: the levers of tests and demos. No key; the server listens on loopback only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from local.openai.app import SERVICE
from local.openai.errors import ApiError, json_response

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from local.openai.service import Service

routes = web.RouteTableDef()


@web.middleware
async def refuse(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Turn a wrong argument into a 400 that says what is wrong."""
    try:
        return await handler(request)
    except ApiError as error:
        return json_response(error.body, error.status)
    except (ValueError, KeyError) as error:
        return json_response({"error": {"message": str(error)}}, 400)


async def _arguments(request: web.Request) -> dict[str, Any]:
    raw = await request.read()
    arguments: dict[str, Any] = msgspec.json.decode(raw, type=dict[str, Any]) if raw else {}
    return arguments


@routes.get("/faults")
async def show_faults(request: web.Request) -> web.Response:
    return json_response(request.app[SERVICE].faults.view())


@routes.post("/faults")
async def add_faults(request: web.Request) -> web.Response:
    service = request.app[SERVICE]
    service.faults.add(await _arguments(request))
    return json_response(service.faults.view())


@routes.delete("/faults")
async def clear_faults(request: web.Request) -> web.Response:
    request.app[SERVICE].faults.clear()
    return json_response({})


@routes.get("/journal")
async def journal(request: web.Request) -> web.Response:
    return json_response(request.app[SERVICE].journal.entries(request.query.get("route")))


@routes.get("/executions")
async def executions(request: web.Request) -> web.Response:
    query = request.query
    found = request.app[SERVICE].journal.executions(
        by=query.get("by", "custom_id"), ok_only=query.get("ok_only") == "true", batch=query.get("batch")
    )
    return json_response(found)


@routes.get("/happenings")
async def happenings(request: web.Request) -> web.Response:
    return json_response(request.app[SERVICE].journal.happenings(request.query.get("scope")))


@routes.get("/deliveries")
async def deliveries(request: web.Request) -> web.Response:
    return json_response(list(request.app[SERVICE].journal.deliveries))


@routes.get("/settings")
async def show_settings(request: web.Request) -> web.Response:
    return json_response(request.app[SERVICE].settings)


@routes.patch("/settings")
async def change_settings(request: web.Request) -> web.Response:
    service = request.app[SERVICE]
    service.settings.update(await _arguments(request))
    return json_response(service.settings)


@routes.get("/clock")
async def show_clock(request: web.Request) -> web.Response:
    return json_response(_clock(request.app[SERVICE]))


def _clock(service: Service) -> dict[str, Any]:
    return {"now": service.clock.now(), "virtual": service.clock.virtual}


@routes.post("/clock/advance")
async def advance(request: web.Request) -> web.Response:
    """Move the clock, and reply when everything that was due by then is done."""
    service = request.app[SERVICE]
    service.clock.advance(float((await _arguments(request))["seconds"]))
    await service.agenda.settle()
    service.agenda.changed.set()
    return json_response(_clock(service))


@routes.get("/state")
async def state(request: web.Request) -> web.Response:
    """The true batches, oldest first, whatever faults show; the files; the enqueued tokens by model."""
    service = request.app[SERVICE]
    now = service.clock.now()
    batches = [batch.view(now) | {"status": batch.status} for batch in service.engine.batches.values()]
    files = [stored.view() for stored in service.files.all(newest_first=False)]
    enqueued = service.engine.intake.limits.enqueued(now)
    requests = service.journal.summary()
    return json_response({"batches": batches, "files": files, "enqueued_tokens": enqueued, "requests": requests})


@routes.post("/forget")
async def forget(request: web.Request) -> web.Response:
    """Drop a batch, as one that has aged out."""
    service = request.app[SERVICE]
    service.engine.forget(str((await _arguments(request))["batch"]))
    return json_response({})


@routes.post("/reset")
async def reset(request: web.Request) -> web.Response:
    await request.app[SERVICE].reset((await _arguments(request)).get("seed"))
    return json_response({})
