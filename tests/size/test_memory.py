"""The functions' memory and temporary disk, each in a process of its own: they do not grow with what is dropped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from local.cloud.place import Place
from local.size.measure import PEAK_MIB, figures, measured
from local.size.trial import Trial, trial

#: What one chunk and the parts of an upload take, at most: 2 MB is a small piece of a chunk, 160 MB are more than one.
ROOM_MIB = 96

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    with trial(Place(tmp_path_factory.mktemp("size"))) as up:
        yield up


def of(run: Trial, name: str, gb: float) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    return measured(run, name, gb, minutes=5), figures(run)


def test_eighty_times_the_input_takes_hardly_more_memory_in_any_function(run: Trial) -> None:
    _, small = of(run, "mixed", 0.002)
    outcome, large = of(run, "mixed", 0.16)

    assert (outcome["state"], outcome["completed"], outcome["failed"]) == ("completed", 53_328, 5)
    assert set(small) == set(large) == {"plan", "submit", "tick", "fetch", "join", "assemble", "clean"}
    assert {kind for kind, took in large.items() if not took["within"]} == set()
    grown = {kind: large[kind]["peak_mib"] - small[kind]["peak_mib"] for kind in large}
    assert {kind: mib for kind, mib in grown.items() if mib > ROOM_MIB} == {}


@pytest.mark.parametrize(("name", "gb", "code"), [("line", 0.5, "no_valid_requests"), ("bomb", 0.5, "gzip_bomb")])
def test_what_never_ends_is_refused_in_little_memory(run: Trial, name: str, gb: float, code: str) -> None:
    outcome, took = of(run, name, gb)

    assert (outcome["state"], outcome["code"]) == ("failed", code)
    assert took["plan"]["peak_mib"] <= PEAK_MIB
