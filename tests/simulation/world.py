"""The service, its platform and its provider, in virtual time: queues redeliver, the poller ticks, functions die."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Self
from unittest.mock import patch

from batchdrop.adapters.ledger import TableLedger
from batchdrop.bootstrap import App
from batchdrop.core import assembly, limits, naming
from batchdrop.core.errors import BatchdropError
from batchdrop.core.model import Key
from batchdrop.settings import Settings
from batchdrop.usecases import concatenate
from tests.fakes.clock import FakeClock
from tests.fakes.messages import InMemoryMessages, Message
from tests.fakes.objects import InMemoryObjects
from tests.simulation.oracle import Violation, WatchedTable, check_spending
from tests.simulation.provider import Provider
from tests.simulation.wire import Invocation, Line
from tests.unit.test_settings import ENV
from tests.usecases.mortal import Died

LIFE = 900  #: seconds that an invocation may take
TICK = 120  #: the poller's
VISIBILITY = LIFE + 60
RECEIVES = 5


@dataclass(frozen=True, slots=True)
class Drop:
    """S3's event."""

    key: str
    version_id: str | None


Call = Drop | Message


@dataclass(slots=True)
class Letter:
    """A message in a queue: hidden until ``visible_at`` (Unix seconds), dead after five receives."""

    call: Call
    visible_at: float
    receives: int = 0


@dataclass(frozen=True)
class Conditions:
    """What a run is made under."""

    requests_per_batch: int = 2
    batches_per_chunk: int = 2
    attempts: int = 3
    create_lease: int = 90
    settle: int = 1800
    page_size: int = 100
    list_lag: float = 0
    plain_bytes: int = 16 * 2**20
    lenient: bool = False

    @property
    def calm(self) -> Conditions:
        """The same as far as it may show in the outputs and the counts."""
        return Conditions(self.requests_per_batch, self.batches_per_chunk, self.attempts)


def lifetime(call: Call | None) -> int:
    """Seconds after which the platform kills the function that ``call`` invokes; None is the poller's schedule."""
    return LIFE if isinstance(call, Drop) or (call and call.key) else TICK


class Lifetime:
    """``ports.Deadline`` of one invocation."""

    def __init__(self, clock: FakeClock, seconds: int) -> None:
        self._clock = clock
        self.end = clock.now() + dt.timedelta(seconds=seconds)

    def remaining(self) -> float:
        return (self.end - self._clock.now()).total_seconds()


class _Inline:
    """Stands for a pool of threads: the calls come in a known order."""

    def __init__(self, workers: int) -> None:
        self.map = map

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None: ...


@dataclass
class Wrapped:
    """The ports as one invocation has them."""

    ledger: Any
    objects: Any
    api: Any
    messages: Any
    clock: Any


