"""``/uploads``: announced, filled with parts, completed or cancelled (CONTRACT F6)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aiohttp import web

from local.openai.app import ENTRY, SERVICE
from local.openai.errors import ApiError, json_response
from local.openai.parameters import json_object, keep_seconds, text
from local.openai.parts import join
from local.openai.upload import check_batch_file, check_count, check_purpose, receive_part

if TYPE_CHECKING:
    from pathlib import Path

    from local.openai.parts import Upload
    from local.openai.settings import Settings

routes = web.RouteTableDef()


@routes.post("/uploads", name="uploads.create")
async def create(request: web.Request) -> web.Response:
    service = request.app[SERVICE]
    asked = json_object(await request.read())
    size = asked.get("bytes")
    if isinstance(size, bool) or not isinstance(size, int):
        raise ApiError(400, "Invalid type for 'bytes': expected an integer.", param="bytes", code="invalid_type")
    text(asked, "mime_type")
    upload = service.uploads.create(
        size=size,
        filename=text(asked, "filename"),
        purpose=check_purpose(asked.get("purpose")),
        keep_seconds=keep_seconds(asked.get("expires_after"), "expires_after", service.settings),
    )
    request[ENTRY].ids["upload"] = upload.id
    return json_response(upload.view())


@routes.post("/uploads/{id}/parts", name="uploads.add_part")
async def add_part(request: web.Request) -> web.Response:
    service = request.app[SERVICE]
    upload = service.uploads.pending(request.match_info["id"])
    path = await receive_part(request, service.files, service.settings.max_part_bytes)
    if upload.status != "pending":
        path.unlink()
        upload = service.uploads.pending(upload.id)
    return json_response(service.uploads.add_part(upload, path))


@routes.post("/uploads/{id}/complete", name="uploads.complete")
async def complete(request: web.Request) -> web.Response:
    service = request.app[SERVICE]
    upload = service.uploads.pending(request.match_info["id"])
    asked = json_object(await request.read())
    check_count(service.files, service.settings)
    target = service.files.scratch_path()
    try:
        await asyncio.to_thread(_join, upload, asked, target, service.settings)
        upload = service.uploads.pending(upload.id)  # it may have been completed or cancelled meanwhile
        upload.file = service.files.add(
            target, filename=upload.filename, purpose=upload.purpose, keep_seconds=upload.keep_seconds
        )
    finally:
        target.unlink(missing_ok=True)
    upload.end("completed")
    request[ENTRY].ids["file"] = upload.file.id
    return json_response(upload.view())


def _join(upload: Upload, asked: dict[str, Any], target: Path, settings: Settings) -> None:
    part_ids = asked.get("part_ids")
    if not isinstance(part_ids, list):
        raise ApiError(400, "Invalid type for 'part_ids': expected an array.", param="part_ids", code="invalid_type")
    join(upload, part_ids, asked.get("md5"), target)
    if upload.purpose == "batch":
        check_batch_file(target, upload.filename, upload.bytes, settings)


@routes.post("/uploads/{id}/cancel", name="uploads.cancel")
async def cancel(request: web.Request) -> web.Response:
    upload = request.app[SERVICE].uploads.pending(request.match_info["id"])
    upload.end("cancelled")
    return json_response(upload.view())
