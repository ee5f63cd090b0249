"""How much of a model may be enqueued at the provider: what the stack says, and what was learned from the provider.

A pool is an (api, model). Its limit is the lower of the configured and the learned one. Where neither is known the room
grows as it proves to be there: ``docs/decisions/2026-11-23-room.md`` has the figures.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from batchdrop.core.model import Batch, Usage

Pool = tuple[str, str]  #: (api, model)

#: Name of a configured limit that holds for every model that is not named.
ANY_MODEL = "*"
#: Room that is taken for granted: the lowest limit that was ever seen is 90,000 (CONTRACT, tier 1), with a margin.
TAKEN_FOR_GRANTED = 50_000
#: One part in so many of a limit is for jobs with nothing under way, so that a full pool has a place for a small job.
KEPT_FREE = 20
#: A learned limit is believed for so long: accounts rise to higher tiers, and nobody says so.
BELIEVED = dt.timedelta(days=1)
#: Refusals after which an estimate near the limit is no longer believed.
DOUBTED = 3
#: What was refused although by our count there was room is not tried again for so long.
REMEMBERED = dt.timedelta(hours=2)
#: Estimates are corrected once so many estimated tokens are accounted for, and by these factors at most.
ENOUGH_TOKENS, LEAST_FACTOR, MOST_FACTOR = 2_000, 16, 4
#: Above this sum older batches count half, so that a model's correction follows what it is used for.
MOST_TOKENS = 50_000_000

_NAMED = re.compile(r"Limit:\s*([\d,]+)\s*enqueued (tokens|requests)", re.IGNORECASE)


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """The limit that an error names, in tokens or in requests."""

    tokens: int | None = None
    requests: int | None = None


def named(text: str) -> Named | None:
    """What an error says of the limit: "… Limit: 2,000,000 enqueued tokens. …"; None if it names none, or zero."""
    found = _NAMED.search(text)
    amount = int(found[1].replace(",", "") or 0) if found else 0
    if not (found and amount):
        return None
    return Named(tokens=amount) if found[2].lower() == "tokens" else Named(requests=amount)


def configured(text: str) -> dict[str, int]:
    """The parameter ``EnqueuedTokenLimits``: tokens by model, "*" for all others. ``ValueError`` says what is wrong."""
    try:
        limits = msgspec.json.decode(text or "{}", type=dict[str, int])
    except msgspec.DecodeError:
        raise ValueError('must be a JSON object of whole numbers by model, as {"gpt-5-mini": 2000000}') from None
    if wrong := [model for model, tokens in limits.items() if tokens < 1 or not model.strip()]:
        raise ValueError(f"must name a model and at least 1 token, not {wrong[0]!r}: {limits[wrong[0]]}")
    return limits


class Learned(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one pool. ``learned_at``: when a limit was last named; None on those that are never doubted.

    ``refused_tokens``: the pool as it was admitted, by its estimates, with the last batch that was refused at
    ``refused_at`` beside others. ``seen_tokens``: the most that the provider was seen to work on at once. The other two
    are sums over finished batches.
    """

    enqueued_tokens: int | None = None
    enqueued_requests: int | None = None
    learned_at: dt.datetime | None = None
    refused_tokens: int = 0
    refused_at: dt.datetime | None = None
    seen_tokens: int = 0
    estimated_tokens: int = 0
    input_tokens: int = 0

    def is_believed(self, now: dt.datetime) -> bool:
        return self.learned_at is None or now < self.learned_at + BELIEVED

    def corrected(self, tokens: int) -> int:
        """An estimate of prompt tokens, by what finished batches took of theirs."""
        estimated = self.estimated_tokens
        if estimated < ENOUGH_TOKENS:
            return tokens
        real = min(max(self.input_tokens, estimated // LEAST_FACTOR), estimated * MOST_FACTOR)
        return max(1, -(-tokens * real // estimated))

    def refused(self, now: dt.datetime) -> int | None:
        """What was refused lately."""
        return self.refused_tokens if self.refused_at and now < self.refused_at + REMEMBERED else None


def relearned(known: Learned, limit: Named, *, now: dt.datetime | None) -> Learned:
    """``known`` after the provider named a ``limit``. Without ``now``, it will never be doubted."""
    tokens, requests = limit.tokens or known.enqueued_tokens, limit.requests or known.enqueued_requests
    is_new = (tokens, requests) != (known.enqueued_tokens, known.enqueued_requests)
    if not is_new and now is not None and known.is_believed(now):
        return known
    return msgspec.structs.replace(known, enqueued_tokens=tokens, enqueued_requests=requests, learned_at=now)


def refused(known: Learned, batch: Batch, *, now: dt.datetime) -> Learned:
    """``known`` after ``batch`` was refused. If it stood alone, that says nothing of how much fits beside others."""
    if not batch.pool_tokens or batch.pool_tokens <= batch.estimated_tokens:
        return known
    tokens = min(batch.pool_tokens, known.refused(now) or batch.pool_tokens)
    return msgspec.structs.replace(known, refused_tokens=tokens, refused_at=now)


def experienced(known: Learned, batch: Batch, usage: Usage) -> Learned:
    """``known`` after a batch was finished with this usage: what was estimated for its answers, and what they took."""
    estimated = batch.estimated_tokens * min(usage.requests, batch.requests) // batch.requests
    if not (estimated and usage.input_tokens):
        return known
    share = 2 if known.estimated_tokens > MOST_TOKENS else 1
    return msgspec.structs.replace(
        known,
        estimated_tokens=known.estimated_tokens // share + estimated,
        input_tokens=known.input_tokens // share + usage.input_tokens,
    )


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one pool may hold at once. ``tokens``: None where no limit is known; then ``window`` says, and grows.

    ``split_above``: tokens that one batch may have at most; None for any number. ``below``: what is under way, by its
    plain estimates, must stay below this.
    """

    known: Learned = field(default_factory=Learned)
    tokens: int | None = None
    requests: int | None = None
    split_above: int | None = None
    below: int | None = None

    def window(self, proven: int) -> int:
        """Where no limit is known: twice what was proven to fit, now or ever; once what a former limit allowed."""
        seen, former = max(proven, self.known.seen_tokens), self.known.enqueued_tokens or 0
        return max(TAKEN_FOR_GRANTED, former if seen <= former else 2 * seen)

    def weight(self, batch: Batch) -> int:
        """Tokens of the batch, as estimated from its bytes and corrected by what finished ones took."""
        return self.known.corrected(batch.estimated_tokens)

    def pieces(self, batch: Batch) -> int:
        """Into how many parts a batch is to be split before it is uploaded; 0: it may go.

        One over half of the limit makes parts of a third: while one ends and the next starts, others are worked on.
        Estimates err: one that was refused time and again although it seemed to fit is halved, too.
        """
        if batch.requests == 1:
            return 0
        weight = self.weight(batch)
        parts = [_parts(weight, self.split_above), _parts(batch.requests, self.requests)]
        was_refused = batch.refusals >= DOUBTED and "_limit_exceeded" in (batch.reason or "")
        if was_refused and self.split_above and 8 * weight > self.split_above:
            parts.append(2)
        return max(parts)


def _parts(size: int, limit: int | None) -> int:
    """Three of the parts fill what of the limit is not kept free."""
    return -(-3 * size * KEPT_FREE // (limit * (KEPT_FREE - 1))) if limit and 2 * size > limit else 0


@dataclass(frozen=True, slots=True)
class Allowances:
    """Of all pools at one moment."""

    stack: Mapping[str, int]
    learned: Mapping[Pool, Learned]
    now: dt.datetime

    def of(self, pool: Pool) -> Allowance:
        known = self.learned.get(pool, Learned())
        own = self.stack.get(pool[1], self.stack.get(ANY_MODEL))
        is_believed = known.is_believed(self.now)
        tokens = [limit for limit in (own, known.enqueued_tokens if is_believed else None) if limit]
        return Allowance(
            known=known,
            tokens=min(tokens, default=None),
            requests=known.enqueued_requests if is_believed else None,
            split_above=min(tokens, default=known.enqueued_tokens),
            below=known.refused(self.now),
        )
