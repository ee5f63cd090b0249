"""The transitions, as data."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.adapters.ledger.writing import step
from batchdrop.core import lifecycle
from batchdrop.core.lifecycle import FINAL, ROWS, Row
from batchdrop.core.states import BatchState, ChunkState, JobState
from local import docs
from tests import samples

ROOT = Path(__file__).parents[2]


def edges() -> set[tuple[object, object]]:
    """Every state that can follow another; a row without a target stays where it is."""
    return {
        (source, target)
        for row in ROWS.values()
        for source in row.sources
        for target in (row.targets if row.target is not None else (source,))
    }


def test_nothing_leaves_a_final_state() -> None:
    final = {*FINAL, ChunkState.COLLECTED, JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED}
    assert {(source, target) for source, target in edges() if source in final and source != target} == set()


def test_every_state_can_be_reached_and_every_open_one_left() -> None:
    reached = {target for _, target in edges()} | {t for row in ROWS.values() if not row.sources for t in row.targets}
    everything = {*JobState, *ChunkState, *BatchState}
    assert reached == everything
    final = {*FINAL, ChunkState.COLLECTED, JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED}
    assert {source for source, target in edges() if source != target} == everything - final


def test_only_planning_to_running_permits_spending() -> None:
    assert {row.id for row in ROWS.values() if row.target is JobState.RUNNING} == {"J3"}
    assert JobState.RUNNING in ROWS["B1"].job_states


@pytest.mark.parametrize("row", [row for row in ROWS.values() if row.sources], ids=lambda row: row.id)
def test_every_transition_of_an_item_is_guarded_by_its_state(row: Row) -> None:
    assert row.sources


@pytest.mark.parametrize("name", ["B4", "B12", "C1", "J3", "J6"])
def test_what_matters_is_fenced_by_the_claim(name: str) -> None:
    assert lifecycle.Guard.CLAIM in ROWS[name].guards


@given(st.sampled_from(sorted(row.id for row in ROWS.values() if row.id.startswith("B") and row.sources)))
def test_a_step_carries_the_conditions_of_its_row(name: str) -> None:
    row = ROWS[name]
    change = step(name, samples.batch())
    assert (change.states, tuple(change.guards)) == (row.sources, row.guards)


def test_remote_statuses_rank_in_the_order_that_a_batch_passes_them() -> None:
    order = ["pondering", "validating", "in_progress", "finalizing", "completed"]
    ranks = [lifecycle.rank(status) for status in order]
    assert ranks == sorted(set(ranks))
    assert {lifecycle.rank(status) for status in lifecycle.ENDED_STATUSES} == {max(ranks)}


def test_the_documented_table_is_the_one_in_the_code() -> None:
    written = (ROOT / "docs" / "data-model.md").read_text()
    assert docs.transitions() in written, "run `make docs`"
