"""A provider that works by itself, the same for the same requests, however often and in whatever order it is asked."""

from __future__ import annotations

import copyreg
import json
import math
import operator
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from typing import Any

from batchdrop.core.errors import Misconfigured, Rejected
from batchdrop.ports import BatchPage, LineError, RemoteBatch, Replayable
from tests.fakes.answers import Json, respond_to
from tests.fakes.batch_api import ENDED, InMemoryBatchApi

PLAIN, FLAKY, SLOW, CROWDED, STRICT, PUZZLED, UNKNOWN_MODEL, LOCKED, TIRELESS = (
    f"gpt-{name}"
    for name in ("plain", "flaky", "slow", "crowded", "strict", "puzzled", "unknown", "locked", "tireless")
)
FULL = "Enqueued token limit reached for gpt-crowded. Limit: 90,000 enqueued tokens."
_VALUES = operator.attrgetter(*(one.name for one in fields(RemoteBatch)))
UnderWay = tuple[float, Mapping[str, Any]]  #: when a create arrives, Unix seconds, and the call
AT_ITS_FENCE = math.inf
_NEXT = {"validating": "in_progress", "in_progress": "finalizing"}


@dataclass
class Work:
    """What one batch did. ``ran``: executions by custom id; ``failed`` ones cost nothing, and may go again."""

    item: tuple[str, str]
    ran: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)


