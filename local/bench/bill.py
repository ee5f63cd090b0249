"""What counted calls and measured seconds cost at list prices."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from local.bench import prices
from local.cloud import template
from local.cloud.place import TEMPLATE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_S3_READS = ("Get", "Head")
_S3_DELETES = ("Delete",)
_DISK_FREE_MB = 512
_PLATFORM_LOG_BYTES = 450  #: Lambda's own START, END and REPORT of an invocation, and what CloudWatch adds to a line


class Bill(defaultdict[str, float]):
    """Dollars by what they are paid for."""

    def __init__(self, dollars: Mapping[str, float] | None = None) -> None:
        super().__init__(float, dollars or {})

    @property
    def total(self) -> float:
        return sum(self.values(), 0.0)

    def times(self, factor: float) -> Bill:
        return Bill({name: dollars * factor for name, dollars in self.items()})

    def plus(self, other: Bill, factor: float = 1.0) -> Bill:
        names = self.keys() | other.keys()
        return Bill({name: self.get(name, 0.0) + factor * other.get(name, 0.0) for name in names})


def calls(lines: Iterable[dict[str, Any]]) -> Bill:
    """Of what ``local.bench.meter`` wrote."""
    bill = Bill()
    for line in lines:
        service, sent = line["service"], line["sent"]
        if service == "dynamodb":
            bill["dynamodb writes"] += line.get("write", 0.0) * prices.DYNAMODB_WRITE
            bill["dynamodb reads"] += line.get("read", 0.0) * prices.DYNAMODB_READ
        elif service == "s3":
            kind = _of_s3(line["operation"])
            bill[kind] += sent * prices.REQUEST[kind]
        elif service != "lambda":  # what is invoked is counted as an invocation
            bill[service] += sent * prices.REQUEST[service]
    return bill


def messages(count: int) -> Bill:
    """What Lambda does for each message that it hands over: it receives it, and deletes it."""
    return Bill({"sqs": 2 * count * prices.REQUEST["sqs"]})


def invocations(function: str, count: int, seconds: float) -> Bill:
    """Of the function with this logical id: so many, which took so long in all."""
    properties = template.load(TEMPLATE)["Resources"][function]["Properties"]
    disk = max(0, int(properties.get("EphemeralStorage", {}).get("Size", 0)) - _DISK_FREE_MB) / 1024
    memory = int(properties["MemorySize"]) / 1024
    return Bill(
        {
            "lambda requests": count * prices.REQUEST["lambda"],
            "lambda seconds": seconds * memory * prices.LAMBDA_GB_SECOND,
            "lambda disk": seconds * disk * prices.LAMBDA_DISK_GB_SECOND,
        }
    )


def logs(count: int, written: int) -> Bill:
    """Of so many invocations that wrote so many bytes."""
    return Bill({"logs": (written + count * _PLATFORM_LOG_BYTES) / 1e9 * prices.LOGS_GB})


def alarms() -> int:
    """How many the stack has."""
    resources = template.load(TEMPLATE)["Resources"].values()
    return sum(one["Type"] == "AWS::CloudWatch::Alarm" for one in resources)


def read(path: Path) -> list[dict[str, Any]]:
    """The lines of a meter's file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def _of_s3(operation: str) -> str:
    if operation.startswith(_S3_DELETES):
        return "s3 delete"
    return "s3 read" if operation.startswith(_S3_READS) else "s3 write"


def empty_receives(hours: float) -> float:
    """Lambda asks each idle queue over five connections, 20 seconds each."""
    resources = template.load(TEMPLATE)["Resources"].values()
    events = [event for one in resources for event in one.get("Properties", {}).get("Events", {}).values()]
    queues: int = sum(event["Type"] == "SQS" for event in events)
    return queues * 5 * 3 * 60 * hours
