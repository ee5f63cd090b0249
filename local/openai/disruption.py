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

    from local.openai.plans import RequestFault

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_REMEMBERED = 8
_BEFORE = {"status", "reset_before", "hang"}
_AFTER = {"status_after", "reset_after", "hang_after"}


class Disruption:
    """Applies one fault to one request; remembers replies for ``stale``."""

    def __init__(self) -> None:
        self._replies: defaultdict[str, deque[bytes]] = defaultdict(lambda: deque(maxlen=_REMEMBERED))

    async def handle(
        self, request: web.Request, handler: Handler, fault: RequestFault | None
    ) -> tuple[web.StreamResponse, bool]:
        """The reply, and whether the work was done. A reset leaves a reply that never reaches the client."""
        if fault is None:
            response, done = await answered(request, handler)
            self._remember(request, response)
            return response, done
        if fault.do == "delay":
            await asyncio.sleep(fault.seconds)
        if fault.do in _BEFORE:
            await drain(request)
            return await self._instead(request, fault), False
        response, done = await answered(request, handler)
        if fault.do in _AFTER:
            response = await self._instead(request, fault)
        elif fault.do == "patch":
            response = _patched(response, fault)
        elif fault.do == "stale":
            response = self._stale(request, response, fault)
        return response, done

    async def _instead(self, request: web.Request, fault: RequestFault) -> web.Response:
        if fault.do.startswith("status"):
            return refusal(fault)
        if fault.do.startswith("hang"):
            await asyncio.sleep(fault.seconds)
        reset(request)
        return web.Response(status=499)

    def _remember(self, request: web.Request, response: web.StreamResponse) -> None:
        replies = self._replies[request.path_qs] if request.method == "GET" else None
        body = response.body if isinstance(response, web.Response) else None
        if replies is not None and isinstance(body, bytes) and (not replies or replies[-1] != body):
            replies.append(body)

    def _stale(self, request: web.Request, response: web.StreamResponse, fault: RequestFault) -> web.StreamResponse:
        self._remember(request, response)
        replies = self._replies[request.path_qs]
        if len(replies) <= fault.back:
            return response
        return web.Response(body=replies[-1 - fault.back], content_type="application/json")


async def answered(request: web.Request, handler: Handler) -> tuple[web.StreamResponse, bool]:
    """Run the route; a refusal is a reply too. The flag tells whether the work was done."""
    try:
        response = await handler(request)
    except ApiError as error:
        await drain(request)
        return json_response(error.body, error.status, error.headers), False
    except web.HTTPException as error:
        body = error_body(f"Invalid URL ({request.method} {request.path})", param=None, code=None, type=type_of(404))
        return json_response(body, error.status), False
    return response, True


def refusal(fault: RequestFault) -> web.Response:
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
    body = fault.body or error_body(fault.message, param=None, code=fault.code, type=kind)
    return json_response(body, fault.status, headers)


def reset(request: web.Request) -> None:
    """Break the connection with a TCP RST."""
    transport = request.transport
    if transport is None:
        return
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


async def drain(request: web.Request) -> None:
    """Read what the client still sends: a reply that comes before is lost to most clients."""
    try:
        async for _ in request.content.iter_any():
            pass
    except (OSError, web.HTTPException):
        return


def _patched(response: web.StreamResponse, fault: RequestFault) -> web.StreamResponse:
    if not isinstance(response, web.Response) or not isinstance(response.body, bytes):
        return response
    body = msgspec.json.decode(response.body)
    objects: list[dict[str, Any]] = body["data"] if body.get("object") == "list" else [body]
    for item in objects:
        if fault.when.items() <= item.items():
            item.update(fault.patch)
    return json_response(body, response.status)
