"""Functions killed by SIGKILL at random moments: nothing lost, nothing bought twice, the same bytes delivered.

``KILLED_RUNS`` (2) says how many runs, ``KILLED_FROM`` (1) the first seed. A seed draws what is killed and the pauses
in between; the machine's own pace decides what that interrupts, so a seed repeats the manner of a run, not its course.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.reaper import Reaper, Toll
from tests.e2e.world import World, world

if TYPE_CHECKING:
    from collections.abc import Iterator

RUNS = int(os.environ.get("KILLED_RUNS", "2"))
FIRST = int(os.environ.get("KILLED_FROM", "1"))
HITS = 4
REQUESTS = 18
#: Drawn anew by the provider for every batch.
DRAWN = re.compile(rb'"id":"batch_req_[^"]*"|"request_id":"[^"]*"|"created":\d+')
SEEN_AGAIN_SECONDS = "10"


def line(number: int) -> bytes:
    body = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": f"Hello {number}"}]}
    value = {"custom_id": f"k-{number}", "method": "POST", "url": "/v1/chat/completions", "body": body}
    return json.dumps(value).encode()


INPUT = b"\n".join([*(line(number) for number in range(REQUESTS)), b"broken"])


@dataclass(frozen=True, slots=True)
class Made:
    """What a run delivered and what it cost."""

    results: bytes
    errors: bytes
    counts: dict[str, int]
    usage: dict[str, Any]
    executions: dict[str, int]


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A stack whose waits for the provider are short, and whose messages come back soon."""
    parameters = {"MaxRequestsPerBatch": "5", "CreateLeaseSeconds": "1", "SettleSeconds": "2"}
    with world(tmp_path_factory.mktemp("mortal"), **parameters) as up:
        up.openai.configure(pace={"validating": 0.05, "in_progress": 0.2, "finalizing": 0.05})
        for queue in ("PlanQueueUrl", "SubmitQueueUrl", "CollectQueueUrl"):
            up.clients.sqs.set_queue_attributes(
                QueueUrl=up.deployment.outputs[queue], Attributes={"VisibilityTimeout": SEEN_AGAIN_SECONDS}
            )
        yield up


@pytest.fixture(scope="module")
def clean(mortal: World) -> Made:
    """A run in which nobody dies."""
    begin(mortal)
    mortal.drop("clean.jsonl", INPUT)
    Reaper(mortal, 0).run("clean", hits=0, seconds=300)
    made = harvest(mortal, "clean")
    assert (made.counts["completed"], made.counts["failed"], made.counts["retried"]) == (REQUESTS, 1, 2)
    return made


@pytest.fixture(scope="module")
def tolls(pytestconfig: pytest.Config) -> Iterator[list[Toll]]:
    """What the runs went through; told in the end."""
    runs: list[Toll] = []
    yield runs
    total = Toll(
        *(sum(getattr(run, name) for run in runs) for name in ("kills", "hits", "adopted", "sleeps", "seconds"))
    )
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print(f"\n{len(runs)} killed runs without loss or double: {total}")  # noqa: T201 - figures are for whoever runs it


def begin(world: World) -> None:
    """A provider that remembers nothing, is slow now and then, and fails two requests once."""
    world.openai.reset()
    for route, rate in (("batches.create", 0.8), ("files.create", 0.3), ("files.content", 0.3), ("batches.list", 0.1)):
        world.openai.fault(route, "delay", seconds=0.4, rate=rate, times=None)
    world.openai.line_fault("k-3", status=500, times=1)
    world.openai.line_fault("k-12", do="missing", times=1)


def harvest(world: World, stem: str) -> Made:
    status = world.status(stem)
    assert status is not None
    assert status["state"] == "completed"
    results, errors = (world.output(f"{stem}.{kind}.jsonl") for kind in ("results", "errors"))
    assert results is not None
    assert errors is not None
    return Made(DRAWN.sub(b"", results), errors, status["counts"], status["usage"], world.openai.executions())


def worked(world: World) -> dict[str, list[str]]:
    """By piece of work, the batches at the provider that did any."""
    found: dict[str, list[str]] = {}
    for batch in world.openai.batches():
        if batch["request_counts"]["total"] and batch["status"] != "failed":
            found.setdefault(batch["metadata"]["batchdrop_item"], []).append(batch["id"])
    return found


@pytest.mark.parametrize("seed", range(FIRST, FIRST + RUNS))
def test_functions_that_are_killed_lose_nothing_and_buy_nothing_twice(
    mortal: World, clean: Made, tolls: list[Toll], seed: int
) -> None:
    begin(mortal)
    stem = f"killed-{seed}"
    mortal.drop(f"{stem}.jsonl", INPUT)
    toll = Reaper(mortal, seed).run(stem, hits=HITS, seconds=300)
    made = harvest(mortal, stem)
    assert made.executions == clean.executions
    assert made == clean
    job_id = next(iter(mortal.openai.batches()))["metadata"]["batchdrop_job"]
    kept = {item["item"]: [item["openai_batch_id"]] for item in mortal.items(job_id) if "openai_batch_id" in item}
    assert worked(mortal) == kept
    tolls.append(toll)


def test_the_kills_struck_functions_at_work(tolls: list[Toll]) -> None:
    assert len(tolls) == RUNS, "these are the figures of the runs before it"
    assert sum(toll.hits for toll in tolls) >= RUNS
