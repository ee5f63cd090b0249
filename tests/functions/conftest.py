"""The three handlers on the stack as moto has it, with the local OpenAI server behind them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from moto import mock_aws

from local.openai import serve
from local.openai.server import Server
from tests.functions.stack import Stack

if TYPE_CHECKING:
    from moto.core.config import DefaultConfig

NO_DOCKER: DefaultConfig = {"lambda": {"use_docker": False}}


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with serve() as running:
        yield running


@pytest.fixture
def stack(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    server.admin.reset()
    with mock_aws(config=NO_DOCKER), Stack(server, monkeypatch) as made:
        yield made
        assert not made.denied(), "the template does not grant it"
