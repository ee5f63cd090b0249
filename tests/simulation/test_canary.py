"""A canary in every prompt, a provider that quotes it, and one fault in each run: the objects alone hold it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

import pytest

from batchdrop.core.change import Change
from batchdrop.ports import LineError, RemoteBatch
from tests.fakes.answers import Json
from tests.simulation.campaign import knob
from tests.simulation.play import play
from tests.simulation.provider import Provider
from tests.simulation.scenarios import SCENARIOS, Scenario
from tests.simulation.wire import Fault, Line, fitting
from tests.simulation.world import World

pytestmark = [pytest.mark.slow, pytest.mark.no_cover]

CANARY = "kea"  # short: the scenarios' limits count bytes
ANSWER = "answer to"  # as every answer of the fake's begins
STRIDE = knob("SIMULATED_CANARY_STRIDE", 15)
NAMES = ("whole", "refused", "cancelled while it runs", "poisoned", "mended")


class Quoting(Provider):
    """Its complaints about requests and about whole batches say what was asked."""

    def _complaint(self, batch: RemoteBatch) -> LineError | None:
        error = super()._complaint(batch)
        return error and replace(error, message=f"{error.message} Invalid value: '{CANARY}'.")

    def _answer(self, request: Json) -> tuple[int, Json]:
        status, body = super()._answer(request)
        if status != 200:
            body["error"]["message"] += f" Invalid value: '{CANARY}'."
        return status, body


def asking(data: bytes) -> bytes:
    """The same requests, with the canary in each; lines that are none are it."""
    return b"\n".join(map(_asking, data.splitlines())) + b"\n"


def _asking(line: bytes) -> bytes:
    try:
        request = json.loads(line)
    except ValueError:
        return CANARY.encode()
    return json.dumps(request | {"body": request["body"] | {"user": CANARY}}).encode()


@dataclass
class Run:
    """``changes``: all that was written to the table, also what is no longer there."""

    world: World
    changes: list[str] = field(default_factory=list)

    def __call__(self, scenario: Scenario) -> Run:
        world, commit = self.world, self.world.table.commit
        world.api.__class__ = Quoting
        world.line.late = lambda how: world.api.create_later(world.now + 30, how)

        def noted(changes: Sequence[Change]) -> bool:
            self.changes.append(repr(changes))
            return commit(changes)

        world.table.commit = noted  # type: ignore[method-assign]
        play(scenario, world)
        return self

    def told(self) -> Iterator[tuple[str, str]]:
        """Everything but the bytes of objects that are not the status."""
        yield "an item", json.dumps(list(self.world.table.items.values()), default=str)
        yield "a change", repr(self.changes)
        yield "a message", repr(self.world.messages.sent)
        yield "an event", repr(self.world.messages.ended)
        objects = self.world.objects
        for bucket in ("in", "out", "work"):
            for key in objects.keys(bucket):
                yield "metadata", repr(objects.head(bucket, key))
                if key.endswith(".status.json"):
                    yield "a status", objects.read(bucket, key).decode()


@pytest.mark.parametrize("name", NAMES)
def test_whatever_goes_wrong_with_one_call_nothing_is_told_of_what_was_asked(name: str) -> None:
    original = SCENARIOS[name]
    scenario = replace(original, drops=tuple((key, asking(data)) for key, data in original.drops), is_same=False)
    clean = Run(scenario.world())(scenario).world
    kept = b"".join(clean.objects.read("out", key) for key in clean.objects.keys("out"))
    assert CANARY.encode() in kept or ANSWER.encode() in kept, "the user has it"
    for number, site in islice(enumerate(clean.line.sites, 1), 0, None, STRIDE):
        for fault in fitting(site):
            run = Run(scenario.world(Line(decide=_at(number, fault))))(scenario)
            leaks = {where for where, text in run.told() if CANARY in text or ANSWER in text}
            assert not leaks, f"{fault.name} at {number} {site}"


def _at(number: int, fault: Fault) -> Callable[[int, str], Fault | None]:
    return lambda at, site: fault if at == number and fault in fitting(site) else None
