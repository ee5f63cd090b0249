"""The scripted faults of HTTP requests, carried out around the routes (CONTRACT X1-X11)."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import defaultdict, deque
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from local.openai.errors import ApiError, error_body, json_response, type_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from local.openai.agenda import Agenda
    from local.openai.clock import Clock
    from local.openai.journal import Entry
    from local.openai.plans import RequestFault

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_REMEMBERED = 8
_BEFORE = ("status", "reset_before", "hang")
_AFTER = ("status_after", "reset_after", "hang_after")


class Disruption:
    """Carries out a request, with its fault if it has one; remembers replies for ``stale``."""

    def __init__(self, clock: Clock, agenda: Agenda) -> None:
        self._clock = clock
        self._agenda = agenda
        self._replies: defaultdict[str, deque[bytes]] = defaultdict(lambda: deque(maxlen=_REMEMBERED))

    async def handle(
        self, request: web.Request, handler: Handler, fault: RequestFault | None, entry: Entry
    ) -> web.StreamResponse:
        """The reply; one that follows a reset never reaches the client. Notes in ``entry`` whether work was done."""
        if fault is None:
            return self._remembered(request, await _answered(request, handler, entry))
        entry.fault = fault.do
        if fault.do == "delay":
            if request.content_type == "application/json":
                await request.read()  # what has arrived is carried out, even if the client dies while it waits
            await asyncio.sleep(fault.seconds)
        if fault.do == "late":
            return await self._later(request, handler, fault, entry)
        if fault.do in _BEFORE:
            await _drain(request)
            return await _instead(request, fault)
        response = await _answered(request, handler, entry)
        if fault.do in _AFTER:
            return await _instead(request, fault)
        if fault.do == "stale":
            return self._stale(request, response, fault)
        return _patched(response, fault, entry) if fault.do == "patch" else response

    async def _later(
        self, request: web.Request, handler: Handler, fault: RequestFault, entry: Entry
    ) -> web.StreamResponse:
        await request.read()  # the handler finds it there, when the connection is long gone

        async def work() -> None:
            await _answered(request, handler, entry)

        self._agenda.add(self._clock.now() + fault.seconds, work)
        return _broken(request)

    def _remembered(self, request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
        body = response.body if isinstance(response, web.Response) else None
        if request.method == "GET" and isinstance(body, bytes):
            replies = self._replies[request.path_qs]
            if not replies or replies[-1] != body:
                replies.append(body)
        return response

    def _stale(self, request: web.Request, response: web.StreamResponse, fault: RequestFault) -> web.StreamResponse:
        self._remembered(request, response)
        replies = self._replies[request.path_qs]
        if len(replies) <= fault.back:
            return response
        return web.Response(body=replies[-1 - fault.back], content_type="application/json")


async def _answered(request: web.Request, handler: Handler, entry: Entry) -> web.StreamResponse:
    """Run the route; a refusal is a reply too."""
    try:
        response = await handler(request)
    except ApiError as error:
        await _drain(request)
        return json_response(error.body, error.status, error.headers)
    except web.HTTPException as error:  # raised by aiohttp: no such route, or a body that is too large
        message = f"Invalid URL ({request.method} {request.path})" if error.status in (404, 405) else error.reason
        return json_response(error_body(message, param=None, code=None, type=type_of(error.status)), error.status)
    entry.effect = True
    return response


async def _instead(request: web.Request, fault: RequestFault) -> web.StreamResponse:
    if fault.do.startswith("status"):
        return _refusal(fault)
    if fault.do.startswith("hang"):
        await asyncio.sleep(fault.seconds)
    return _broken(request)


def _refusal(fault: RequestFault) -> web.Response:
    """The reply that a ``status`` rule describes."""
    headers = dict(fault.headers)
    if fault.retry_after is not None:
        headers["Retry-After"] = f"{fault.retry_after:g}"
    if fault.retry_after_ms is not None:
        headers["Retry-After-Ms"] = str(fault.retry_after_ms)
    if fault.html:
        page = f"<html><head><title>{fault.status}</title></head><body><center>{fault.status}</center></body></html>"
        return web.Response(text=page, status=fault.status, headers=headers, content_type="text/html")
    kind = fault.type or type_of(fault.status)
    body = fault.body or error_body(fault.message, param=fault.param, code=fault.code, type=kind)
    return json_response(body, fault.status, headers)


def reset(request: web.Request) -> None:
    """Break the connection with a TCP RST."""
    transport = request.transport
    if transport is None:
        return
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _broken(request: web.Request) -> web.Response:
    reset(request)
    return web.Response(status=499)


async def _drain(request: web.Request) -> None:
    """Read what the client still sends: a reply that comes before is lost to most clients."""
    try:
        async for _ in request.content.iter_any():
            pass
    except OSError:
        return


def _patched(response: web.StreamResponse, fault: RequestFault, entry: Entry) -> web.StreamResponse:
    """The reply with its objects changed; a reply without a fitting object does not count as one of ``times``."""
    if isinstance(response, web.Response) and isinstance(response.body, bytes):
        body = msgspec.json.decode(response.body)
        objects: list[dict[str, Any]] = body["data"] if body.get("object") == "list" else [body]
        fitting = [item for item in objects if fault.when.items() <= item.items()]
        if fitting:
            for item in fitting:
                item.update(fault.patch)
            return json_response(body, response.status)
    fault.applied -= 1
    entry.fault = None
    return response
