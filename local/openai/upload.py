"""``POST /files``: a multipart form streamed to disk (CONTRACT F1-F3)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
from aiohttp import BodyPartReader, web

from local.openai.errors import ApiError
from local.openai.settings import PURPOSES
from local.openai.validation import validate

if TYPE_CHECKING:
    from pathlib import Path

    from local.openai.files import FileStore, StoredFile
    from local.openai.settings import Settings

_CHUNK = 256 * 1024
_FIELD_MAX = 4_096


@dataclass
class _Form:
    written: Path
    filename: str | None = None
    size: int = 0
    fields: dict[str, str] = field(default_factory=dict)


async def receive_part(request: web.Request, files: FileStore, most: int) -> Path:
    """A part of the Uploads API, on disk. Raises ``ApiError`` 400."""
    form = _Form(files.scratch_path())
    try:
        await _read_form(request, form, most, "data")
        _check_part(form, most)
    except BaseException:
        form.written.unlink(missing_ok=True)
        raise
    return form.written


def _check_part(form: _Form, most: int) -> None:
    if form.filename is None:
        raise _missing("data")
    if form.size > most:
        raise ApiError(400, f"The part is too large: at most {most} bytes.", param="data")  # assumed (A22)


async def receive(request: web.Request, files: FileStore, settings: Settings) -> StoredFile:
    """Read the form, judge it as OpenAI does, and store the file. Raises ``ApiError`` 400 or 413."""
    form = _Form(files.scratch_path())
    try:
        await _read_form(request, form, settings.max_upload_bytes, "file")
        await asyncio.to_thread(_check, form, settings)
        check_count(files, settings)
        return files.add(
            form.written,
            filename=form.filename or "",
            purpose=form.fields["purpose"],
            keep_seconds=_keep_seconds(form.fields, settings),
        )
    finally:
        form.written.unlink(missing_ok=True)


async def _read_form(request: web.Request, form: _Form, most: int, name: str) -> None:
    # assumed (A10): a body in chunks, without a length, is taken.
    if not request.content_type.startswith("multipart/"):
        raise ApiError(400, "Expected a multipart/form-data body.")
    try:
        reader = await request.multipart()
        async for part in reader:
            if not isinstance(part, BodyPartReader):
                raise ApiError(400, "Nested multipart bodies are not supported.")
            if part.name == name:
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


def _missing(name: str) -> ApiError:
    return ApiError(400, f"Missing required parameter: '{name}'.", param=name, code="missing_required_parameter")


def _check(form: _Form, settings: Settings) -> None:
    if form.filename is None:
        raise _missing("file")
    purpose = check_purpose(form.fields.get("purpose"))
    if form.size > settings.max_upload_bytes:
        raise ApiError(413, "Request Entity Too Large")
    if purpose == "batch":
        check_batch_file(form.written, form.filename, form.size, settings)


def check_purpose(purpose: object) -> str:
    """The purpose, if there is one by that name. Raises ``ApiError`` 400."""
    if not purpose:
        raise _missing("purpose")
    if purpose not in PURPOSES:
        raise ApiError(400, f"'{purpose}' is not one of {list(PURPOSES)} - 'purpose'", param="purpose")
    return str(purpose)


def check_count(files: FileStore, settings: Settings) -> None:
    """Raises ``ApiError`` 400 where the provider keeps no more files."""
    if settings.max_files is not None and len(files.all()) >= settings.max_files:
        raise ApiError(400, f"At most {settings.max_files} files may be kept. Delete some.")  # assumed (A9)


def check_batch_file(path: Path, filename: str, size: int, settings: Settings) -> None:
    """What an input of batches must be when it comes. Raises ``ApiError`` 400."""
    if not filename.endswith(".jsonl"):
        raise ApiError(400, "Invalid file format for Batch API. Must be .jsonl")
    if size > settings.max_batch_bytes:
        raise ApiError(400, "File is too large.")
    if size == 0:  # assumed (A9): the wording, here and of the first line
        raise ApiError(400, "Invalid file format for Batch API. The file is empty; it must be jsonl.")
    with path.open("rb") as lines:
        first = lines.readline()  # assumed (A8): a byte order mark is no JSON
    try:
        request = msgspec.json.decode(first)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, "Invalid file format. Line 1 is not valid JSON; the file must be jsonl.") from error
    if settings.validates_uploads:
        _check_lines(path, request, settings)


def _check_lines(path: Path, first: object, settings: Settings) -> None:
    endpoint = first.get("url") if isinstance(first, dict) else None
    for error in validate(path, str(endpoint), settings).errors:
        raise ApiError(400, f"Line {error['line']}: {error['message']}", param=error["param"], code=error["code"])


def _keep_seconds(fields: dict[str, str], settings: Settings) -> float:
    anchor, seconds = fields.get("expires_after[anchor]"), fields.get("expires_after[seconds]")
    if anchor is None and seconds is None:
        return settings.file_retention_seconds
    number = int(seconds) if seconds and seconds.isdecimal() else seconds
    return check_expiry(anchor, number, "expires_after", settings.file_expiry)


def check_expiry(anchor: object, seconds: object, param: str, allowed: tuple[int, int] | None) -> float:
    """The seconds of an expiry policy, anchored at ``created_at``. Raises ``ApiError`` 400; codes are assumed (A11)."""
    if allowed is None:
        raise ApiError(400, f"Unknown parameter: '{param}'.", param=param, code="unknown_parameter")
    if anchor != "created_at":
        message = f"Invalid value: '{anchor}'. Supported values are: 'created_at'."
        raise ApiError(400, message, param=f"{param}.anchor", code="invalid_value")
    if isinstance(seconds, bool) or not isinstance(seconds, int):
        message = f"Invalid type for '{param}.seconds': expected an integer."
        raise ApiError(400, message, param=f"{param}.seconds", code="invalid_type")
    if not allowed[0] <= seconds <= allowed[1]:
        message = f"Invalid '{param}.seconds': expected a value from {allowed[0]} to {allowed[1]}."
        raise ApiError(400, message, param=f"{param}.seconds", code="integer_out_of_range")
    return seconds
