"""The service, its platform and its provider, in virtual time: queues redeliver, the poller ticks, functions die."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import pickle
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from batchdrop.adapters.ledger import TableLedger
from batchdrop.bootstrap import App
from batchdrop.core import naming
from batchdrop.core.errors import BatchdropError
from batchdrop.core.events import Dropped
from batchdrop.core.model import Key
from tests.fakes.clock import FakeClock
from tests.fakes.messages import InMemoryMessages, Message
from tests.fakes.objects import InMemoryObjects
from tests.fakes.prices import InMemoryPrices
from tests.simulation.conditions import Conditions
from tests.simulation.letters import Letters, lifetime
from tests.simulation.oracle import Violation, WatchedTable, check_bought_once
from tests.simulation.provider import Provider
from tests.simulation.watched import require
from tests.simulation.wire import Line, Process
from tests.usecases.mortal import Died

TICK = Message("tick")
#: Of a world, all but what a scenario brings along.
KEPT = ("clock", "start", "drops", "letters", "messages", "table", "objects", "api", "names")


class Lifetime:
    """``ports.Deadline`` of one invocation."""

    def __init__(self, clock: FakeClock, seconds: int) -> None:
        self._clock = clock
        self.end = clock.now() + dt.timedelta(seconds=seconds)

    def remaining(self) -> float:
        return (self.end - self._clock.now()).total_seconds()


@dataclass
class Wrapped:
    """The ports as one process has them."""

    ledger: Any
    objects: Any
    api: Any
    messages: Any
    clock: Any
    prices: Any


@dataclass
class World:
    """``is_cursed``: calls whose function dies, whenever it is tried. ``may_double``: the provider breaks promises."""

    conditions: Conditions = field(default_factory=Conditions)
    line: Line = field(default_factory=Line)
    drops: list[Dropped] = field(default_factory=list)
    is_cursed: Callable[[Message], bool] = lambda call: False
    may_double: bool = False
    orphans_are_fine: bool = False  #: a create may land when its item has gone on without it

    def __post_init__(self) -> None:
        self.clock = FakeClock()
        self.start = self.clock.now()
        self.letters = Letters(self.clock)
        self.messages = InMemoryMessages()
        self.table = WatchedTable(self.clock)
        self.ledger = TableLedger(self.table)
        smallest = self.conditions.smallest_part
        self.objects = InMemoryObjects(self.clock, versioned=["in", "out"], plain=["work"], smallest_part=smallest)
        self.api = Provider(self.clock, page_size=self.conditions.page_size, list_lag=self.conditions.list_lag)
        self.api.lenient, self.api.prompt = self.conditions.lenient, self.conditions.prompt
        self.names = 0  #: given out so far
        self._warm: list[Process] = []
        with self._naming():
            self.ledger.stack(self.start)

    @contextlib.contextmanager
    def miniature(self) -> Iterator[None]:
        """Everything small, and every name known beforehand: what happens hangs on nothing but the world."""
        with self.conditions.miniature(), self._naming():
            yield

    def _naming(self) -> AbstractContextManager[Any]:
        return patch.object(uuid, "uuid4", self._name)

    def _name(self) -> uuid.UUID:
        self.names += 1
        return uuid.UUID(int=self.names)

    # the platform
    def drop(self, key: str, data: bytes = b"") -> Message:
        """Put an object; S3's event."""
        event = Dropped("in", key, self.objects.put("in", key, data).version_id)
        self.drops.append(event)
        return Message("drop", dropped=event)

    @property
    def now(self) -> float:
        return self.clock.now().timestamp()

    def post(self) -> Iterator[Message]:
        """What was sent since: an invocation of the poller is made at once, the rest waits in its queue."""
        self.messages.sent.clear()  # nobody reads it here
        while message := self.messages.pop():
            if message.to == "tick":
                yield message
            else:
                self.letters.send(message)

    def step(self) -> bool:
        """The provider works; whether anything changed there."""
        changed = self.api.step()
        if changed and not self.may_double:
            check_bought_once(self)
        return changed

    def process(self) -> Process:
        """A warm one, if any: who has died is gone."""
        return self._warm.pop() if self._warm else self._started()

    def invoke(self, call: Message = TICK, process: Process | None = None) -> bool:
        """Run a function on ``call``. False if it died or raised."""
        process = process or self.process()
        process.is_cursed = self.is_cursed(call)
        seconds = self.conditions.plan_seconds if call.to in ("drop", "plan") else lifetime(call)
        try:
            self._function(call, process.app, Lifetime(self.clock, seconds))
        except (Died, BatchdropError):
            return False
        except Violation:
            raise
        except Exception as error:
            raise Violation(f"{call} raised {type(error).__name__}: {error}") from error
        finally:
            if not process.dead:
                self._warm.append(process)
            require(self.line.may_crash() or not self.table.crashes, f"{call}: nobody died, and a crash is counted")
        return True

    def _started(self) -> Process:
        process = Process(self.line)
        ledger = TableLedger(process.wrap("table", self.table))
        objects = process.wrap("objects", self.objects)
        api, messages = process.wrap("api", self.api), process.wrap("messages", self.messages)
        process.app = App(
            self.conditions.settings, Wrapped(ledger, objects, api, messages, self.clock, InMemoryPrices())
        )
        return process

    def _function(self, call: Message, app: App, deadline: Lifetime) -> None:
        match call:
            case Message("drop", _, Dropped(_, key, version_id)) if naming.to_cancel(key):
                app.cancel.dropped("in", key, version_id)
            case Message("drop", _, Dropped(_, key, version_id)):
                app.plan("in", key, version_id, deadline)
            case Message("plan", Key(job_id)):
                app.plan.resume(job_id, deadline)
            case Message("submit", Key() as key):
                app.submit(key, deadline)
            case Message("collect", Key() as key):
                app.collect(key, deadline)
            case _:
                app.poll.told(app.poll(deadline))

    # a moment of it, kept
    def saved(self, course: Any) -> bytes:
        """All that is to be known of the world between two invocations; ``course``: whatever goes with it."""
        return pickle.dumps(({name: getattr(self, name) for name in KEPT}, course), pickle.HIGHEST_PROTOCOL)

    def resumed(self, state: bytes) -> Any:
        """Be the world of that moment; what went with it."""
        kept, course = pickle.loads(state)
        self.__dict__.update(kept)
        self.ledger = TableLedger(self.table)
        self._warm.clear()
        return course

    # what came of it
    def jobs(self) -> list[dict[str, Any]]:
        return [item for (_, name), item in self.table.items.items() if name == "job"]

    def at_rest(self) -> bool:
        """Every drop has its job, nothing is open, nothing waits."""
        if any((job_id, "job") not in self.table.items for job_id in self._job_ids()):
            return False
        return not self.letters.waiting and not self.table.is_open() and self.api.is_idle()

    def _job_ids(self) -> list[str]:
        """Of the inputs, in the order of their drops."""
        inputs = (one for one in self.drops if naming.is_input(one.key))
        return [naming.job_id("in", one.key, one.version_id or "") for one in inputs]

    def counts(self) -> list[Any]:
        """Each job's."""
        return [self.table.items[job_id, "job"]["counts"] for job_id in self._job_ids()]

    def outputs(self) -> dict[str, bytes]:
        """Results and errors by name; not the status, which tells times."""
        return {key: self.objects.read("out", key) for key in self.objects.keys("out") if key.endswith(".jsonl")}

    def status(self, job: dict[str, Any]) -> dict[str, Any] | None:
        """What the job's status object says; None where a newer job of the same key has taken the name."""
        for name in (job.get("published_as", job["stem"]), f"{job['stem']}.{job['job_id']}"):
            if (key := f"{name}.status.json") in self.objects.keys("out"):
                said: dict[str, Any] = json.loads(self.objects.read("out", key))
                if said["job_id"] == job["job_id"]:
                    return said
        return None

    def minutes(self) -> float:
        return (self.clock.now() - self.start).total_seconds() / 60

    def every_call(self) -> Iterator[Message]:
        """Everything that was or could be asked, once more."""
        for event in self.drops:
            yield Message("drop", dropped=event)
        for job_id, item in list(self.table.items):
            if item == "job":
                yield Message("plan", Key(job_id, item))
            if item == "job" or item.startswith("chunk#"):
                yield Message("collect", Key(job_id, item))
            if "#batch#" in item:
                yield Message("submit", Key(job_id, item))
        yield TICK
