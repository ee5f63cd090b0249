"""The routes of the API, and what surrounds each: key, journal, faults."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from aiohttp import web

from local.openai import content, parameters, upload
from local.openai.errors import ApiError, json_response
from local.openai.files import StoredFile
from local.openai.journal import Entry
from local.openai.paging import listing
from local.openai.plans import RequestFault
from local.openai.service import Service
from local.openai.validation import unknown_file

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from local.openai.batch import Batch

SERVICE = web.AppKey("service", Service)
ENTRY = web.RequestKey("entry", Entry)
FAULT = web.RequestKey("fault", RequestFault)

_HOUR = 3_600
_KEPT_HEADERS = ("Idempotency-Key", "X-Stainless-Retry-Count", "Range", "Content-Length", "Transfer-Encoding")
_BATCHES_PAGE, _BATCHES_MOST = 20, 100
_FILES_MOST = 10_000
_KINDS = {"batches": "batch", "files": "file", "uploads": "upload", "webhooks": "webhook_endpoint"}

routes = web.RouteTableDef()


@web.middleware
async def surround(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Journal the request, check its key, and let the scripted fault happen, if there is one."""
    service = request.app[SERVICE]
    route = request.match_info.route.name or "unknown"
    path_id = request.match_info.get("id")
    entry = service.journal.open(route=route, method=request.method, path=request.path_qs, at=service.clock.now())
    entry.headers = {name: request.headers[name] for name in _KEPT_HEADERS if name in request.headers}
    if path_id:
        entry.ids[_KINDS[route.partition(".")[0]]] = path_id
    request[ENTRY] = entry
    fault = service.faults.for_request(route, path_id, _content_size(service, route, path_id))
    if fault is not None:
        request[FAULT] = fault
    response = await service.disruption.handle(request, _authorized(handler), fault, entry)
    broken = request.transport is None or request.transport.is_closing()
    entry.status = None if broken else response.status
    if not response.prepared:
        response.headers["x-request-id"] = service.ids.request()
    return response


def _authorized(
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def checked(request: web.Request) -> web.StreamResponse:
        settings = request.app[SERVICE].settings
        key = _key(request, settings.key_header)
        if not key:
            raise ApiError(401, "You didn't provide an API key. Send it as Authorization: Bearer YOUR_KEY.")
        if settings.api_keys and key not in settings.api_keys:
            raise ApiError(401, "Incorrect API key provided.", code="invalid_api_key")
        return await handler(request)

    return checked


def _key(request: web.Request, header: str | None) -> str:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme == "Bearer":
        return key.strip()
    return request.headers.get(header, "") if header else ""


def _content_size(service: Service, route: str, file_id: str | None) -> int | None:
    if route != "files.content" or file_id is None:
        return None
    try:
        return service.files.get(file_id).bytes
    except ApiError:
        return None


@routes.post("/files", name="files.create")
async def create_file(request: web.Request) -> web.Response:
    service = request.app[SERVICE]
    stored = await upload.receive(request, service.files, service.settings)
    request[ENTRY].ids |= {"file": stored.id, "filename": stored.filename}
    return json_response(stored.view())


@routes.get("/files", name="files.list")
async def list_files(request: web.Request) -> web.Response:
    order = request.query.get("order", "desc")
    files = request.app[SERVICE].files.all(purpose=request.query.get("purpose"), newest_first=order != "asc")
    return listing(request, files, StoredFile.view, usual=_FILES_MOST, most=_FILES_MOST)


@routes.get("/files/{id}", name="files.retrieve")
async def retrieve_file(request: web.Request) -> web.Response:
    return json_response(request.app[SERVICE].files.get(request.match_info["id"]).view())


@routes.get("/files/{id}/content", name="files.content")
async def file_content(request: web.Request) -> web.StreamResponse:
    service = request.app[SERVICE]
    stored = service.files.get(request.match_info["id"])
    return await content.send(request, stored, service.settings, request.get(FAULT))


@routes.delete("/files/{id}", name="files.delete")
async def delete_file(request: web.Request) -> web.Response:
    file_id = request.match_info["id"]
    request.app[SERVICE].files.delete(file_id)
    return json_response({"id": file_id, "object": "file", "deleted": True})


@routes.post("/batches", name="batches.create")
async def create_batch(request: web.Request) -> web.Response:
    service = request.app[SERVICE]
    asked = parameters.parse(await request.read(), service.settings)
    entry = request[ENTRY]
    entry.ids["input_file"] = asked.input_file_id
    entry.metadata = asked.metadata
    key = request.headers.get("Idempotency-Key") if service.settings.idempotency else None
    if key in service.creates:
        return json_response(_view(service, service.engine.get(service.creates[key])), service.settings.create_status)
    _check_rate(service)
    _check_file(service, asked.input_file_id)
    batch = service.engine.create(asked, await service.engine.intake.preview(asked))
    if key is not None:
        service.creates[key] = batch.id
    entry.ids["batch"] = batch.id
    return json_response(_view(service, batch), service.settings.create_status)


def _check_file(service: Service, file_id: str) -> None:
    if service.settings.unknown_file_at_create and not service.files.has(file_id):
        error = unknown_file(file_id)
        raise ApiError(400, error.message, param=error.param, code=error.code)


def _check_rate(service: Service) -> None:
    since = service.clock.now() - _HOUR
    most = service.settings.creates_per_hour
    if service.engine.created_since(since, most) >= most:
        message = f"Rate limit reached: {most} batches may be created per hour."
        # The status was captured, code and text are assumed (A12).
        raise ApiError(429, message, code="rate_limit_exceeded", headers={"Retry-After": "60"})


@routes.get("/batches", name="batches.list")
async def list_batches(request: web.Request) -> web.Response:
    service = request.app[SERVICE]
    visible = service.clock.now() - service.settings.list_lag_seconds
    # assumed (A13): newest first is the convention, the specification is silent.
    newest_first = [b for b in reversed(service.engine.batches.values()) if b.created <= visible]
    return listing(request, newest_first, partial(_view, service), usual=_BATCHES_PAGE, most=_BATCHES_MOST)


@routes.get("/batches/{id}", name="batches.retrieve")
async def retrieve_batch(request: web.Request) -> web.Response:
    service = request.app[SERVICE]
    return json_response(_view(service, service.engine.get(request.match_info["id"])))


@routes.post("/batches/{id}/cancel", name="batches.cancel")
async def cancel_batch(request: web.Request) -> web.Response:
    service = request.app[SERVICE]
    return json_response(_view(service, service.engine.cancel(request.match_info["id"])))


def _view(service: Service, batch: Batch) -> dict[str, Any]:
    settings = service.settings
    return batch.view(service.clock.now(), settings.missing_file_id, settings.status_names)
