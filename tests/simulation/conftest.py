"""What all simulations share."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

SELDOM = 100_000, 50, 50


@pytest.fixture(scope="package", autouse=True)
def _collecting_garbage_seldom() -> Iterator[None]:
    """A world is small and soon gone: looking for its cycles over and over takes a tenth of the time."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*SELDOM)
    yield
    gc.set_threshold(*before)
    gc.unfreeze()
