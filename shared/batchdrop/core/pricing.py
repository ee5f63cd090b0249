"""What tokens cost, exactly, in US dollars: a job's rates and its estimates, as they stand when it is planned."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, ROUND_UP, Decimal
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from batchdrop.core.model import Usage

_MILLION = 1_000_000
_SMALLEST = Decimal("0.000001")


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """US dollars for a million tokens."""

    input: Decimal
    cached_input: Decimal
    cache_write: Decimal
    output: Decimal

    def of(self, usage: Usage) -> Decimal:
        """Cached tokens, and those written to the cache, are part of the input; reasoning is part of the output."""
        plain = max(0, usage.input_tokens - usage.cached_input_tokens - usage.cache_write_tokens)
        dollars = (
            self.input * plain
            + self.cached_input * usage.cached_input_tokens
            + self.cache_write * usage.cache_write_tokens
            + self.output * usage.output_tokens
        )
        return dollars / _MILLION


class Price(Rates, frozen=True, kw_only=True):
    """What a model costs in a batch. ``basis``: where the rates are from, in words.

    ``beyond``: the rates of a request, all of it, whose prompt has more than ``above`` tokens.
    """

    basis: str
    above: int | None = None
    beyond: Rates | None = None

    def spent(self, usage: Usage, long_usage: Usage) -> Decimal:
        """``long_usage``: the part of ``usage`` that is of such requests."""
        return self.of(usage - long_usage) + (self.beyond or self).of(long_usage)

    def estimated(self, estimate: Estimate) -> Decimal:
        """Where prompts are too long on average, all are taken to be."""
        is_long = self.above is not None and estimate.input_tokens > self.above * estimate.requests
        rates = (self.beyond if is_long else None) or self
        return (rates.input * estimate.input_tokens + rates.output * estimate.most_output_tokens) / _MILLION

    @property
    def is_free(self) -> bool:
        return not (self.input or self.output)


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """What a job's requests to one model may take.

    ``input_tokens``: by their size. ``output_tokens``: the most that answers may hold, to those ``read`` requests whose
    limits were looked at; ``unlimited`` of them name none, and a length was assumed.
    """

    requests: int = 0
    input_tokens: int = 0
    read: int = 0
    output_tokens: int = 0
    unlimited: int = 0

    def __add__(self, other: Estimate) -> Estimate:
        return Estimate(**{name: getattr(self, name) + getattr(other, name) for name in self.__struct_fields__})

    @property
    def most_output_tokens(self) -> int:
        """Of all answers: where not every request was read, the others are taken to be like those that were."""
        if 0 < self.read < self.requests:
            return -(-self.output_tokens * self.requests // self.read)
        return self.output_tokens


def dollars(amount: Decimal) -> str:
    """Two to six decimals, in plain notation; what is above zero never shows as zero."""
    text = f"{amount.quantize(_SMALLEST, ROUND_HALF_UP if amount >= _SMALLEST else ROUND_UP):f}"
    whole, _, decimals = text.partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"