@dataclass
class World:
    conditions: Conditions = field(default_factory=Conditions)
    line: Line = field(default_factory=Line)
    letters: list[Letter] = field(default_factory=list)
    drops: list[Drop] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = FakeClock()
        self.start = self.clock.now()
        self.messages = InMemoryMessages()
        self.table = WatchedTable()
        self.objects = InMemoryObjects(self.clock, versioned=["in", "out"], plain=["work"], smallest_part=200)
        self.api = Provider(self.clock, page_size=self.conditions.page_size, list_lag=self.conditions.list_lag)
        self.api.lenient = self.conditions.lenient
        self.settings = Settings.from_env(
            ENV
            | {
                "INVALID_LINES": "report",
                "MAX_REQUESTS_PER_BATCH": str(self.conditions.requests_per_batch),
                "MAX_ATTEMPTS": str(self.conditions.attempts),
                "CREATE_LEASE_SECONDS": str(self.conditions.create_lease),
                "SETTLE_SECONDS": str(self.conditions.settle),
            }
        )

    @contextlib.contextmanager
    def miniature(self) -> Iterator[None]:
        """The limits of S3 and of a chunk, small enough for a handful of requests to reach them."""
        with (
            patch.object(limits, "BATCHES_PER_CHUNK", self.conditions.batches_per_chunk),
            patch.object(assembly, "PLAIN_BYTES", self.conditions.plain_bytes),
            patch.object(assembly, "SMALLEST_PART", 200),
            patch.object(concatenate, "ThreadPoolExecutor", _Inline),
        ):
            yield

    # the platform
    def drop(self, key: str, data: bytes) -> Drop:
        self.drops.append(Drop(key, self.objects.put("in", key, data).version_id))
        return self.drops[-1]

    def send(self, call: Call, *, delay: float = 0) -> None:
        self.letters.append(Letter(call, self.now + delay))

    @property
    def now(self) -> float:
        return self.clock.now().timestamp()

    def post(self) -> Iterator[Call]:
        """What was sent since: an invocation of the poller is made at once, the rest waits in its queue."""
        while message := self.messages.pop():
            if message.key is None:
                yield message
            else:
                self.send(message)

    def received(self) -> list[Letter]:
        """Letters that are visible now; hidden from here on, for as long as a function may take."""
        found = [letter for letter in self.letters if letter.visible_at <= self.now]
        for letter in found:
            letter.receives += 1
            letter.visible_at = self.now + VISIBILITY
        return found

    def settle(self, letter: Letter, *, done: bool) -> None:
        """The queue forgets what is done, and what five receives could not do."""
        if (done or letter.receives >= RECEIVES) and letter in self.letters:
            self.letters.remove(letter)

    def invoke(self, call: Call | None, invocation: Invocation | None = None) -> bool:
        """Run a function on ``call`` (None: the poller's schedule). False if it died or raised."""
        invocation = invocation or Invocation(self.line)
        try:
            self._function(call, self._app(invocation), Lifetime(self.clock, lifetime(call)))
        except Died:
            return False
        except BatchdropError:
            return False
        except Violation:
            raise
        except Exception as error:
            raise Violation(f"{call} raised {type(error).__name__}: {error}") from error
        finally:
            check_spending(self)
        return True

    def _app(self, invocation: Invocation) -> App:
        ledger = TableLedger(invocation.wrap("table", self.table))
        objects = invocation.wrap("objects", self.objects)
        api, messages = invocation.wrap("api", self.api), invocation.wrap("messages", self.messages)
        return App(self.settings, Wrapped(ledger, objects, api, messages, self.clock))

    def _function(self, call: Call | None, app: App, deadline: Lifetime) -> None:
        if isinstance(call, Drop):
            app.plan("in", call.key, call.version_id, deadline)
        elif call is None or call.key is None:
            app.poll(deadline)
        elif call.to == "plan":
            app.plan.resume(call.key.job_id, deadline)
        elif call.to == "submit":
            app.submit(call.key, deadline)
        else:
            app.collect(call.key, deadline)

    # what came of it
    def at_rest(self) -> bool:
        """Every drop has its job, nothing is open, nothing waits."""
        ids = {naming.job_id("in", drop.key, drop.version_id or "") for drop in self.drops}
        if any((job_id, "job") not in self.table.items for job_id in ids):
            return False
        waiting = any(letter.call for letter in self.letters)
        return not waiting and not self.table.is_open() and self.api.is_idle()

    def outputs(self) -> dict[str, bytes]:
        """Results and errors by name; not the status, which tells times."""
        return {key: self.objects.read("out", key) for key in self.objects.keys("out") if key.endswith(".jsonl")}

    def status(self, job: dict[str, Any]) -> dict[str, Any]:
        name = job.get("published_as", job["stem"])
        return dict(json.loads(self.objects.read("out", f"{name}.status.json")))

    def minutes(self) -> float:
        return (self.clock.now() - self.start).total_seconds() / 60

    def every_call(self) -> Iterator[Call | None]:
        """Everything that was or could be asked, once more."""
        yield from self.drops
        for job_id, item in list(self.table.items):
            if item == "job":
                yield Message("plan", Key(job_id, item))
            if item == "job" or item.startswith("chunk#"):
                yield Message("collect", Key(job_id, item))
            if "#batch#" in item:
                yield Message("submit", Key(job_id, item))
        yield None
