"""What must hold after every write: judged by what it did, whatever the writer's conditions were."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Any

from batchdrop.core.change import Change
from batchdrop.core.lifecycle import OCCUPYING, ROWS
from batchdrop.core.model import Key
from tests.fakes.clock import FakeClock
from tests.fakes.table import InMemoryTable
from tests.simulation.letters import TICK

Item = dict[str, Any]
Pool = tuple[str, str]  #: (api, model)
FINAL = {"completed", "failed", "cancelled", "collected", "fetched", "retired", "quarantined"}
LONGEST = 65  #: minutes without a transition: a lost create is looked for during half an hour
#: What may happen only between the judgement of a file's last line and the end of its job.
BUYS = {"B1", "B3"}  #: nor those once a cancel is asked
SPENDS = {"B1", "B3", "B12", "B13", "C1"}
FILES = ("file_id", "output_file_id", "error_file_id")


class Violation(AssertionError):  # noqa: N818 - said of the run, not of the code that raises it
    """The promise is broken."""


class WatchedTable(InMemoryTable):
    """Judges every write by what it did, whatever the writer's conditions were.

    Reads hand out the items themselves, for speed: a write makes a new item, and readers only convert them.
    """

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self.clock = clock
        self.rows: Counter[str] = Counter()
        self.crashes = 0  #: deaths that were counted
        self.steps = 0  #: writes of jobs, chunks and batches, whatever they changed
        self.files: dict[str, str] = {}  #: every id that an item ever named, and which item
        self.writes = 0
        self.moved_at = clock.now()  #: when a transition was made
        self.admitted: dict[tuple[str, str], float] = {}  #: when each batch was, the last time
        self.learned: dict[Pool, tuple[int, float]] = {}  #: limits, and since when they are known

    def __getstate__(self) -> dict[str, Any]:
        """What was counted is no part of the world."""
        return {name: value for name, value in self.__dict__.items() if name not in ("rows", "crashes", "steps")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state | {"rows": Counter(), "crashes": 0, "steps": 0}

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

    def _token(self) -> str:
        """The same for all: here no write is sent twice, and two worlds may be compared."""
        return "token"

    def is_open(self) -> bool:
        return any("due" in item for item in self.items.values())

    def check_progress(self) -> None:
        """I13: where work is open, something happens."""
        waited = (self.clock.now() - self.moved_at).total_seconds() / 60
        require(waited < LONGEST or not self.is_open(), f"nothing happened for {waited:.0f} minutes")

    def _judge(self, change: Change, old: Item | None, new: Item) -> None:
        if change.key.item.startswith("limit#") and new.get("enqueued_tokens") != (old or {}).get("enqueued_tokens"):
            limit = new["api"], new["model"]
            self.learned[limit] = new["enqueued_tokens"], self.clock.now().timestamp()
        if change.row is not None:
            self._judge_row(change.row.id, change.key, new)
        self.crashes += new.get("crashes", 0) > (old or {}).get("crashes", 0)
        if "state" in new:
            self.steps += 1
            owner = f"{change.key.job_id} {change.key.item}"
            self.files.update((new[name], owner) for name in FILES if name in new)
            check_step(change, old, new)

    def _judge_row(self, row: str, key: Key, new: Item) -> None:
        self.rows[row] += 1
        self.moved_at = self.clock.now()
        if row in SPENDS and (state := self.items[key.job_id, "job"]["state"]) != "running":
            raise Violation(f"{row} on {key.item} of a job that is {state}")
        if row in BUYS and "cancel_requested_at" in self.items[key.job_id, "job"]:
            raise Violation(f"{row} on {key.item} of a job that is cancelled")
        if row == "B1":
            check_limit(self, new)
        elif row == "B8.known":
            self.admitted[key.job_id, key.item] = self.clock.now().timestamp()
        elif row == "C1":
            check_open_chunks(self, key.job_id)
        elif row in ("B14", "B14.late"):
            check_dropped(self, row, new)


def _is_due(item: Item) -> bool:
    return "due" in item and "next_check_at" in item


def check_step(change: Change, old: Item | None, new: Item) -> None:
    """Only edges of the table; claims and ranks never go down; what is final stays."""
    is_birth = change.row is not None and not change.row.sources
    wrong = "" if is_birth else "born without being new"
    if old is not None:
        wrong = "born again" if is_birth else _wrong_step(change, old, new)
    if wrong:
        story = f"{old and old['state']} -> {new['state']}: {wrong}"
        raise Violation(f"{change.row.id if change.row else 'unnamed write'} on {change.key.item}, {story}")


def _wrong_step(change: Change, old: Item, new: Item) -> str:
    was, is_now = old["state"], new["state"]
    has_same_batch = old.get("openai_batch_id") == new.get("openai_batch_id")
    wrong = (
        ("no edge", not _is_edge(change, was, is_now)),
        ("it was at its end", was in FINAL and was != is_now),
        ("the claim goes down", old.get("claim", 0) > new.get("claim", 0)),
        ("the rank goes down", has_same_batch and was == is_now and old.get("rank", 0) > new.get("rank", 0)),
        ("fewer than no open chunks", new.get("open_chunks", 0) < 0),
        ("another batch takes the place of its own", was == "in_flight" == is_now and not has_same_batch),
    )
    return next((story for story, is_so in wrong if is_so), "")


def _is_edge(change: Change, old: str, new: str) -> bool:
    if change.row is None:
        return old == new
    row = ROWS[change.row.id]
    if row.target is None:
        return old == new and old in row.sources
    return old in row.sources and new in row.targets


def check_limit(table: WatchedTable, admitted: Item) -> None:
    """I8: never above a limit that was known, unless the batch has it all by itself.

    What was admitted within the last two minutes by a poller that overlaps does not count: each saw the table before
    the other wrote. At the provider that is a refusal which costs nothing. One that the provider shows again counts as
    one that is admitted then.
    """
    pool, now = (admitted["api"], admitted["model"]), table.clock.now().timestamp()
    limit, since = table.learned.get(pool, (0, float("inf")))
    table.admitted[admitted["job_id"], admitted["item"]] = now
    former = [key for key, moment in table.admitted.items() if moment + TICK <= now]
    if now < since + TICK or is_to_be_split(admitted, limit):
        return
    under_way = [table.items[key] for key in former]
    occupying = [item for item in under_way if item["state"] in OCCUPYING and _pool(item) == pool]
    used = sum(item["estimated_tokens"] for item in occupying if not is_to_be_split(item, limit))
    total = used + admitted["estimated_tokens"]
    require(not used or total <= limit, f"{total} tokens of {pool} under way, {limit} are allowed")


def is_to_be_split(item: Item, limit: int) -> bool:
    """Over half of the limit: its parts take room, and not itself, which will not be uploaded."""
    may_be_split = item["state"] in ("admitted", "uploading") and item["requests"] > 1
    return bool(may_be_split and 2 * item["estimated_tokens"] > limit)


def _pool(item: Item) -> Pool:
    return item["api"], item["model"]


def check_dropped(table: WatchedTable, row: str, dropped: Item) -> None:
    """A cancel drops what was not bought; anything else is waited for, for an hour at least."""
    asked = dt.datetime.fromisoformat(table.items[dropped["job_id"], "job"]["cancel_requested_at"])
    is_early = row == "B14" or table.clock.now() < asked + dt.timedelta(hours=1)
    require(not is_early or "openai_batch_id" not in dropped, f"{dropped['item']} is dropped, and may run")


def check_open_chunks(table: WatchedTable, job_id: str) -> None:
    """I6: the job counts its open chunks right."""
    chunks = [item for item in table.query(job_id, "chunk#") if "#batch#" not in item["item"]]
    counted = table.items[job_id, "job"]["open_chunks"]
    is_right = counted == sum(chunk["state"] == "open" for chunk in chunks)
    require(is_right, f"{counted} open chunks are counted of {[chunk['state'] for chunk in chunks]}")


def require(condition: bool, story: str) -> None:
    if not condition:
        raise Violation(story)