@dataclass
class Provider(InMemoryBatchApi):
    """Models are named for what they do the first time: expire, fail at the token limit, refuse a line, …

    ``work`` by batch id. ``pending``: creates that are still under way. ``executes``: how many batches a create makes,
    by its number; where that is none, it makes one just before its file is deleted. ``hidden``: batches that it says it
    does not know. ``project``: that of the present key, and ``homes`` those of input files; nothing is known of what
    another one has. ``is_stale``: whether a look at a batch shows it as it was before its last change.
    """

    work: dict[str, Work] = field(default_factory=dict)
    pending: list[UnderWay] = field(default_factory=list)
    executes: dict[int, int] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    project: str = "ours"
    homes: dict[str, str] = field(default_factory=dict)
    is_stale: Callable[[], bool] = bool
    deaf: bool = False  #: a cancel is taken, and nothing comes of it
    refuses_key: bool = False  #: creates for LOCKED are refused, and not only the first one
    prompt: bool = False  #: a batch is validated before its create is answered
    lenient: bool = False  #: a create that names no file makes a batch that fails, instead of being refused
    lagged: int = 0  #: looks at the list that did not show every batch there was
    _inputs: dict[str, list[Json]] = field(default_factory=dict)
    _seen: set[tuple[str, ...]] = field(default_factory=set)
    _former: dict[str, RemoteBatch] = field(default_factory=dict)

    def __getstate__(self) -> dict[str, Any]:
        """Calls are counted for the sake of what is scripted."""
        is_scripted = self._faults or self.executes
        return {name: value for name, value in self.__dict__.items() if name != "calls" or is_scripted}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= {"calls": Counter()} | state

    def requests(self, batch_id: str) -> list[Json]:
        """As they were when the batch passed its validation: its file may be gone since."""
        return self._inputs[batch_id] if batch_id in self._inputs else super().requests(batch_id)

    def upload(self, name: str, body: Replayable) -> str:
        file_id = super().upload(name, body)
        self.homes[file_id] = self.project
        return file_id

    def create(
        self, *, file_id: str, endpoint: str, completion_window: str, metadata: Mapping[str, str]
    ) -> RemoteBatch:
        call: Any = {"file_id": file_id, "endpoint": endpoint}
        call |= {"completion_window": completion_window, "metadata": metadata}
        if self._has(file_id):
            self._refuse(file_id)
        elif self.lenient:
            return self._made(file_id, metadata)
        times = self.executes.pop(self.calls["create"] + 1, 1)
        if not times and self._has(file_id):
            self.pending.append((AT_ITS_FENCE, call))
        for _ in range(times - 1):
            self._made(file_id, metadata)
        made = super().create(**call)
        if self.prompt:
            self.move(made.id)
        return made

    def delete_file(self, file_id: str) -> bool:
        self._land([one for one in self.pending if one[0] == AT_ITS_FENCE and one[1]["file_id"] == file_id])
        return super().delete_file(file_id)

    def page(self, cursor: str | None = None) -> BatchPage:
        self.lagged += any(batch.created_at > self._now() - self.list_lag for batch in self.batches.values())
        page = super().page(cursor)
        return BatchPage(tuple(map(self._shown, filter(self._is_known, page.batches))), page.cursor)

    def retrieve(self, batch_id: str) -> RemoteBatch | None:
        found = super().retrieve(batch_id)
        return self._shown(found) if found and self._is_known(found) else None

    def change(self, batch_id: str, **fields: Any) -> RemoteBatch:
        self._former[batch_id] = self.batches[batch_id]
        return super().change(batch_id, **fields)

    def _is_known(self, batch: RemoteBatch) -> bool:
        return batch.id not in self.hidden and self._is_ours(batch.input_file_id)

    def _is_ours(self, file_id: str) -> bool:
        return self.homes.get(file_id, self.project) == self.project

    def _has(self, file_id: str) -> bool:
        return super()._has(file_id) and self._is_ours(file_id)

    def _shown(self, batch: RemoteBatch) -> RemoteBatch:
        """Why a batch failed is told from its end on; anything else may be a moment old."""
        if batch.status == "failed" or batch.id not in self._former or not self.is_stale():
            return batch
        return self._former[batch.id]

    def create_later(self, moment: float, call: Mapping[str, Any]) -> None:
        """The call is under way; it arrives at ``moment``, Unix seconds."""
        self.pending.append((math.ceil(moment), call))

    def step(self) -> bool:
        """Whatever has arrived is created; every batch moves on by one status. Whether there was anything to do."""
        arrived = self.arrive()
        moving = self.open_batches()
        for batch_id in moving:
            self.move(batch_id)
        return bool(arrived or moving)

    def arrive(self) -> int:
        """Create what was under way until now. How many that are."""
        now = self._now()
        return self._land([one for one in self.pending if one[0] <= now])

    def _land(self, creates: list[UnderWay]) -> int:
        """They were sent under a key of the project that their file is in, or nothing comes of them."""
        self.pending = [one for one in self.pending if one not in creates]
        present = self.project
        for _, call in creates:
            self.project = self.homes.get(call["file_id"], present)
            with suppress(Exception):  # nobody is there to hear it
                self.create(**call)
        self.project = present
        return len(creates)

    def _now(self) -> float:
        return self.clock.now().timestamp()

    def move(self, batch_id: str) -> None:
        batch = self.batches[batch_id]
        if batch.status == "cancelling":
            if not self.deaf:
                self._stop(batch)
        elif batch.status == "validating" and (error := self._complaint(batch)):
            self.fail(batch_id, error)
        elif batch.status in _NEXT:
            if not self._is_tireless(batch):
                self.change(batch_id, status=_NEXT[batch.status])
        else:
            self._work(batch)

    def _is_tireless(self, batch: RemoteBatch) -> bool:
        """It runs until it is cancelled."""
        return batch.status == "in_progress" and self._inputs[batch.id][0]["body"]["model"] == TIRELESS

    def _complaint(self, batch: RemoteBatch) -> LineError | None:
        if batch.input_file_id not in self.files:
            return LineError("invalid_request", "Cannot find file " + batch.input_file_id)
        requests = self._inputs[batch.id] = super().requests(batch.id)
        model = requests[0]["body"]["model"]
        if model == CROWDED and self._is_first("crowded", *_item(batch)):
            return LineError("token_limit_exceeded", FULL)
        if model == PUZZLED and len(requests) > 1:
            return LineError("never_heard_of", "Something is wrong with one of them.")
        for line, request in enumerate(requests, 1):
            if model == STRICT and "wrong" in request["custom_id"]:
                return LineError("invalid_request", "Messages parameter is required.", line)
        return None

    def _work(self, batch: RemoteBatch) -> None:
        requests = self._inputs[batch.id]
        self._mine = self.work[batch.id] = Work(_item(batch))
        self.respond = self._answer
        if requests[0]["body"]["model"] == SLOW and not batch.metadata["batchdrop_item"].endswith(".r"):
            self.expire(batch.id)
        else:
            self.finish(batch.id)

    def _answer(self, request: Json) -> tuple[int, Json]:
        custom_id = request["custom_id"]
        self._mine.ran[custom_id] += 1
        if request["body"]["model"] == FLAKY and self._is_first("flaky", self._mine.item[0], custom_id):
            self._mine.failed[custom_id] += 1
            return 500, {"error": {"message": "try again", "type": "server_error", "code": None}}
        return respond_to(request)

    def _refuse(self, file_id: str) -> None:
        request = self._first_request(file_id)
        model = request["body"]["model"]
        if model == UNKNOWN_MODEL:
            raise Rejected("model_not_found", f"There is no model {model}.")
        if model == LOCKED and (self._is_first("locked") or self.refuses_key):
            raise Misconfigured("invalid_api_key", "The key was refused.")

    def _first_request(self, file_id: str) -> Json:
        return dict(json.loads(self.files[file_id].data.split(b"\n", 1)[0]))

    def _made(self, file_id: str, metadata: Mapping[str, str]) -> RemoteBatch:
        created_at = int(self.clock.now().timestamp())
        batch = RemoteBatch(self._id("batch"), "validating", file_id, created_at, metadata=metadata)
        self.batches[batch.id] = batch
        return batch

    def _stop(self, batch: RemoteBatch) -> None:
        if batch.id in self._inputs:
            self.expire(batch.id, done=0.0, status="cancelled")
        else:
            self.change(batch.id, status="cancelled")

    def _is_first(self, *what: str) -> bool:
        is_first = what not in self._seen
        self._seen.add(what)
        return is_first

    def is_idle(self) -> bool:
        return not self.pending and not any(batch.status not in ENDED for batch in self.batches.values())


#: Kept and found again by the thousand: quicker than by the names of its fields.
copyreg.pickle(RemoteBatch, lambda batch: (RemoteBatch, _VALUES(batch)))


def _item(batch: RemoteBatch) -> tuple[str, str]:
    return batch.metadata["batchdrop_job"], batch.metadata["batchdrop_item"]
