"""What functions are called with: S3's notifications, EventBridge's, the poller's messages, and what it is asked."""

from __future__ import annotations

import re
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


@dataclass(frozen=True, slots=True)
class Look:
    """What a call of the poller asks for besides a tick: ids of jobs to stop, or to have tried again.

    ``poke``: another tick will do as well.
    """

    cancel: str | None = None
    redrive: str | None = None
    poke: bool = False


Event = Dropped | Task

_JOB_ID = re.compile(r"[a-z0-9-]{1,64}")
_ASK = 'Send {"cancel": "<job id>"}, {"redrive": "<job id>"}, or {} for a look.'


def asked(event: object) -> Look:
    """What the poller is called for: by the schedule, by our functions, or by a person, who may mistype.

    ``ValueError`` says what is wrong and what to send.
    """
    if not isinstance(event, dict):
        raise ValueError(f"The event is no JSON object. {_ASK}")  # noqa: TRY004 - bad data, not a bad argument
    if "source" in event:  # a schedule's own words
        return Look()
    if unknown := sorted(event.keys() - {"cancel", "redrive", "poke"}):
        raise ValueError(f"The poller knows no {unknown[0][:40]!r}. {_ASK}")
    for name in ("cancel", "redrive"):
        value = event.get(name, "x")
        if not isinstance(value, str) or not _JOB_ID.fullmatch(value):
            raise ValueError(f"{name!r} is no job id. It stands in status.json and in the table. {_ASK}")
    return Look(event.get("cancel"), event.get("redrive"), "poke" in event)


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
