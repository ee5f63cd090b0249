"""Lists in pages, as every list of the API has them (CONTRACT F4, B10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from local.openai.errors import ApiError, json_response

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web


class _Identified(Protocol):
    @property
    def id(self) -> str: ...


Listed = TypeVar("Listed", bound=_Identified)


def listing(
    request: web.Request, items: list[Listed], view: Callable[[Listed], dict[str, Any]], *, usual: int, most: int
) -> web.Response:
    """The page of ``items`` that ``limit`` and ``after`` ask for. Raises ``ApiError`` 400."""
    limit = request.query.get("limit", str(usual))
    if not limit.isdecimal() or not 1 <= int(limit) <= most:
        message = f"Invalid 'limit': expected a value from 1 to {most}."
        raise ApiError(400, message, param="limit", code="invalid_value")
    start = _start(items, request.query.get("after"))
    end = start + int(limit)
    data = [view(item) for item in items[start:end]]
    first, last = (data[0]["id"], data[-1]["id"]) if data else (None, None)
    more = len(items) > end
    return json_response({"object": "list", "data": data, "first_id": first, "last_id": last, "has_more": more})


def _start(items: list[Listed], after: str | None) -> int:
    if not after:
        return 0
    position = next((index for index, item in enumerate(items) if item.id == after), None)
    if position is None:  # assumed (A13)
        raise ApiError(400, f"Invalid 'after': no object with id '{after}'.", param="after", code="invalid_value")
    return position + 1
