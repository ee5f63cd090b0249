"""Ticks of the poller over very many open batches: calls to OpenAI, and seconds of one core.

The real use cases and adapters, from the bytes that DynamoDB and OpenAI answer; no network, and nothing new to be seen.
The baseline is to parse those bytes.
"""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from batchdrop.usecases import budget
from batchdrop.usecases.audit import Audit
from batchdrop.usecases.expire import Expire
from batchdrop.usecases.housekeep import Housekeep
from batchdrop.usecases.observe import Observe
from batchdrop.usecases.poll import Poll
from batchdrop.usecases.redrive import Redrive
from batchdrop.usecases.status import Status
from local.bench.crowd import NOW, CrowdedLedger, CrowdedProvider
from local.bench.figure import Figure, figure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_CROWDS = 10_000, 48_000
#: The poller has 0.29 of a core: more would not fit into its minute beside the calls.
_MOST_SECONDS = 10.0


def figures(_: Path) -> Iterator[Figure]:
    """For each crowd: calls in a tick, ticks until all are seen, seconds of a tick."""
    for number in _CROWDS:
        ledger, provider = CrowdedLedger(number), CrowdedProvider(number)
        ticks = [_ticked(ledger, provider)]
        while ledger.record.look:
            ticks.append(_ticked(ledger, provider))
        if provider.shown < number:
            raise AssertionError("not all were seen")
        most, of = max(tick.calls for tick in ticks), f"{number:,} open batches"
        yield _at_most(f"calls to OpenAI in a tick, {of}", most, number, "calls", target=budget.CALLS)
        yield _at_most(f"ticks until all are seen, {of}", len(ticks), number, "ticks", target=10)
        slowest, parsing = max(tick.seconds for tick in ticks), _seconds(ledger.parse)
        yield _at_most(f"a tick, {of}", slowest, parsing, "s", target=_MOST_SECONDS)


def _at_most(name: str, value: float, baseline: float, unit: str, *, target: float) -> Figure:
    """Held by itself; beside it one call, or one look, for each, or the parsing of them all."""
    return figure(name, value, baseline, unit, target=target, sense="at most", ratio=value)


@dataclass(frozen=True, slots=True)
class _Taken:
    calls: int
    seconds: float


def _ticked(ledger: CrowdedLedger, provider: CrowdedProvider) -> _Taken:
    poll, found = _poll(ledger, provider), []
    seconds = _seconds(lambda: found.append(poll(_Ample())))
    if found[0].open_batches != ledger.number or found[0].troubles:
        raise AssertionError(f"this is not what was to be measured: {found[0]}")
    return _Taken(found[0].calls, seconds)


def _poll(ledger: CrowdedLedger, provider: CrowdedProvider) -> Poll:
    """As ``bootstrap`` makes it. Where nothing is new, nothing is sent and nothing written."""
    clock, nothing = _Clock(), cast("Any", None)
    return Poll(
        ledger,
        clock,
        observe=lambda: Observe(ledger, provider.api, nothing, clock),
        recover=nothing,
        expire=Expire(ledger, clock, hours=72),
        withdraw=nothing,
        redrive=lambda: Redrive(ledger, nothing, clock),
        admit=nothing,
        housekeep=Housekeep(
            ledger, clock, sweep=nothing, audit=lambda: Audit(ledger, provider.api, clock, settle=1_800)
        ),
        status=Status(ledger, nothing, clock, "output"),
    )


def _seconds(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


class _Ample:
    def remaining(self) -> float:
        return 120.0


class _Clock:
    def now(self) -> dt.datetime:
        return NOW
