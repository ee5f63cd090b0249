"""The API under test: the local server, or OpenAI's, or the one that LIVE_BASE_URL names, with LIVE_API_KEY."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import openai
import pytest

from local.openai import serve
from tests.live.bench import Bench

if TYPE_CHECKING:
    from collections.abc import Iterator

LIVE_URL = os.environ.get("LIVE_BASE_URL", "")
LIVE_KEY = os.environ.get("LIVE_API_KEY", "")
#: Long enough for a test to find a batch at work.
PACE = {"validating": 0.05, "in_progress": 1.0, "finalizing": 0.05, "cancelling": 0.1, "spread": 0}
OPENAI = "https://api.openai.com/v1"


@pytest.fixture(scope="session")
def target() -> Iterator[tuple[str, str]]:
    """Base URL and key."""
    if LIVE_KEY:
        yield LIVE_URL or OPENAI, LIVE_KEY
    elif LIVE_URL:
        pytest.fail("a base URL needs a key")
    else:
        with serve(settings={"pace": PACE}) as server:
            yield server.base_url, "sk-local"


@pytest.fixture
def bench(target: tuple[str, str], pytestconfig: pytest.Config) -> Iterator[Bench]:
    """Makes batches, and leaves nothing behind."""
    url, key = target
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")

    def tell(text: str) -> None:
        with capture.global_and_fixture_disabled():
            print(f"\n  {text}")  # noqa: T201 - what is measured is for whoever asked

    with openai.OpenAI(base_url=url, api_key=key, max_retries=0) as client:
        made = Bench(client, tell, seconds=3_600 if LIVE_KEY else 30)
        try:
            yield made
        finally:
            made.clean()
