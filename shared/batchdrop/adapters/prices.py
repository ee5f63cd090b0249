"""``ports.Prices`` on the table of genai-prices, which comes with that package: nothing is fetched, nothing is sent."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from batchdrop.core.pricing import Price, Rates

if TYPE_CHECKING:
    from datetime import datetime

    from genai_prices.types import ModelPrice, PriceCalculation, PriceVariant, TieredPrices

_BATCH = {"processing": "batch"}
#: Where a batch is half the standard price, as their guides say ("50% cost discount compared to synchronous APIs",
#: "50% less cost than global standard", read on 2026-11-25), should the table not name a model's rate in batches.
_HALF_PRICE = frozenset({"openai", "azure"})
#: What costs nothing. The table has no rates for them, and matches by a part of the name: others must not pass as free.
_FREE = ("omni-moderation-", "text-moderation-")
_ZERO = Decimal()


@dataclass(frozen=True)
class TablePrices:
    """``provider``: its id in the table; empty: by ``base_url``."""

    base_url: str
    provider: str = ""

    def of(self, model: str, now: datetime) -> Price | None:
        # Only where a file was judged: the import takes a third of a second.
        from genai_prices import Usage, __version__, calc_price  # noqa: PLC0415

        try:
            if self.provider:
                found = calc_price(Usage(), model, provider_id=self.provider, genai_request_timestamp=now)
            else:
                found = calc_price(Usage(), model, provider_api_url=self.base_url, genai_request_timestamp=now)
        except LookupError:
            return None
        if _is_without_rates(found.model_price):
            return _free() if model.startswith(_FREE) else None
        source = f"as genai-prices {__version__} has them"
        if variant := _in_batches(found, now):
            return _in_batch(found.model.get_prices(now, _BATCH), variant.prices, f"batch prices, {source}")
        if found.provider.id in _HALF_PRICE:
            return _price(
                found.model_price, found.model_price, Decimal("0.5"), f"half of the standard prices, {source}"
            )
        return None


def _in_batches(found: PriceCalculation, now: datetime) -> PriceVariant | None:
    """The entry of what the provider asks in batches; for a model that it resells, the entry is not its own."""
    if not any(found.model is own for own in found.provider.models):
        return None
    return next(
        (
            variant
            for variant in found.model.price_variants or ()
            if variant.when == _BATCH and (variant.constraint is None or variant.constraint.active(now))
        ),
        None,
    )


def _in_batch(prices: ModelPrice, named: ModelPrice, basis: str) -> Price | None:
    """A batch rate for cached tokens that the provider does not publish is none: they cost as any other."""
    is_own = _at(None, named, "input_mtok") is None
    return _price(prices, prices if is_own else named, Decimal(1), basis)


def _price(prices: ModelPrice, caching: ModelPrice, part: Decimal, basis: str) -> Price | None:
    """``part`` of the rates that the table has; None for a model that is not paid for by the token."""
    base = _rates(prices, caching, part, None)
    if base is None:
        return None
    starts = {tier.start for rate in vars(prices).values() for tier in getattr(rate, "tiers", ())}
    above = min(starts, default=None)
    beyond = None if above is None else _rates(prices, caching, part, max(starts))
    own = {name: getattr(base, name) for name in base.__struct_fields__}
    return Price(**own, basis=basis, above=above, beyond=beyond)


def _rates(prices: ModelPrice, caching: ModelPrice, part: Decimal, tier: int | None) -> Rates | None:
    read, write = (
        _at(tier, prices, "input_mtok", "input_image_mtok"),
        _at(tier, prices, "output_mtok", "output_image_mtok"),
    )
    if read is None and write is None:
        return None
    read = read or _ZERO
    cached = _at(tier, caching, "cache_read_mtok", "cache_image_read_mtok")
    to_cache = _at(tier, caching, "cache_write_mtok")
    return Rates(
        input=part * read,
        cached_input=part * (read if cached is None else cached),
        cache_write=part * (read if to_cache is None else to_cache),
        output=part * (write or _ZERO),
    )


def _is_without_rates(prices: ModelPrice) -> bool:
    return all(value is None for value in vars(prices).values())


def _free() -> Price:
    return Price(input=_ZERO, cached_input=_ZERO, cache_write=_ZERO, output=_ZERO, basis="free")


def _at(tier: int | None, prices: ModelPrice, *names: str) -> Decimal | None:
    """The highest of the rates: text and images are counted together. ``tier``: of prompts of more tokens than that."""
    found = [getattr(prices, name) for name in names]
    return max((_of_tier(rate, tier) for rate in found if rate is not None), default=None)


def _of_tier(rate: Decimal | TieredPrices, tier: int | None) -> Decimal:
    if isinstance(rate, Decimal):
        return rate
    return next((one.price for one in rate.tiers if one.start == tier), rate.base)
