"""``GET /files/{id}/content``: a file in pieces of 64 KiB, whole or broken by a fault (CONTRACT F5, X5, X6)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web

from local.openai.disruption import reset

if TYPE_CHECKING:
    from local.openai.files import StoredFile
    from local.openai.plans import RequestFault

_PIECE = 64 * 1024


async def send(request: web.Request, stored: StoredFile, fault: RequestFault | None) -> web.StreamResponse:
    """Stream the file. ``Range`` is not honoured, the content is not compressed."""
    cut = fault if fault is not None and fault.do in ("cut", "short") else None
    length = min(cut.at, stored.bytes) if cut else stored.bytes
    response = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
    response.headers["Content-Disposition"] = f'attachment; filename="{stored.id}.jsonl"'
    response.content_length = length if cut and cut.do == "short" else stored.bytes
    await response.prepare(request)
    await _write(response, stored, length)
    if cut and cut.do == "cut":
        await _break(request, cut)
    else:
        await response.write_eof()
    return response


async def _write(response: web.StreamResponse, stored: StoredFile, length: int) -> None:
    with stored.path.open("rb") as source:
        while length > 0:
            piece = source.read(min(_PIECE, length))
            await response.write(piece)
            length -= len(piece)


async def _break(request: web.Request, cut: RequestFault) -> None:
    if cut.how == "rst":
        # An RST overtakes what is still under way; the client must have read up to the cut.
        await asyncio.sleep(0.05)
        reset(request)
    elif request.transport is not None:
        request.transport.close()
