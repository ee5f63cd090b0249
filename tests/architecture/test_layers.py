"""The arrows: functions -> bootstrap -> {usecases, adapters} -> ports -> core."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import pytest

from tests.architecture.code import Module, modules

SOURCE = modules("shared", "functions")
STANDARD = frozenset(sys.stdlib_module_names)

#: What each ring may import of ours, and of others besides the standard library.
MAY = {
    "core": ({"core"}, {"msgspec"}),
    "ports": ({"core"}, set()),
    "usecases": ({"core", "ports", "usecases"}, {"msgspec"}),
    "adapters": (
        {"core", "ports", "adapters"},
        {"boto3", "botocore", "genai_prices", "httpx2", "msgspec", "openai", "urllib3"},
    ),
    "settings": ({"core"}, {"msgspec"}),
    "telemetry": ({"core", "usecases"}, {"aws_lambda_powertools"}),
    "bootstrap": ({"core", "ports", "usecases", "adapters", "settings"}, {"aws_lambda_powertools", "boto3"}),
    # Ports and use cases are named there as types alone.
    "functions": (
        {"bootstrap", "core", "ports", "settings", "telemetry", "usecases"},
        {"aws_lambda_powertools", "msgspec"},
    ),
    "__init__": (set(), set()),
}
#: The environment is read by the handlers, which hand it to ``settings``.
MAY_NOT_EVEN = {
    "core": {"logging", "os", "pathlib", "random", "socket", "subprocess", "threading", "time", "uuid"},
    "usecases": {"logging", "random", "socket", "subprocess", "time", "urllib"},
    "adapters": {"os"},
    "ports": {"os"},
}


def wrong(ring: str, names: Iterable[str]) -> list[str]:
    """Those of ``names`` that a module of ``ring`` may not import."""
    return sorted(name for name in set(names) if not allowed(ring, name))


def allowed(ring: str, name: str) -> bool:
    rings, others = MAY[ring]
    top, *inner = name.split(".")
    if top in MAY_NOT_EVEN.get(ring, ()):
        return False
    if top == "batchdrop":
        return not inner or inner[0] in rings
    # mypy_boto3_s3 and its like are boto3's types.
    return top in STANDARD or top in others or ("boto3" in others and top.startswith("mypy_boto3_"))


@pytest.mark.parametrize("module", SOURCE, ids=str)
def test_arrows_point_inwards(module: Module) -> None:
    assert wrong(module.ring, module.imports()) == []


def test_every_ring_is_looked_at() -> None:
    assert {module.ring for module in SOURCE} == set(MAY)


@pytest.mark.parametrize(
    ("ring", "name"),
    [
        ("core", "boto3"),
        ("core", "os"),
        ("core", "batchdrop.ports"),
        ("core", ".ports"),
        ("ports", "batchdrop.usecases.plan"),
        ("usecases", "batchdrop.adapters.s3"),
        ("usecases", "openai"),
        ("adapters", "batchdrop.usecases.plan"),
        ("adapters", "batchdrop.settings"),
        ("functions", "batchdrop.adapters.s3"),
        ("functions", "boto3"),
        ("functions", "local.openai"),
    ],
)
def test_an_arrow_that_points_outwards_would_be_seen(ring: str, name: str) -> None:
    assert wrong(ring, ["typing", name]) == [name]


@pytest.mark.parametrize("module", [one for one in SOURCE if one.ring in {"core", "usecases"}], ids=str)
def test_the_rules_ask_the_clock_that_they_are_given(module: Module) -> None:
    asked = {call[-1] for call in module.calls() if call[0] in {"datetime", "date", "dt"}}
    assert asked.isdisjoint({"now", "utcnow", "today"})


@pytest.mark.parametrize("resource", ["files", "batches"])
def test_what_is_not_idempotent_is_called_in_one_place(resource: str) -> None:
    calls = [
        (str(module), call) for module in SOURCE for call in module.calls() if call[-1] == "create" and resource in call
    ]
    assert calls == [
        ("shared/batchdrop/adapters/openai_batches.py", ("client", resource, "with_raw_response", "create"))
    ]
