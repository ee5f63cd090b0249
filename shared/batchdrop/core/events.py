"""What reaches a function through a queue: S3's own notifications, EventBridge's, and the poller's messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

import msgspec

from batchdrop.core.model import Key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True, slots=True)
class Dropped:
    """An object was created: S3 says so, or the poller's sweep. ``version_id`` is None where it is not said: ask.

    ``account``: the bucket's, where it is said.
    """

    bucket: str
    key: str
    version_id: str | None
    account: str | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """The poller asks for work: ``plan``, ``submit`` or ``collect``."""

    name: str
    key: Key


Event = Dropped | Task


def parse(body: str) -> list[Event]:
    """The events in one message's body; none in S3's test event, which it sends when a notification is set up.

    ``ValueError`` where the body is none of ours: it goes to the dead-letter queue, to be looked at.
    """
    message = msgspec.json.decode(body)
    if not isinstance(message, dict):
        raise ValueError("the message is no JSON object")  # noqa: TRY004 - bad data, not a bad argument
    if message.get("Event") == "s3:TestEvent":
        return []
    if message.get("task") == "drop":
        return [Dropped(message["bucket"], message["key"], message.get("version_id"))]
    if "task" in message:
        return [Task(message["task"], Key(message["job_id"], message.get("item", "job")))]
    if message.get("source") == "aws.s3":
        return list(_eventbridge(message))
    if "Records" in message:
        return list(_notification(message))
    raise ValueError("the message is neither a task nor an S3 event")


def _notification(message: Mapping[str, Any]) -> Iterator[Dropped]:
    """S3's own: keys are URL-encoded, once, with ``+`` for a space."""
    for record in message["Records"]:
        if record.get("eventSource") == "aws:s3" and record["eventName"].startswith("ObjectCreated:"):
            thing = record["s3"]["object"]
            yield Dropped(record["s3"]["bucket"]["name"], unquote_plus(thing["key"]), thing.get("versionId"))


def _eventbridge(message: Mapping[str, Any]) -> Iterator[Dropped]:
    """EventBridge's: keys come as they are."""
    if message.get("detail-type") == "Object Created":
        thing = message["detail"]["object"]
        bucket = message["detail"]["bucket"]["name"]
        yield Dropped(bucket, thing["key"], thing.get("version-id"), message.get("account"))
