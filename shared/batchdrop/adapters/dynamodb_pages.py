"""Pages of a query, read at once: botocore and its type deserializer take four times as long.

That counts where a tick reads tens of thousands of open items.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

#: Where a page has its items as plain attributes.
ITEMS = "PlainItems"
_OK = 200


def read_at_once(client: DynamoDBClient) -> None:
    """Have the client put ``ITEMS`` into the pages of its queries, and leave their ``Items`` out."""
    client.meta.events.register("before-parse.dynamodb.Query", _read, unique_id=ITEMS)


def _read(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object) -> None:
    if response_dict["status_code"] != _OK:
        return
    page = msgspec.json.decode(response_dict["body"])
    customized_response_dict[ITEMS] = [
        {name: _plain(value) for name, value in item.items()} for item in page.pop("Items", ())
    ]
    response_dict["body"] = msgspec.json.encode(page)


def _plain(value: dict[str, Any]) -> Any:
    """What an attribute holds. Sets and binary values are none of ours: they stay as they came."""
    [(kind, held)] = value.items()
    match kind:
        case "S" | "BOOL":
            return held
        case "N":
            return _number(held)
        case "M":
            return {name: _plain(part) for name, part in held.items()}
        case "L":
            return [_plain(part) for part in held]
    return None if kind == "NULL" else held


def _number(text: str) -> int:
    return int(text) if text.lstrip("-").isdecimal() else int(Decimal(text))
