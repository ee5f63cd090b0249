"""How parts become one object, and whose name it is."""

from __future__ import annotations

from datetime import UTC, datetime
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from batchdrop.core import assembly
from batchdrop.core.assembly import LARGEST_PART, SMALLEST_PART, Span

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)

SIZES = st.lists(
    st.one_of(
        st.integers(1, 2_000),
        st.integers(SMALLEST_PART - 2, SMALLEST_PART + 2),
        st.integers(1, 3 * SMALLEST_PART),
        st.integers(LARGEST_PART - 2, 2 * LARGEST_PART + SMALLEST_PART),
    ),
    min_size=1,
    max_size=30,
)


@given(SIZES)
def test_parts_are_the_spans_in_order_without_gap_or_overlap(sizes: list[int]) -> None:
    spans = [Span(f"{number}", 0, size) for number, size in enumerate(sizes)]

    at = {span.key: 0 for span in spans}
    order = []
    for part in assembly.parts(spans):
        for span in part.spans:
            assert span.first_byte == at[span.key]
            at[span.key] = span.end_byte
            order.append(int(span.key))

    assert list(at.values()) == sizes
    assert order == sorted(order)


@given(SIZES)
def test_parts_have_the_sizes_that_s3_takes_and_what_goes_through_us_is_5_mib_at_most(sizes: list[int]) -> None:
    parts = assembly.parts(Span(f"{number}", 0, size) for number, size in enumerate(sizes))

    assert [part.number for part in parts] == list(range(1, len(parts) + 1))
    assert all(SMALLEST_PART <= part.bytes <= LARGEST_PART for part in parts[:-1])
    assert 0 < parts[-1].bytes <= LARGEST_PART
    assert all(part.is_copied or part.bytes <= SMALLEST_PART for part in parts)


@given(st.lists(st.integers(1, 3 * SMALLEST_PART), min_size=1, max_size=60))
def test_there_are_never_more_parts_than_spans(sizes: list[int]) -> None:
    assert len(assembly.parts(Span(f"{number}", 0, size) for number, size in enumerate(sizes))) <= len(sizes)


@given(st.integers(1, 200), st.integers(1, 20), st.integers(1, 20))
def test_merging_keeps_every_span_in_order_in_few_enough_runs(count: int, most: int, merged: int) -> None:
    spans = [Span(f"{number}", 0, 1) for number in range(count)]

    with mock.patch.object(assembly, "MOST_PARTS", most), mock.patch.object(assembly, "MERGED", merged):
        runs = assembly.merged(spans)

    assert [span for run in runs for span in run] == spans
    assert len(runs) <= most


# ── names ───────────────────────────────────────────────────────────────────────────────────────────────────────────
