"""The API under test: the local server, or the one that CONFORMANCE_BASE_URL and CONFORMANCE_API_KEY name."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import openai
import pytest

from local.openai import serve
from tests.conformance.strict import Watch
from tests.conformance.trial import Trial

if TYPE_CHECKING:
    from collections.abc import Iterator

LIVE_URL = os.environ.get("CONFORMANCE_BASE_URL", "")
LIVE_KEY = os.environ.get("CONFORMANCE_API_KEY", "")
PACE = {"validating": 0.05, "in_progress": 0.3, "finalizing": 0.05, "cancelling": 0.1, "spread": 0, "slices": 3}


@pytest.fixture(scope="session")
def target() -> Iterator[tuple[str, str]]:
    """Base URL and key."""
    if LIVE_URL or LIVE_KEY:
        if not (LIVE_URL and LIVE_KEY):
            pytest.fail("a base URL and a key are needed, or neither")
        yield LIVE_URL, LIVE_KEY
    else:
        with serve(settings={"pace": PACE}) as server:
            yield server.base_url, "sk-local"


@pytest.fixture(scope="session")
def watch(target: tuple[str, str]) -> Watch:
    return Watch(target[0])


@pytest.fixture(scope="session")
def client(target: tuple[str, str], watch: Watch) -> Iterator[openai.OpenAI]:
    """The official SDK; each raw reply passes by ``watch``."""
    url, key = target
    http = openai.DefaultHttpxClient(event_hooks={"response": [watch]})
    retries = 2 if LIVE_URL else 0
    with openai.OpenAI(base_url=url, api_key=key, max_retries=retries, http_client=http) as made:
        yield made


@pytest.fixture(scope="session")
def trial(client: openai.OpenAI) -> Iterator[Trial]:
    """Every batch of the suite, created at once: they run side by side while the tests ask for them."""
    running = Trial(client, seconds=3_600 if LIVE_URL else 30)
    try:
        running.begin()
        yield running
    finally:
        running.clean()
