"""Kill the functions of a stack at random moments, and let the time pass that mends it."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    from tests.e2e.world import World

#: Longer than every wait that a death leaves behind: a lease of 16 minutes, an admission of 20.
SLEEP = timedelta(minutes=21)
#: Attributes that say until when something is to be left alone.
WAITS = ("lease_until", "next_check_at", "not_before")
_TICK_SECONDS = 0.2
_PAUSE_SECONDS = (0.02, 0.5)
_CALL_SECONDS = 1.0
_STILL_TICKS = 6

Attributes = dict[str, Any]


@dataclass(slots=True)
class Toll:
    """What a run went through. ``hits``: kills that struck an invocation, as the emulator counts them.

    ``adopted``: creates whose record died with their function, and whose batch was found.
    """

    kills: int = 0
    hits: int = 0
    adopted: int = 0
    sleeps: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class Reaper:
    """Kills function processes of ``world`` in moments that ``seed`` draws; the machine's own pace does the rest."""

    world: World
    seed: int
    toll: Toll = field(default_factory=Toll)
    _ticks: int = 0
    _ticks_lost: int = 0
    _is_in_tick: bool = False
    _seen: object = None
    _seen_at: int = 0
    _patience: int = _STILL_TICKS

    def run(self, stem: str, *, hits: int, seconds: float) -> Toll:
        """Kill until that many invocations were struck, as long as the job of that stem is not at its end.

        Its end is when it has cleaned up after itself. Fails where that takes longer than ``seconds``. No other job may
        be open.
        """
        rng = random.Random(self.seed)
        begun = time.monotonic()
        died_before = self._died()
        with self._ticking():
            while not _is_over(items := self._scan(), stem):
                assert time.monotonic() - begun < seconds, f"not over after {self.toll}: {_open(items)}"
                found = rng.choice((self._busy, self._calling))() if self.toll.hits < hits else []
                time.sleep(rng.uniform(*_PAUSE_SECONDS))
                if found:
                    self.toll.kills += self._kill(rng.choice(found), every=rng.random() < 0.5)
                if _open(items) and self._is_still(items):
                    self._sleep()
                self.toll.hits = self._died() - died_before + self._ticks_lost
        self.toll.seconds = time.monotonic() - begun
        return self.toll

    def _kill(self, function: str, *, every: bool) -> int:
        """SIGKILL one process of a function, or each; how many there were."""
        pids = self.world.workers(function)[: None if every else 1]
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return len(pids)

    def _busy(self) -> list[str]:
        """Functions that seem to be at work: the death of an idle process is no matter."""
        submitter, poller, collector = self.world.functions
        working = {
            submitter: self.world.in_flight("PlanQueueUrl") + self.world.in_flight("SubmitQueueUrl"),
            poller: int(self._is_in_tick),
            collector: self.world.in_flight("CollectQueueUrl"),
        }
        return [function for function, tasks in working.items() if tasks]

    def _calling(self) -> list[str]:
        """Functions that call the provider, as soon as one does: the answer is on its way, or not yet recorded."""
        before = self._calls()
        give_up = time.monotonic() + _CALL_SECONDS
        while (now := self._calls()) == before and time.monotonic() < give_up:
            time.sleep(0.02)
        return [function for function, calls in now.items() if calls > before[function]]

    def _calls(self) -> dict[str, int]:
        """How often the provider was called by each function, but for the poller's looks."""
        count = self.world.openai.state()["requests"].get
        submitter, _, collector = self.world.functions
        return {
            submitter: count("files.create", 0) + count("batches.create", 0),
            collector: count("files.content", 0),
        }

    def _is_still(self, items: list[Attributes]) -> bool:
        """Whether for some ticks no item has changed and no function but the poller has used the processor.

        Then what is open waits for its time. The next time it takes twice as many ticks.
        """
        submitter, _, collector = self.world.functions
        pids = self.world.workers(submitter) + self.world.workers(collector)
        if (sight := (_open(items), list(map(_time_used, pids)))) != self._seen:
            self._seen, self._seen_at, self._patience = sight, self._ticks, _STILL_TICKS
        elif self._ticks - self._seen_at >= self._patience:
            self._seen_at, self._patience = self._ticks, self._patience * 2
            return True
        return False

    def _sleep(self) -> None:
        """As if everybody had been dead for 21 minutes.

        The waits in the table are for the time that a function may live, a quarter of an hour and more. So each wait
        is moved back by as much, but only one whose holder is dead: the table is read, then every function process is
        killed, then only what is still as it was read is moved. Whoever came to life in between wrote a token of its
        own, and keeps its lease.
        """
        before = [item for item in self._scan() if any(name in item for name in WAITS)]
        for function in self.world.functions:
            self._kill(function, every=True)
        for item in before:
            self._move_back(item)
        self.toll.sleeps += 1

    def _move_back(self, item: Attributes) -> None:
        waits = [name for name in WAITS if name in item]
        guards = [name for name in (*waits, "token") if name in item]
        values: dict[str, AttributeValueTypeDef] = {f":{name}": item[name] for name in guards}
        values |= {f":{name}_then": {"S": _earlier(item[name]["S"])} for name in waits}
        table = self.world.clients.dynamodb
        with suppress(table.exceptions.ConditionalCheckFailedException):
            table.update_item(
                TableName=self.world.stack.table,
                Key={"job_id": item["job_id"], "item": item["item"]},
                UpdateExpression="SET " + ", ".join(f"#{name} = :{name}_then" for name in waits),
                ConditionExpression=" AND ".join(f"#{name} = :{name}" for name in guards),
                ExpressionAttributeNames={f"#{name}": name for name in guards},
                ExpressionAttributeValues=values,
            )

    def _scan(self) -> list[Attributes]:
        pages = self.world.clients.dynamodb.get_paginator("scan").paginate(
            TableName=self.world.stack.table, ConsistentRead=True
        )
        return [item for page in pages for item in page["Items"]]

    @contextmanager
    def _ticking(self) -> Iterator[None]:
        """Ticks of the poller, one after the other, while the block runs. A tick that is killed is a lost tick."""
        over = threading.Event()

        def tick() -> None:
            while not over.wait(_TICK_SECONDS):
                self._is_in_tick = True
                answer = self.world.clients.functions.invoke(
                    FunctionName=self.world.stack.poller_function, Payload=b"{}"
                )
                self._is_in_tick = False
                told = json.load(answer["Payload"])
                story = told.get("errorMessage", "")
                self.toll.adopted += told.get("recovered", {}).get("adopted", 0)
                self._ticks_lost += "Worker process " in story
                self._ticks += not story

        thread = threading.Thread(target=tick)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _died(self) -> int:
        """How many messages were struck by the death of the function that had them, so far."""
        return self.world.place.log("ministack").read_text(errors="replace").count("errorMessage=Worker process ")


def _open(items: list[Attributes]) -> frozenset[tuple[str, ...]]:
    """The open items, each with its state and the token of its last write."""
    return frozenset(tuple(_text(item, name) for name in ("item", "state", "token")) for item in items if "due" in item)


def _is_over(items: list[Attributes], stem: str) -> bool:
    return any("cleaned_at" in item and _text(item, "stem") == stem for item in items)


def _time_used(pid: int) -> str:
    """Processor time of a process, to be compared."""
    with suppress(OSError):
        user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        return f"{user} {system}"
    command = ["ps", "-o", "time=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _earlier(time_of_day: str) -> str:
    return (datetime.fromisoformat(time_of_day) - SLEEP).strftime("%Y-%m-%dT%H:%M:%SZ")


def _text(item: Attributes, name: str) -> str:
    return str(item.get(name, {}).get("S", ""))
