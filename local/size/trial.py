"""A stack whose S3 holds inputs of any size, and somebody who carries the messages."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from boto3.dynamodb.types import TypeDeserializer

from local.cloud.running import Wishes, running
from local.size import blobs, s3
from local.size.functions import Function, Taken, environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from local.cloud.place import Place
    from local.cloud.running import Running
    from local.size.functions import Invocable
    from local.size.s3 import Store
    from local.size.sources import Content, Lines

#: Too little for a second step after a fetch, a join or an assembly: each is an invocation by itself.
ONE_STEP_SECONDS = 299.0
WHOLE_SECONDS = 900.0
FUNCTIONS = ("submitter", "poller", "collector")
_ENDED = frozenset({"completed", "failed", "cancelled"})
_TICK_SECONDS = 1.0


@dataclass(frozen=True)
class Trial:
    """Drop a file, run its job to its end; ``functions`` say what each invocation took."""

    up: Running
    store: Store
    functions: Mapping[str, Invocable]

    def drop(self, key: str, content: Content) -> str:
        """Put an input and have it planned; its job's id."""
        blob = blobs.of(content)
        bucket = self.up.stack.input_bucket
        self.store.put(bucket, key, blob)
        object_ = {"key": key, "size": content.size, "eTag": blob.tag, "versionId": blob.tag}
        notice = {"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": bucket}}}
        notice["s3"]["object"] = object_  # type: ignore[index]
        self.call("submitter", "plan", _record({"Records": [notice]}), WHOLE_SECONDS)
        return self._job_of(blob.tag)

    def call(self, name: str, kind: str, event: object, seconds: float) -> Taken:
        """Invoke a function."""
        return self.functions[name].call(kind, event, seconds, name)

    def run(self, job_id: str, *, minutes: float) -> dict[str, Any]:
        """Carry messages and tick until the job is cleaned up; its item. ``TimeoutError`` after that long."""
        over = threading.Event()
        loops: tuple[Callable[[], object], ...] = (self.submit, self.collect, lambda: self._tick(job_id, over))
        with ThreadPoolExecutor(len(loops)) as pool:
            futures = [pool.submit(_again, loop, over) for loop in loops]
            wait(futures, timeout=minutes * 60, return_when=FIRST_EXCEPTION)
            over.set()
        for future in futures:
            future.result()
        job = self.item(job_id, "job")
        if "cleaned_at" not in job:
            raise TimeoutError(f"{job_id} is {job['state']} after {minutes} minutes")
        return job

    def item(self, job_id: str, item: str) -> dict[str, Any]:
        key = {"job_id": {"S": job_id}, "item": {"S": item}}
        found = self.up.clients.dynamodb.get_item(TableName=self.up.stack.table, Key=key, ConsistentRead=True)
        plain = TypeDeserializer().deserialize
        return {name: plain(value) for name, value in found.get("Item", {}).items()}

    def taken(self) -> dict[str, list[Taken]]:
        """Invocations by kind."""
        every: dict[str, list[Taken]] = {}
        for function in set(self.functions.values()):
            for one in function.taken:
                every.setdefault(one.kind, []).append(one)
        return every

    def forget(self) -> None:
        """Start counting anew."""
        for function in self.functions.values():
            function.taken.clear()

    def checked(self, stem: str, lines: Lines) -> Counter[str]:
        """Results by kind; ``AssertionError`` unless line k of them answers line k of the input."""
        counted: Counter[str] = Counter()
        number = 0
        for number, line in enumerate(self._lines(f"{stem}.results.jsonl"), 1):
            row = _row(line)
            expected = None if lines.is_broken(number) else f"r-{number:010d}"
            if row.custom_id != expected:
                raise AssertionError(f"line {number} answers {row.custom_id}")
            counted["failed" if row.response is None else "completed"] += 1
        if number != lines.count:
            raise AssertionError(f"{number} results of {lines.count} requests")
        return counted

    def _lines(self, key: str) -> Iterator[bytes]:
        rest = b""
        for segment in self.store.get(self.up.stack.output_bucket, key).segments:
            for block in segment.blocks():
                *whole, rest = (rest + block).split(b"\n")
                yield from whole

    def _job_of(self, version_id: str) -> str:
        pages = self.up.clients.dynamodb.get_paginator("scan").paginate(TableName=self.up.stack.table)
        found = (item for page in pages for item in page["Items"])
        return next(item["job_id"]["S"] for item in found if item.get("version_id", {}).get("S") == version_id)

    # what the cloud would do
    def tick(self) -> None:
        self.call("poller", "tick", {}, 60)

    def plan(self) -> None:
        for body in self._received("PlanQueueUrl"):
            self.call("submitter", "plan", _record(body), WHOLE_SECONDS)

    def submit(self) -> None:
        for body in self._received("SubmitQueueUrl"):
            self.call("submitter", "submit", _record(body), WHOLE_SECONDS)

    def collect(self, seconds: float = ONE_STEP_SECONDS) -> None:
        for body in self._received("CollectQueueUrl"):
            self.call("collector", self._kind(body), _record(body), seconds)

    def _tick(self, job_id: str, over: threading.Event) -> None:
        self.tick()
        self.plan()
        if "cleaned_at" in self.item(job_id, "job"):
            over.set()
        time.sleep(_TICK_SECONDS)

    def _kind(self, body: dict[str, Any]) -> str:
        item = body["item"]
        if item == "job":
            return "clean" if self.item(body["job_id"], item)["state"] in _ENDED else "assemble"
        return "fetch" if "#batch#" in item else "join"

    def _received(self, queue: str) -> Iterator[dict[str, Any]]:
        url = self.up.deployment.outputs[queue]
        found = self.up.clients.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=0)
        for message in found.get("Messages", []):
            self.up.clients.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            yield msgspec.json.decode(message["Body"])


class _Response(msgspec.Struct):
    status_code: int


class _Row(msgspec.Struct):
    custom_id: str | None
    response: _Response | None


_row = msgspec.json.Decoder(_Row).decode


def _record(body: object) -> dict[str, Any]:
    return {"Records": [{"body": msgspec.json.encode(body).decode()}]}


def _again(step: Callable[[], object], over: threading.Event) -> None:
    try:
        while not over.is_set():
            step()
            time.sleep(0.05)
    except BaseException:
        over.set()
        raise


@contextmanager
def stage(place: Place, wishes: Wishes) -> Iterator[tuple[Running, s3.Server]]:
    """The stack as deployed, its own triggers off, and its S3. Takes about three times an input's bytes of disk."""
    with ExitStack() as stack:
        up = stack.enter_context(running(place, wishes))
        server = stack.enter_context(s3.serving(place.scratch / "s3"))
        for mapping in up.clients.functions.list_event_source_mappings()["EventSourceMappings"]:
            up.clients.functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
        yield up, server


@contextmanager
def trial(place: Place) -> Iterator[Trial]:
    """Each function in a process of its own."""
    wishes = Wishes(parameters={"PollSchedule": "rate(1 day)"}, stack_name="size")
    with ExitStack() as stack:
        up, server = stack.enter_context(stage(place, wishes))
        functions = {}
        for name in FUNCTIONS:
            env = environment(up, f"size-{name}", server.url, place.scratch / name)
            log = stack.enter_context(place.log(name).open("wb"))
            functions[name] = stack.enter_context(Function([name], env, log))
        yield Trial(up, server.store, functions)
