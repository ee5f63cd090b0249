"""``GET /files/{id}/content``: a file in pieces of 64 KiB, whole or broken by a fault (CONTRACT F5, X5, X6)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web

from local.openai.disruption import reset

if TYPE_CHECKING:
    from local.openai.files import StoredFile
    from local.openai.plans import RequestFault
    from local.openai.settings import Settings

_PIECE = 64 * 1024


async def send(
    request: web.Request, stored: StoredFile, settings: Settings, fault: RequestFault | None
) -> web.StreamResponse:
    """Stream the file. ``Range`` and gzip only where the settings switch them on."""
    response = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
    response.headers["Content-Disposition"] = f'attachment; filename="{stored.filename}"'
    start, end = _wanted(request, stored, settings, response)
    if settings.content_gzip and "gzip" in request.headers.get("Accept-Encoding", ""):
        response.enable_compression(web.ContentCoding.gzip)
    else:
        response.content_length = end - start
    # What ends before the fault's byte comes whole: its connection is kept, and may serve the next request.
    broken = fault if fault is not None and fault.do in ("cut", "short") and start + fault.at < end else None
    if broken is not None:
        end = start + broken.at
        if broken.do == "short":
            response.content_length = end - start
    await response.prepare(request)
    await _write(response, stored, start, end)
    if broken is not None and broken.do == "cut":
        await _break(request, broken)
    else:
        await response.write_eof()
    return response


def _wanted(
    request: web.Request, stored: StoredFile, settings: Settings, response: web.StreamResponse
) -> tuple[int, int]:
    """First byte and end of what is to be sent; marks the response where that is a part."""
    try:
        wanted = request.http_range.indices(stored.bytes)[:2] if settings.content_range else (0, stored.bytes)
    except ValueError:
        wanted = (0, stored.bytes)
    start, end = wanted
    if settings.content_range and "Range" in request.headers and start < end:
        response.set_status(206)
        response.headers["Content-Range"] = f"bytes {start}-{end - 1}/{stored.bytes}"
    return start, end


async def _write(response: web.StreamResponse, stored: StoredFile, start: int, end: int) -> None:
    with stored.path.open("rb") as source:
        source.seek(start)
        while start < end:
            piece = source.read(min(_PIECE, end - start))
            await response.write(piece)
            start += len(piece)


async def _break(request: web.Request, cut: RequestFault) -> None:
    if cut.how == "rst":
        # An RST overtakes what is still under way; give the client time to read up to the cut.
        await asyncio.sleep(0.05)
        reset(request)
    elif request.transport is not None:
        request.transport.close()
