"""Every part of the bench on tiny inputs: its figures come about. Whether they hold is for ``make bench``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.bench import cold_start, core_path, cost, course, joining, planning, scaling, uploading
from local.bench.course import Stage
from local.bench.figure import Figure

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with course.stage(tmp_path_factory.mktemp("stage")) as up:
        yield up


def names(figures: Iterator[Figure]) -> list[str]:
    found = list(figures)
    assert all(one.value > 0 and one.ratio > 0 for one in found)
    return [one.name for one in found]


def test_planning_and_joining_are_measured(tmp_path: Path) -> None:
    assert len(names(planning.figures(tmp_path, size=20_000, rounds=1))) == 6
    assert len(names(joining.figures(tmp_path, rows=50, rounds=1))) == 2


def test_an_upload_is_measured_against_bare_copies(tmp_path: Path) -> None:
    assert len(names(uploading.figures(tmp_path, size=100_000, rounds=1))) == 4


def test_the_core_path_and_the_bare_program_come_to_the_same_results(stage: Stage, tmp_path: Path) -> None:
    found = {one.name: one for one in core_path.measured(stage, tmp_path, rows=20, rounds=1)}
    assert len(found) == 5
    memory = found["core path of 20 rows, peak memory"]
    assert 30 < memory.value < 150
    assert memory.met


def test_the_bill_names_all_that_a_job_costs(stage: Stage, tmp_path: Path) -> None:
    day, _, out, month = cost.measured(stage, tmp_path, batches=1, requests=20, many=2, hour=2)
    paid = {"dynamodb writes", "dynamodb reads", "lambda requests", "lambda seconds", "s3 write", "s3 read", "sqs"}
    assert day.parts.keys() >= paid | {"events", "logs"}
    assert all(day.parts[name] > 0 for name in paid)
    assert out.value == pytest.approx(0.108)
    assert month.parts.keys() >= {"alarms", "lambda requests", "metrics", "secret", "sqs"}
    assert month.params["metrics_at_rest"] == 1


def test_the_plots_are_drawn(tmp_path: Path) -> None:
    assert len(names(scaling.figures(tmp_path, sizes=(1_000, 2_000), against=1_000))) == 4
    for plot in ("seconds", "peak"):
        drawn = (tmp_path / f"{plot}.svg").read_text()
        assert drawn.count("<circle") == 2 * (2 + 1)


def test_a_cold_start_is_measured(tmp_path: Path) -> None:
    assert len(names(cold_start.figures(tmp_path, rounds=1))) == 3
