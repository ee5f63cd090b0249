"""In-memory ports, held to the same contract tests as the adapters: a use case may be tested on them alone."""

from __future__ import annotations

from tests.fakes.batch_api import InMemoryBatchApi
from tests.fakes.clock import FakeClock, FakeDeadline
from tests.fakes.messages import InMemoryMessages, Message
from tests.fakes.objects import InMemoryObjects

__all__ = ["FakeClock", "FakeDeadline", "InMemoryBatchApi", "InMemoryMessages", "InMemoryObjects", "Message"]
