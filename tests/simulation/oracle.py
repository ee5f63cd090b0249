"""What must hold after every write, and when all is at rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from batchdrop.core.change import Change
from batchdrop.core.lifecycle import ROWS
from batchdrop.core.model import Batch, Key, Usage, from_attributes
from tests.fakes.table import InMemoryTable

Item = dict[str, Any]
FINAL = {"completed", "failed", "cancelled", "collected", "fetched", "retired", "quarantined"}
#: What may happen only between the judgement of a file's last line and the end of its job.
SPENDS = {"B1", "B12", "C1"}
#: A death between this write and the delete that follows it leaves a file, which expires by itself.
FILE_DROPPED_AFTER = ("delete_file", "B6.refused", "B7.refused", "B8")
FILES = ("file_id", "output_file_id", "error_file_id")


class Violation(AssertionError):  # noqa: N818 - said of the run, not of the code that raises it
    """The promise is broken."""


class WatchedTable(InMemoryTable):
    """Judges every write by what it did, whatever the writer's conditions were.

    Reads hand out the items themselves, for speed: a write makes a new item, and readers only convert them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.rows: Counter[str] = Counter()
        self.files: set[str] = set()  #: every id that an item ever named
        self.writes = 0

    def commit(self, changes: Sequence[Change]) -> bool:
        before = [self.items.get((change.key.job_id, change.key.item)) for change in changes]
        if not super().commit(changes):
            return False
        self.writes += 1
        for change, old in zip(changes, before, strict=True):
            if not change.is_check:
                self._judge(change, old, self.items[change.key.job_id, change.key.item])
        return True

    def get(self, key: Key) -> Item | None:
        return self.items.get((key.job_id, key.item))

    def query(self, job_id: str, prefix: str = "") -> Iterator[Item]:
        names = sorted(name for job, name in self.items if job == job_id and name.startswith(prefix))
        return iter([self.items[job_id, name] for name in names])

    def due(self) -> Iterator[Item]:
        return iter(sorted(filter(_is_due, self.items.values()), key=itemgetter("next_check_at")))

    def is_open(self) -> bool:
        return any("due" in item for item in self.items.values())

    def _judge(self, change: Change, old: Item | None, new: Item) -> None:
        if change.row is not None:
            self.rows[change.row.id] += 1
            if change.row.id in SPENDS:
                state = self.items[change.key.job_id, "job"]["state"]
                require(state == "running", f"{change.row.id} on {change.key.item} of a job that is {state}")
        self.files |= {new[name] for name in FILES if name in new}
        if "state" in new:
            check_step(change, old, new)


def _is_due(item: Item) -> bool:
    return "due" in item and "next_check_at" in item


def check_step(change: Change, old: Item | None, new: Item) -> None:
    """Only edges of the table; claims and ranks never go down; what is final stays."""
    where = f"{change.row.id if change.row else 'unnamed write'} on {change.key.item}"
    if old is None:
        legal = change.row is not None and not change.row.sources
        require(legal, f"{where}: born without being new")
        return
    require(change.row is None or bool(change.row.sources), f"{where}: born again")
    require(_is_edge(change, old["state"], new["state"]), f"{where}: {old['state']} -> {new['state']} is no edge")
    require(old["state"] not in FINAL or old["state"] == new["state"], f"{where}: leaves {old['state']}")
    require(old.get("claim", 0) <= new.get("claim", 0), f"{where}: the claim goes down")
    same = old.get("openai_batch_id") == new.get("openai_batch_id") and old["state"] == new["state"]
    require(not same or old.get("rank", 0) <= new.get("rank", 0), f"{where}: the rank goes down")
    require(new.get("open_chunks", 0) >= 0, f"{where}: fewer than no open chunks")
    batch_id = old.get("openai_batch_id")
    replaced = old["state"] == "in_flight" == new["state"] and batch_id != new.get("openai_batch_id")
    require(not replaced, f"{where}: another batch takes the place of {batch_id}")


