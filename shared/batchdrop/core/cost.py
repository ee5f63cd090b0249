"""What a job may cost, and what it has cost so far, for people and programs; and whether that is more than it may."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from batchdrop.core.codes import said
from batchdrop.core.errors import Rejected
from batchdrop.core.model import Usage
from batchdrop.core.pricing import dollars

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from batchdrop.core.model import Job
    from batchdrop.core.pricing import Estimate

UNKNOWN = "unknown"
_TOLD = 5  #: models that a sentence names


def check(job: Job) -> None:
    """``Rejected`` if the job may cost more than its cap, or if that cannot be told."""
    cap = job.options.max_cost_usd
    if cap is None:
        return
    if unpriced := sorted(job.estimates.keys() - job.prices.keys()):
        raise Rejected(*said("unknown_price", cap=dollars(cap), models=_listed(unpriced)))
    total = sum((job.prices[model].estimated(estimate) for model, estimate in job.estimates.items()), Decimal())
    if total > cap:
        models = _listed([_explained(model, estimate) for model, estimate in sorted(job.estimates.items())], "; ")
        raise Rejected(*said("over_cost_cap", total=dollars(total), cap=dollars(cap), models=models))


def report(job: Job) -> dict[str, Any]:
    """The section ``cost`` of a status; {} as long as nothing is known of it. Amounts are decimals as text."""
    if job.planned_at is None and not job.prices:
        return {}
    models = sorted(job.estimates.keys() | job.usage.keys())
    estimated, actual = ({model: of(job, model) for model in models} for of in (_estimated, _actual))
    notes = " ".join(_notes(job, models))
    return {
        "currency": "USD",
        "estimated": _total(estimated.values()),
        "actual": _total(actual.values()),
        **({"cap": dollars(job.options.max_cost_usd)} if job.options.max_cost_usd is not None else {}),
        **({"note": notes} if notes else {}),
        "models": {
            model: {"estimated": _told(estimated[model]), "actual": _told(actual[model]), **_rates(job, model)}
            for model in models
        },
    }


def summary(job: Job) -> dict[str, str]:
    """The same without its parts, for the job's item."""
    return {name: value for name, value in report(job).items() if isinstance(value, str)}


def _estimated(job: Job, model: str) -> Decimal | None:
    price, estimate = job.prices.get(model), job.estimates.get(model)
    return price.estimated(estimate) if price and estimate else None


def _actual(job: Job, model: str) -> Decimal | None:
    price = job.prices.get(model)
    return price.spent(job.usage.get(model, Usage()), job.long_usage.get(model, Usage())) if price else None


def _rates(job: Job, model: str) -> dict[str, Any]:
    price = job.prices.get(model)
    if price is None:
        return {}
    rates = {"input": price.input, "cached_input": price.cached_input, "output": price.output}
    return {"per_million_tokens": {name: dollars(rate) for name, rate in rates.items()}, "prices": price.basis}


def _total(amounts: Iterable[Decimal | None]) -> str:
    """Of those that are known; the note names the others."""
    known = [amount for amount in amounts if amount is not None]
    return dollars(sum(known, Decimal())) if known else UNKNOWN


def _told(amount: Decimal | None) -> str:
    return UNKNOWN if amount is None else dollars(amount)


def _notes(job: Job, models: list[str]) -> Iterator[str]:
    unpriced = [model for model in models if model not in job.prices]
    if unpriced and job.prices:
        yield f"Without what is not known: {_listed(unpriced)}."
    silent = {model: job.usage[model].unreported for model in job.usage if _is_silent(job, model)}
    if silent:
        yield f"Without answers that report no tokens: {_listed([f'{n:,} of {model}' for model, n in silent.items()])}."
    if long := [f"{usage.requests:,} of {model}" for model, usage in sorted(job.long_usage.items()) if usage.requests]:
        yield f"Of answers to long prompts, at higher rates: {_listed(long)}."
    if job.counts.quarantined:
        yield f"Without the {job.counts.quarantined:,} quarantined requests."


def _is_silent(job: Job, model: str) -> bool:
    price = job.prices.get(model)
    return price is not None and not price.is_free and job.usage[model].unreported > 0


def _explained(model: str, estimate: Estimate) -> str:
    most = "about" if estimate.unlimited else "at most"
    text = f"{model}: {estimate.input_tokens:,} tokens to read and {most} {estimate.most_output_tokens:,} to write"
    if estimate.unlimited:
        text += f", a usual length for the {estimate.unlimited:,} of {estimate.read:,} requests that name no limit"
    return text


def _listed(words: list[str], between: str = ", ") -> str:
    more = len(words) - _TOLD
    return between.join(words[:_TOLD]) + (f" and {more:,} more" if more > 0 else "")
