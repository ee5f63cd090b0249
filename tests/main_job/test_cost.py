"""What a job costs, from the file that is dropped to the event at its end."""

from __future__ import annotations

import msgspec

from batchdrop.core.states import JobState
from tests.fakes.answers import Json, respond_to
from tests.fakes.batch_api import InMemoryBatchApi
from tests.fakes.prices import price
from tests.main_job.service import Service, request, requests


def test_tokens_and_dollars_add_up_over_batches_and_waves(service: Service) -> None:
    service.ports.prices.known = {"gpt-5-mini": price("1", "10"), "small": price("0.5", "2")}
    lines = [*requests(10), *(request(f"s-{number}", model="small", max_tokens=4) for number in range(4))]
    job_id = service.drop("a.jsonl", lines)
    service.run()
    told = service.status("a")["cost"]
    # Every answer of the provider reads ten tokens and writes five.
    assert {model: one["actual"] for model, one in told["models"].items()} == {
        "gpt-5-mini": "0.0006",
        "small": "0.00006",
    }
    assert (told["currency"], told["actual"]) == ("USD", "0.00066")
    assert told["models"]["small"]["per_million_tokens"] == {"input": "0.50", "cached_input": "0.50", "output": "2.00"}
    assert service.job(job_id).cost["actual"] == "0.00066"
    assert float(told["estimated"]) > 0


def test_cached_and_reasoning_tokens_stand_in_the_status_and_in_the_table_and_have_their_price(
    service: Service,
) -> None:
    service.ports.prices.known = {"gpt-5-mini": price("1", "10", cached="0.1")}

    def respond(asked: Json) -> tuple[int, Json]:
        status, body = respond_to(asked)
        read = {"prompt_tokens": 1_000, "prompt_tokens_details": {"cached_tokens": 800}}
        written = {"completion_tokens": 50, "completion_tokens_details": {"reasoning_tokens": 30}}
        return status, body | {"usage": read | written}

    service.api.respond = respond
    job_id = service.drop("a.jsonl", requests(2))
    service.run()
    used = service.status("a")["usage"]["gpt-5-mini"]
    assert (used["input_tokens"], used["cached_input_tokens"]) == (2_000, 1_600)
    assert (used["output_tokens"], used["reasoning_tokens"]) == (100, 60)
    kept = service.job(job_id).usage["gpt-5-mini"]
    assert (kept.cached_input_tokens, kept.reasoning_tokens) == (1_600, 60)
    # 400 tokens at a dollar a million, 1,600 at a tenth of it, 100 at ten.
    assert service.status("a")["cost"]["actual"] == service.job(job_id).cost["actual"] == "0.00156"


def test_the_status_tells_what_was_spent_so_far() -> None:
    service = Service(MAX_REQUESTS_PER_BATCH="2")
    service.ports.prices.known = {"gpt-5-mini": price("1", "10")}
    job_id = service.drop("a.jsonl", requests(4))
    service.deliver()
    service.tick()
    first, _ = service.api.open_batches()
    assert service.status("a")["cost"]["actual"] == "0.00"
    service.api.finish(first)
    for _ in range(3):
        service.ports.clock.advance(minutes=1)
        service.tick()
    assert service.status("a")["state"] == "running"
    assert service.status("a")["cost"]["actual"] == service.job(job_id).cost["actual"] == "0.00012"
    service.run()
    assert service.status("a")["cost"]["actual"] == service.job(job_id).cost["actual"] == "0.00024"


def test_a_long_prompt_is_paid_for_as_one(service: Service) -> None:
    """The provider's prompts have ten tokens each."""
    for above, dollars in ((9, "0.00032"), (10, "0.00012")):
        known = msgspec.structs.replace(price("1", "10"), above=above, beyond=price("1", "30"))
        service.ports.prices.known = {"gpt-5-mini": known}
        job_id = service.drop(f"{above}.jsonl", requests(2))
        service.run()
        assert service.status(str(above))["cost"]["actual"] == dollars
        assert service.job(job_id).usage["gpt-5-mini"].output_tokens == 10


def test_what_failed_costs_nothing_and_its_second_try_is_counted(service: Service) -> None:
    service.ports.prices.known = {"gpt-5-mini": price("1", "10")}
    seen: list[str] = []

    def provider(api: InMemoryBatchApi, batch_id: str) -> object:
        seen.append(batch_id)
        return api.expire(batch_id, done=0.4) if len(seen) == 1 else api.finish(batch_id)

    service.drop("a.jsonl", requests(3))
    service.run(provider)
    assert len(seen) == 2
    assert service.status("a")["cost"]["actual"] == "0.00018"


def test_a_job_over_the_stacks_cap_ends_at_once_with_a_reason_and_no_batch() -> None:
    service = Service(MAX_COST_USD="0.01")
    service.ports.prices.known = {"gpt-5-mini": price("1", "10")}
    job_id = service.drop("a.jsonl", requests(3))
    service.run()
    status = service.status("a")
    assert (status["state"], status["code"]) == ("failed", "over_cost_cap")
    assert status["cost"]["cap"] == "0.01"
    assert not service.api.batches
    assert service.job(job_id).state is JobState.FAILED
    assert [told.code for told in service.ports.messages.ended] == ["over_cost_cap"]
    service.drop("a.jsonl", requests(3), {"max-cost-usd": "1"})
    service.run()
    assert service.status("a")["state"] == "completed"


def test_a_model_without_a_price_is_run_and_its_cost_is_unknown(service: Service) -> None:
    service.drop("a.jsonl", [request("a", model="llama3.2")])
    service.run()
    cost = service.status("a")["cost"]
    assert (cost["estimated"], cost["actual"]) == ("unknown", "unknown")


def test_a_job_over_its_own_cap_ends_with_nothing_uploaded(service: Service) -> None:
    service.ports.prices.known = {"gpt-5-mini": price("1", "10")}
    service.drop("a.jsonl", requests(3), {"max-cost-usd": "0.01"})
    service.run()
    assert (service.status("a")["code"], service.status("a")["cost"]["cap"]) == ("over_cost_cap", "0.01")
    assert not service.api.calls["upload"]
