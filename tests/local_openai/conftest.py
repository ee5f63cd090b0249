from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from openai import OpenAI

from local.openai import Admin, Server, serve

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def server() -> Iterator[Server]:
    """A server whose clock the test moves: 8 s validating, 600 s in progress, 10 s finalizing, 60 s cancelling."""
    with serve(speed="virtual") as running:
        yield running


@pytest.fixture(scope="session")
def sdk() -> Iterator[OpenAI]:
    """One client for all tests: making one costs more than most tests."""
    with OpenAI(base_url="http://127.0.0.1:9", api_key="test", max_retries=0) as made:
        yield made


@pytest.fixture
def client(sdk: OpenAI, server: Server) -> OpenAI:
    return sdk.with_options(base_url=server.base_url)


@pytest.fixture
def admin(server: Server) -> Admin:
    return server.admin
