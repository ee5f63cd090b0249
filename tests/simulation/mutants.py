"""Wrong protocols: each breaks one rule of ours, and must be caught."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from batchdrop.adapters.ledger.batches import BatchWrites
from batchdrop.adapters.ledger.writing import birth
from batchdrop.core.errors import Misconfigured, OutcomeUnknown, Rejected, RetryLater
from batchdrop.core.lifecycle import Guard
from batchdrop.core.open_items import OpenItems
from batchdrop.core.publishing import Holder
from batchdrop.usecases import join, pace, recover
from batchdrop.usecases.assemble import Assemble
from batchdrop.usecases.clean import Clean
from batchdrop.usecases.fetch import Fetch
from batchdrop.usecases.observe import Observe
from batchdrop.usecases.recover import Recover
from batchdrop.usecases.redrive import Redrive
from batchdrop.usecases.submit import Submit, Submitted
from tests.fakes import table
from tests.fakes.objects import InMemoryObjects
from tests.simulation.buying import Patches, buying, create

MUTANTS: dict[str, Callable[[], Patches]] = {}


def mutant(name: str) -> Callable[[Callable[[], Patches]], Callable[[], Patches]]:
    def enlist(patches: Callable[[], Patches]) -> Callable[[], Patches]:
        MUTANTS[name] = patches
        return patches

    return enlist


def patched() -> dict[tuple[str, str], Any]:
    """Everything that a mutant changes, as it is now."""
    targets = {(target, name) for patches in MUTANTS.values() for target, name, _ in patches()}
    return {(str(target), name): getattr(target, name) for target, name in targets}


@contextmanager
def mutated(name: str) -> Iterator[None]:
    with ExitStack() as stack:
        for target, attribute, wrong in MUTANTS[name]():
            stack.enter_context(patch.object(target, attribute, wrong))
        yield


def without(*guards: Guard) -> Patches:
    """No write is held to these guards."""
    true = table._true

    def lax(guard: Guard, expected: Any, item: Any) -> bool:
        return guard in guards or true(guard, expected, item)

    return [(table, "_true", lax)]


MUTANTS["no guard is checked"] = lambda: without(*Guard)
MUTANTS["what is born may exist"] = lambda: without(Guard.UNBORN)
MUTANTS["the rank is not checked"] = lambda: without(Guard.RANK)
MUTANTS["two pollers stand at a fence"] = lambda: [*without(Guard.UNFENCED), (pace, "TICK", dt.timedelta(0))]
#: Either alone is masked by the other: a lease ends after its invocation, so that no old claim is alive.
MUTANTS["claim and lease are not checked"] = lambda: without(Guard.CLAIM, Guard.LEASE_OVER)


@mutant("writes have no condition at all")
def _() -> Patches:
    return [(table, "holds", lambda change, item: True)]


@mutant("the state is not checked")
def _() -> Patches:
    holds = table.holds

    def lax(change: Any, item: Any) -> bool:
        return holds(type(change)(change.key, guards=change.guards), item)

    return [(table, "holds", lax)]


@mutant("it creates first and records afterwards")
def _() -> Patches:
    def buy(self: Any, batch: Any, file_id: str, metadata: dict[str, str]) -> Submitted:
        now = self.clock.now()
        try:
            remote = create(self, batch, file_id, metadata)
        except OutcomeUnknown as unknown:
            return self._refused(batch, RetryLater(str(unknown)))  # type: ignore[no-any-return]
        except (Misconfigured, Rejected, RetryLater) as refusal:
            return self._refused(batch, refusal)  # type: ignore[no-any-return]
        key = self.api.key_version()
        creating = self.ledger.record_intent(batch, file_id=file_id, key_version=key, now=now, lease=now)
        made = creating and self.ledger.record_created(creating, remote, now=now, check_at=now)
        return Submitted.CREATED if made else Submitted.STALE

    return [(Submit, "_buy", buy)]


@mutant("a create without an answer is sent again")
def _() -> Patches:
    return buying(create)


@mutant("a create without an answer counts as refused")
def _() -> Patches:
    return buying(lambda self, batch, *_: self._refused(batch, RetryLater("no answer")))


@mutant("trouble in recording a batch counts as its refusal")
def _() -> Patches:
    return buying(lambda *_: Submitted.UNKNOWN, lambda self, batch, trouble: self._refused(batch, trouble))


@mutant("a lost create is made anew without a fence")
def _() -> Patches:
    return [(Recover, "_fence", lambda self, batch, key_version: batch)]


@mutant("nobody looks behind the fence")
def _() -> Patches:
    def believing(self: Any, look: Any, fenced: Any) -> None:
        self._queue_anew(look, fenced, recover._Found(is_whole=True))

    return [(Recover, "_look_behind", believing)]


@mutant("any file that is not there counts as fenced off")
def _() -> Patches:
    return [(recover, "_was_ours", lambda batch, key_version: True)]


@mutant("a fence counts whatever its create was made under")
def _() -> Patches:
    return [(recover, "_was_ours", lambda batch, key_version: batch.fenced_under == key_version)]


@mutant("one negative look is believed")
def _() -> Patches:
    return [(Recover, "_is_settled", lambda self, batch, **since: True)]


@mutant("nothing is adopted")
def _() -> Patches:
    return [(Recover, "_adopt", lambda self, batch, remote: False)]


@mutant("the file of a refused batch goes before the record of it")
def _() -> Patches:
    refused = Submit._refused

    def wrong(self: Any, batch: Any, refusal: Any) -> Submitted:
        if batch.file_id:
            self._drop_file(batch.file_id)
        return refused(self, batch, refusal)

    return [(Submit, "_refused", wrong)]


@mutant("an expired batch counts as failed")
def _() -> Patches:
    provided = Fetch._provided

    def wrong(self: Any, batch: Any) -> Iterator[bytes]:
        return iter(()) if batch.remote_status == "expired" else provided(self, batch)

    return [(Fetch, "_provided", wrong)]


@mutant("a wave is recorded after its batch")
def _() -> Patches:
    record = BatchWrites.record_fetched

    def wrong(self: Any, batch: Any, fetched: Any, follow_ups: Any, *, now: Any) -> bool:
        done = record(self, batch, fetched, (), now=now)
        return done and all(self._table.commit([birth("B0", new)]) for new in follow_ups)

    return [(BatchWrites, "record_fetched", wrong)]


@mutant("files go before their answers are recorded")
def _() -> Patches:
    record = Fetch._record

    def wrong(self: Any, batch: Any, fetched: Any, follow_ups: Any) -> bool:
        for file_id in filter(None, (batch.output_file_id, batch.error_file_id)):
            self.api.delete_file(file_id)
        return record(self, batch, fetched, follow_ups)

    return [(Fetch, "_record", wrong)]


@mutant("a chunk is joined before its last batch is fetched")
def _() -> Patches:
    return [(join, "_is_joinable", lambda job, chunk, batches: chunk is not None and chunk.state == "open")]


@mutant("batches are admitted before the last line is judged")
def _() -> Patches:
    from batchdrop.adapters.ledger import batches

    return [
        (OpenItems, "for_admission", lambda self: self.batches),
        (batches, "with_job", lambda change, add=None: [change]),
    ]


@mutant("nothing is sent again")
def _() -> Patches:
    return [(Redrive, "__call__", lambda self, *_: 0)]


@mutant("nobody looks whether the outputs are there")
def _() -> Patches:
    return [
        (Assemble, "_look", lambda self, key, us: (None, Holder.NOBODY)),
        (InMemoryObjects, "_holds", lambda self, bucket, key, only: True),
    ]


@mutant("an ended batch is not looked at again")
def _() -> Patches:
    see = Observe._see

    def wrong(self: Any, look: Any, remote: Any, batch: Any) -> None:
        if remote.status != "expired":
            see(self, look, remote, batch)

    return [(Observe, "_see", wrong)]


@mutant("nothing is cleaned at the provider")
def _() -> Patches:
    return [(Clean, "_delete_files", lambda self, job, deadline: True)]
