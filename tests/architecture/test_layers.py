"""The arrows: functions -> bootstrap -> {usecases, adapters} -> ports -> core."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

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


def buys(module: Module, resource: str) -> list[tuple[str, ...]]:
    """Where it gets at a call that is not idempotent: by the SDK's name for it, or by a request of its own."""
    return [name for name in module.attributes() if name and _buys(name, resource)]


def _buys(name: tuple[str, ...], resource: str) -> bool:
    *before, last = parts = [part.lower() for part in name]
    if "create" in parts:
        return resource in parts or "getattr" in parts
    # Kept under another name, what it does cannot be seen any more.
    return last == "post" or (last in {"request", resource} and any("client" in part for part in before))


@pytest.mark.parametrize("resource", ["files", "batches"])
def test_what_is_not_idempotent_is_got_at_in_one_place(resource: str) -> None:
    found = [(str(module), name) for module in SOURCE for name in buys(module, resource)]
    assert found == [
        ("shared/batchdrop/adapters/openai_batches.py", ("client", resource, "with_raw_response", "create"))
    ]


@pytest.mark.parametrize(
    "code",
    [
        "client.batches.create(input_file_id=file_id)",
        "self._client().batches.with_raw_response.create(input_file_id=file_id)",
        "abreast(client.batches.create, files)",
        "buy = partial(client.with_options(max_retries=2).batches.create, file_id)",
        "client.post('/batches', body=body, cast_to=Batch)",
        "self._client().request(cast_to=Batch, options=options)",
        "kept = client.batches",
        "getattr(client, 'batches').create(input_file_id=file_id)",
        "Batches(client).create(input_file_id=file_id)",
    ],
)
def test_another_way_to_buy_would_be_seen(tmp_path: Path, code: str) -> None:
    path = tmp_path / "module.py"
    path.write_text(code)
    assert len(buys(Module(path), "batches")) == 1