def _is_edge(change: Change, old: str, new: str) -> bool:
    if change.row is None:
        return old == new
    row = ROWS[change.row.id]
    if row.target is None:
        return old == new and old in row.sources
    return old in row.sources and new in row.targets


def require(condition: bool, story: str) -> None:
    if not condition:
        raise Violation(story)


@dataclass
class Expected:
    """What a run without faults made: outputs by name, and the counts of each job."""

    outputs: dict[str, bytes] = field(default_factory=dict)
    counts: dict[str, Any] = field(default_factory=dict)


def check_spending(world: Any) -> None:
    """Each batch item is worked on by one batch, each request of it run once, and only for a job that may spend."""
    for item, ran in world.api.ran.items():
        worst = ran.most_common(1)
        require(not worst or worst[0][1] == 1, f"{item}: {worst} executed more than once")
        require(len(world.api.workers[item]) == 1, f"{item}: {sorted(world.api.workers[item])} all worked")


def check_rest(world: Any, expected: Expected | None) -> None:
    """Nothing is left to do, nothing is left over, and everything is as after a run without faults."""
    check_spending(world)
    items = world.table.items.values()
    jobs = [item for item in items if item["item"] == "job"]
    for item in items:
        require("state" not in item or item["state"] in FINAL, f"{item['item']} rests in {item.get('state')}")
        require("state" not in item or "due" not in item, f"{item['item']} is at its end and due")
        require("state" not in item or "lease_until" not in item, f"{item['item']} holds a lease at its end")
    for job in jobs:
        check_job(world, job)
    check_left_over(world)
    if expected is not None:
        outputs = world.outputs()
        require(outputs.keys() == expected.outputs.keys(), f"{sorted(outputs)} instead of {sorted(expected.outputs)}")
        for name, data in expected.outputs.items():
            require(outputs[name] == data, f"{name} is not what a run without faults makes")
        require({job["job_id"]: job["counts"] for job in jobs} == expected.counts, "the counts differ")


def check_job(world: Any, job: Item) -> None:
    """Told, cleaned; its usage is the sum of what was run for it."""
    told = [ended for ended in world.messages.ended if ended.job_id == job["job_id"]]
    require(bool(told), f"nobody was told of {job['job_id']}")
    require("cleaned_at" in job, f"{job['job_id']} was not cleaned")
    run = sum(ran.total() for (job_id, _), ran in world.api.ran.items() if job_id == job["job_id"])
    usage = sum((Usage(**part) for part in job.get("usage", {}).values()), Usage())
    require(
        usage.output_tokens == 5 * (run - world.api.unanswered[job["job_id"]]), f"usage {usage} for {run} executions"
    )
    batches = [from_attributes(i) for i in world.table.items.values() if "#batch#" in i["item"]]
    fetched = sum(b.completed + b.failed for b in batches if isinstance(b, Batch) and b.job_id == job["job_id"])
    counts = job["counts"]
    require(
        counts["completed"] + counts["failed"] == counts["requests"] == fetched + counts["invalid"],
        f"{counts} for {fetched} records",
    )
    status = world.status(job)
    require(status["state"] == job["state"], f"the status says {status['state']}")
    require(status["counts"]["completed"] == counts["completed"], "the status counts otherwise")


def check_left_over(world: Any) -> None:
    files = sorted(world.table.files & world.api.files.keys())
    require(not files or any(map(world.line.hurt, FILE_DROPPED_AFTER)), f"files left at the provider: {files}")
    work = world.objects.keys("work")
    require(not work, f"left in the work bucket: {work}")
    parts = [key for key in world.objects.keys("out") if ".parts/" in key]
    require(not parts, f"parts left: {parts}")
    unknown = world.line.hurt("start_upload") or world.line.hurt("J5.note")
    require(not world.objects.uploads or unknown, f"uploads left: {sorted(world.objects.uploads)}")
    for name in world.outputs():
        require(len(world.objects.versions("out", name)) == 1, f"{name} was written more than once")
