"""Stacks for the end-to-end tests: each brings its own cloud and OpenAI server, and disturbs no other."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.world import World, world

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The template's defaults; one for all tests, so each drops under a name of its own."""
    with world(tmp_path_factory.mktemp("stack")) as up:
        yield up


@pytest.fixture
def stack_with(tmp_path: Path) -> Iterator[Callable[..., World]]:
    """Make a stack with parameters of one's own: ``stack_with(MaxRequestsPerBatch="10")``."""
    with ExitStack() as open_worlds:

        def make(**parameters: str) -> World:
            folder = tmp_path / f"stack{len(list(tmp_path.iterdir()))}"
            return open_worlds.enter_context(world(folder, **parameters))

        yield make
