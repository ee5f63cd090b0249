"""Fixtures: the adapter on a local OpenAI server, its faults cleared before each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.providers import Local, local, upload


@pytest.fixture(scope="module")
def running() -> Iterator[Local]:
    with local() as provider:
        provider.api.page()  # the first call imports the SDK, which would count as waiting
        yield provider


@pytest.fixture
def provider(running: Local) -> Local:
    running.server.admin.clear_faults()
    running.key.key, running.key.others = "sk-local-1", []
    return running


@pytest.fixture
def file_id(provider: Local) -> str:
    return upload(provider.api)
