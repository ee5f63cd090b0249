"""``ports.Prices`` of a table that the test sets."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from batchdrop.core.pricing import Price


def price(read: str = "0.125", write: str = "1", cached: str | None = None, basis: str = "batch prices") -> Price:
    rate, output = Decimal(read), Decimal(write)
    return Price(input=rate, cached_input=Decimal(cached or read), cache_write=rate, output=output, basis=basis)


@dataclass
class InMemoryPrices:
    known: dict[str, Price] = field(default_factory=lambda: {"gpt-5-mini": price(cached="0.0125")})

    def of(self, model: str, now: datetime) -> Price | None:
        return self.known.get(model)
