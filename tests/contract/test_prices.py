"""What a batch costs, by the table of genai-prices; its figures change, what we make of them does not."""

from __future__ import annotations

import socket
import threading
from decimal import Decimal
from typing import Any, get_args

import genai_prices
import pytest
from genai_prices import data_snapshot

from batchdrop.adapters.prices import TablePrices
from batchdrop.bootstrap import Aws
from batchdrop.core.model import Usage
from batchdrop.core.pricing import Price
from batchdrop.settings import PriceProvider, Settings
from tests.fakes.prices import InMemoryPrices
from tests.samples import NOW
from tests.unit.test_settings import ENV

OPENAI = TablePrices("https://api.openai.com/v1")
BATCH = {"processing": "batch"}
MILLION = 1_000_000


def listed(model: str, context: dict[str, str] | None = None, provider: str = "openai", **tokens: Any) -> Decimal:
    """The library's own sum for one request."""
    usage = genai_prices.Usage(**tokens)
    found = genai_prices.calc_price(
        usage, model, provider_id=provider, genai_request_timestamp=NOW, price_context=context
    )
    return found.total_price


def known(model: str, prices: TablePrices = OPENAI) -> Price:
    price = prices.of(model, NOW)
    assert price is not None
    return price


@pytest.mark.parametrize("prices", [OPENAI, InMemoryPrices()])
def test_a_model_that_is_not_in_the_table_has_no_price(prices: Any) -> None:
    for model in ("gpt-99", "gpt-5-mini-2031-01-01", "llama3.2", "ft:unheard-of", "", "\x00", "a" * 256):
        assert prices.of(model, NOW) is None
    assert prices.of("gpt-5-mini", NOW) is not None


@pytest.mark.parametrize(
    "model", ["gpt-5-mini", "gpt-4.1", "o3", "ft:gpt-4o-mini-2024-07-18:acme::1", "gpt-3.5-turbo-1106"]
)
def test_batch_rates_are_the_tables_own(model: str) -> None:
    price = known(model)
    used = Usage(input_tokens=90_000, output_tokens=7_000)
    assert price.of(used) == listed(model, BATCH, input_tokens=90_000, output_tokens=7_000)
    assert price.basis.startswith("batch prices, as genai-prices ")


def test_a_snapshot_costs_what_its_model_costs() -> None:
    assert known("gpt-5-mini-2025-08-07") == known("gpt-5-mini")


def test_cached_tokens_cost_less_where_a_batch_has_a_rate_for_them() -> None:
    price = known("gpt-5-mini")
    assert price.of(Usage(input_tokens=MILLION, cached_input_tokens=MILLION)) == listed(
        "gpt-5-mini", BATCH, input_tokens=MILLION, cache_read_tokens=MILLION
    )
    assert price.cached_input < price.input


def test_cached_tokens_cost_as_others_where_a_batch_has_no_rate_for_them() -> None:
    assert known("gpt-4.1").cached_input == known("gpt-4.1").input


def test_writing_to_the_cache_costs_what_the_table_says() -> None:
    price = known("gpt-6-luna")
    used = Usage(input_tokens=1_000, cache_write_tokens=600)
    assert price.of(used) == listed("gpt-6-luna", BATCH, input_tokens=1_000, cache_write_tokens=600)
    assert known("gpt-5-mini").cache_write == known("gpt-5-mini").input


def test_the_length_of_one_prompt_is_not_that_of_all_together() -> None:
    """The sum of a job's prompts is above any tier; the tiers are of single prompts."""
    one = listed("gpt-5.4", BATCH, input_tokens=1_000, output_tokens=100)
    assert known("gpt-5.4").of(Usage(input_tokens=MILLION, output_tokens=100_000)) == 1_000 * one


def test_a_request_with_a_long_prompt_costs_what_the_table_says() -> None:
    price, used = known("gpt-5.4"), Usage(input_tokens=300_000, cached_input_tokens=9_000, output_tokens=500)
    own = listed("gpt-5.4", BATCH, input_tokens=300_000, cache_read_tokens=9_000, output_tokens=500)
    assert price.spent(used, used) == own > price.of(used)
    assert price.above == 272_000
    assert (known("gpt-5-mini").above, known("gpt-5-mini").beyond) == (None, None)


def test_half_of_the_standard_prices_is_half_of_each() -> None:
    price, used = known("gpt-5.1-codex-mini"), Usage(input_tokens=1_000, cached_input_tokens=400, output_tokens=10)
    own = listed("gpt-5.1-codex-mini", input_tokens=1_000, cache_read_tokens=400, output_tokens=10)
    assert price.of(used) == own / 2


@pytest.mark.parametrize("model", ["text-embedding-3-small", "text-embedding-3-large"])
def test_without_a_batch_rate_openai_takes_half(model: str) -> None:
    price = known(model)
    assert price.of(Usage(input_tokens=MILLION)) == listed(model, input_tokens=MILLION) / 2
    assert price.basis.startswith("half of the standard prices, ")


def test_an_image_is_paid_for_as_an_image() -> None:
    assert known("gpt-image-1").input == listed("gpt-image-1", BATCH, input_tokens=MILLION, input_image_tokens=MILLION)


def test_what_is_free_is_known_to_be_free() -> None:
    assert known("omni-moderation-latest").is_free
    assert OPENAI.of("ft:gpt-5-mini:acme:moderation:1", NOW) is None


@pytest.mark.parametrize("model", ["whisper-1", "tts-1"])
def test_what_is_not_paid_by_the_token_has_no_price_here(model: str) -> None:
    assert OPENAI.of(model, NOW) is None


def test_another_provider_is_known_by_its_address_or_not_at_all() -> None:
    azure = TablePrices("https://name.openai.azure.com/openai/v1")
    assert known("gpt-5-mini", azure).output == listed("gpt-5-mini", provider="azure", output_tokens=MILLION) / 2
    assert TablePrices("http://127.0.0.1:8000/v1").of("gpt-5-mini", NOW) is None
    assert TablePrices("https://gateway.example.org/v1").of("gpt-5-mini", NOW) is None


def test_behind_a_gateway_the_provider_is_named() -> None:
    assert known("gpt-5-mini", TablePrices("https://gateway.example.org/v1", "openai")) == known("gpt-5-mini")
    assert TablePrices("https://api.openai.com/v1", "groq").of("gpt-5-mini", NOW) is None


def test_the_service_asks_for_the_prices_of_its_provider() -> None:
    asked = {"OPENAI_BASE_URL": "https://gateway.example.org/v1", "PRICE_PROVIDER": "openai"}
    assert Aws(Settings.from_env(ENV | asked)).prices == TablePrices("https://gateway.example.org/v1", "openai")


@pytest.mark.parametrize("provider", [name for name in get_args(PriceProvider) if name])
def test_every_provider_that_can_be_named_is_in_the_table(provider: str) -> None:
    assert provider in {one.id for one in data_snapshot.get_snapshot().providers}


def test_a_provider_whose_batches_are_not_in_the_table_has_no_price() -> None:
    assert TablePrices("https://api.together.xyz/v1").of("meta-llama/Llama-3.3-70B-Instruct-Turbo", NOW) is None


def test_a_look_calls_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    threads = threading.active_count()
    assert OPENAI.of("gpt-5-mini", NOW)
    assert threading.active_count() == threads
