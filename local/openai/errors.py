"""The one error that a route raises, and OpenAI's error envelope."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web


class ApiError(Exception):
    """A refusal of the API: HTTP ``status`` and the fields of OpenAI's ``error`` object.

    ``type`` defaults to what OpenAI sends for that status.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        type: str | None = None,  # noqa: A002 - the wire name
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}
        self.body = error_body(message, param=param, code=code, type=type or type_of(status))


def type_of(status: int) -> str:
    """The ``error.type`` that goes with an HTTP status; assumed (A26)."""
    if status >= web.HTTPInternalServerError.status_code:
        return "server_error"
    return {429: "rate_limit_error", 401: "authentication_error"}.get(status, "invalid_request_error")


def error_body(message: str, *, param: str | None, code: str | None, type: str) -> dict[str, Any]:  # noqa: A002
    """OpenAI's error envelope."""
    return {"error": {"message": message, "type": type, "param": param, "code": code}}


def json_response(body: object, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """``body`` as JSON, encoded once."""
    return web.Response(
        body=msgspec.json.encode(body), status=status, headers=headers, content_type="application/json", charset="utf-8"
    )
