"""``/webhook_endpoints``: registered, listed, changed, rotated, tested (CONTRACT W7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from local.openai.app import SERVICE
from local.openai.errors import ApiError, json_response
from local.openai.paging import listing
from local.openai.parameters import json_object
from local.openai.webhooks import EVENT_TYPES, Endpoint, check_event_type

if TYPE_CHECKING:
    from local.openai.webhooks import Endpoints

_PAGE, _MOST = 20, 100

routes = web.RouteTableDef()


def _endpoints(request: web.Request) -> Endpoints:
    service = request.app[SERVICE]
    if not service.settings.webhooks:
        raise ApiError(404, f"Invalid URL ({request.method} {request.path})")
    return service.endpoints


@routes.get("/webhook_event_types", name="webhooks.event_types")
async def event_types(request: web.Request) -> web.Response:
    _endpoints(request)
    return json_response({"object": "list", "data": EVENT_TYPES})


@routes.post("/webhook_endpoints", name="webhooks.create")
async def create(request: web.Request) -> web.Response:
    endpoint = _endpoints(request).create(json_object(await request.read()))
    return json_response(endpoint.view(with_secret=True))


@routes.get("/webhook_endpoints", name="webhooks.list")
async def show_all(request: web.Request) -> web.Response:
    return listing(request, _endpoints(request).all(), Endpoint.view, usual=_PAGE, most=_MOST)


@routes.get("/webhook_endpoints/{id}", name="webhooks.retrieve")
async def show(request: web.Request) -> web.Response:
    return json_response(_endpoints(request).get(request.match_info["id"]).view())


@routes.post("/webhook_endpoints/{id}", name="webhooks.update")
async def update(request: web.Request) -> web.Response:
    asked = json_object(await request.read())
    return json_response(_endpoints(request).update(request.match_info["id"], asked).view())


@routes.delete("/webhook_endpoints/{id}", name="webhooks.delete")
async def delete(request: web.Request) -> web.Response:
    endpoint_id = request.match_info["id"]
    _endpoints(request).delete(endpoint_id)
    return json_response({"id": endpoint_id, "object": "webhook_endpoint.deleted", "deleted": True})


@routes.post("/webhook_endpoints/{id}/rotate_secret", name="webhooks.rotate_secret")
async def rotate_secret(request: web.Request) -> web.Response:
    asked = json_object(await request.read() or b"{}")
    keep_old = asked.get("keep_old_secret_active_for_24_hours") is True
    endpoint = _endpoints(request).rotate(request.match_info["id"], keep_old=keep_old)
    return json_response(endpoint.view(with_secret=True))


@routes.post("/webhook_endpoints/{id}/test", name="webhooks.test")
async def test(request: web.Request) -> web.Response:
    endpoint = _endpoints(request).get(request.match_info["id"])
    event_type = check_event_type(json_object(await request.read()).get("event_type"), "event_type")
    status = await request.app[SERVICE].deliveries.test(endpoint, event_type)
    if status is None:
        raise ApiError(400, f"The endpoint '{endpoint.url}' did not answer.")  # assumed (A23)
    view = {
        "object": "webhook_endpoint.test",
        "webhook_endpoint_id": endpoint.id,
        "event_type": event_type,
        "status_code": status,
        "success": True,
    }
    return json_response(view)
