"""``ports.Prices`` on the table of genai-prices, which comes with that package: nothing is fetched, nothing is sent."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from batchdrop.core.pricing import Price

if TYPE_CHECKING:
    from datetime import datetime

    from genai_prices.types import ModelPrice, PriceCalculation, PriceVariant

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
            return _halved(found.model_price, f"half of the standard prices, {source}")
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
    is_own = _rate(named, "input_mtok") is None
    return _price(prices, basis, caching=prices if is_own else named)


def _halved(prices: ModelPrice, basis: str) -> Price | None:
    full = _price(prices, basis, caching=prices)
    if full is None:
        return None
    rates = (full.input / 2, full.cached_input / 2, full.cache_write / 2, full.output / 2)
    return Price(input=rates[0], cached_input=rates[1], cache_write=rates[2], output=rates[3], basis=basis)


def _price(prices: ModelPrice, basis: str, *, caching: ModelPrice) -> Price | None:
    """None for a model that is not paid for by the token."""
    read, write = _rate(prices, "input_mtok", "input_image_mtok"), _rate(prices, "output_mtok", "output_image_mtok")
    if read is None and write is None:
        return None
    read = read or _ZERO
    cached = _rate(caching, "cache_read_mtok", "cache_image_read_mtok")
    to_cache = _rate(caching, "cache_write_mtok")
    return Price(
        input=read,
        cached_input=read if cached is None else cached,
        cache_write=read if to_cache is None else to_cache,
        output=write or _ZERO,
        basis=basis,
    )


def _is_without_rates(prices: ModelPrice) -> bool:
    return all(value is None for value in vars(prices).values())


def _free() -> Price:
    return Price(input=_ZERO, cached_input=_ZERO, cache_write=_ZERO, output=_ZERO, basis="free")


def _rate(prices: ModelPrice, *names: str) -> Decimal | None:
    """The highest of the rates: text and images are counted together. Of tiers by length of the prompt, the first."""
    found = [getattr(prices, name) for name in names]
    return max((getattr(rate, "base", rate) for rate in found if rate is not None), default=None)
