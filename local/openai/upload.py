"""``POST /files``: a multipart form streamed to disk (CONTRACT F1-F3)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
from aiohttp import BodyPartReader, web

from local.openai.errors import ApiError
from local.openai.profiles import PURPOSES

if TYPE_CHECKING:
    from pathlib import Path

    from local.openai.files import FileStore, StoredFile
    from local.openai.profiles import Settings

_CHUNK = 256 * 1024
_SHORTEST_SECONDS = 3_600
_LONGEST_SECONDS = 2_592_000
_FIELD_MAX = 4_096


@dataclass
class _Form:
    written: Path
    filename: str | None = None
    size: int = 0
    fields: dict[str, str] = field(default_factory=dict)


async def receive(request: web.Request, files: FileStore, settings: Settings) -> StoredFile:
    """Read the form, judge it as OpenAI does, and store the file. Raises ``ApiError`` 400 or 413."""
    form = _Form(files.scratch_path())
    try:
        await _read_form(request, form, settings.max_upload_bytes)
        await asyncio.to_thread(_check, form, settings)
        return files.add(
            form.written,
            filename=form.filename or "",
            purpose=form.fields["purpose"],
            keep_seconds=_keep_seconds(form.fields, settings),
        )
    finally:
        form.written.unlink(missing_ok=True)


async def _read_form(request: web.Request, form: _Form, most: int) -> None:
    if not request.content_type.startswith("multipart/"):
        raise ApiError(400, "Expected a multipart/form-data body.")
    try:
        reader = await request.multipart()
        async for part in reader:
            if not isinstance(part, BodyPartReader):
                raise ApiError(400, "Nested multipart bodies are not supported.")
            if part.name == "file":
                await _read_file(part, form, most)
            else:
                form.fields[part.name or ""] = (await part.read_chunk(_FIELD_MAX)).decode("utf-8", "replace")
    except ValueError as error:
        raise ApiError(400, "Could not parse the multipart body.") from error


async def _read_file(part: BodyPartReader, form: _Form, most: int) -> None:
    """Write the part to disk; what is over ``most`` bytes is read and thrown away, so that the client gets its 413."""
    form.filename = part.filename or ""
    with form.written.open("wb") as out:
        while chunk := await part.read_chunk(_CHUNK):
            form.size += len(chunk)
            if form.size <= most:
                out.write(chunk)


def _check(form: _Form, settings: Settings) -> None:
    if form.filename is None:
        raise ApiError(400, "Missing required parameter: 'file'.", param="file", code="missing_required_parameter")
    purpose = form.fields.get("purpose")
    if not purpose:
        raise ApiError(
            400, "Missing required parameter: 'purpose'.", param="purpose", code="missing_required_parameter"
        )
    if purpose not in PURPOSES:
        raise ApiError(400, f"'{purpose}' is not one of {list(PURPOSES)} - 'purpose'", param="purpose")
    if form.size > settings.max_upload_bytes:
        raise ApiError(413, "Request Entity Too Large")
    if purpose == "batch":
        _check_batch_file(form, settings)


def _check_batch_file(form: _Form, settings: Settings) -> None:
    if not (form.filename or "").endswith(".jsonl"):
        raise ApiError(400, "Invalid file format for Batch API. Must be .jsonl")
    if form.size > settings.max_batch_bytes:
        raise ApiError(400, "File is too large.")
    if form.size == 0:
        raise ApiError(400, "Invalid file format for Batch API. The file is empty; it must be jsonl.")
    with form.written.open("rb") as lines:
        first = lines.readline()
    try:
        msgspec.json.decode(first)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, "Invalid file format. Line 1 is not valid JSON; the file must be jsonl.") from error


def _keep_seconds(fields: dict[str, str], settings: Settings) -> float:
    anchor, seconds = fields.get("expires_after[anchor]"), fields.get("expires_after[seconds]")
    if anchor is None and seconds is None:
        return settings.file_retention_seconds
    return check_expiry(anchor, int(seconds) if seconds and seconds.isdecimal() else seconds, "expires_after")


def check_expiry(anchor: object, seconds: object, param: str) -> float:
    """The seconds of an expiry policy. Raises ``ApiError`` 400: anchor ``created_at``, 3,600 to 2,592,000 seconds."""
    if anchor != "created_at":
        message = f"Invalid value: '{anchor}'. Supported values are: 'created_at'."
        raise ApiError(400, message, param=f"{param}.anchor", code="invalid_value")
    if isinstance(seconds, bool) or not isinstance(seconds, int):
        message = f"Invalid type for '{param}.seconds': expected an integer."
        raise ApiError(400, message, param=f"{param}.seconds", code="invalid_type")
    if not _SHORTEST_SECONDS <= seconds <= _LONGEST_SECONDS:
        message = f"Invalid '{param}.seconds': expected a value from {_SHORTEST_SECONDS} to {_LONGEST_SECONDS}."
        raise ApiError(400, message, param=f"{param}.seconds", code="integer_out_of_range")
    return seconds
