"""What a run is made under: settings of the stack, sizes that are small here, and manners of the provider."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self
from unittest.mock import patch

from batchdrop.core import assembly, limits
from batchdrop.settings import Settings
from batchdrop.usecases import abreast
from tests.simulation.letters import LIFE
from tests.unit.test_settings import ENV

MEMORY = "/dev/shm"  #: where spooling to a file is fast, if there is such a place


@dataclass(frozen=True)
class Conditions:
    """``list_lag``: seconds until a batch is listed. ``plan_seconds``: what an invocation that plans has."""

    requests_per_batch: int = 2
    batches_per_chunk: int = 2
    attempts: int = 3
    create_lease: int = 90
    settle: int = 1800
    page_size: int = 100
    list_lag: float = 0
    plain_bytes: int = 16 * 2**20
    lenient: bool = False
    prompt: bool = False  #: a batch is validated before its create is answered
    smallest_part: int = 200  #: bytes
    plan_seconds: int = LIFE

    @property
    def calm(self) -> Conditions:
        """The same as far as it may show in the outputs and the counts."""
        return Conditions(self.requests_per_batch, self.batches_per_chunk, self.attempts)

    @cached_property
    def settings(self) -> Settings:
        return Settings.from_env(
            ENV
            | {
                "INVALID_LINES": "report",
                "MAX_REQUESTS_PER_BATCH": str(self.requests_per_batch),
                "MAX_ATTEMPTS": str(self.attempts),
                "CREATE_LEASE_SECONDS": str(self.create_lease),
                "SETTLE_SECONDS": str(self.settle),
            }
        )

    @contextlib.contextmanager
    def miniature(self) -> Iterator[None]:
        """The limits of S3 and of a chunk, small enough for a handful of requests to reach them."""
        with (
            patch.object(limits, "BATCHES_PER_CHUNK", self.batches_per_chunk),
            patch.object(assembly, "PLAIN_BYTES", self.plain_bytes),
            patch.object(assembly, "SMALLEST_PART", self.smallest_part),
            patch.object(abreast, "ThreadPoolExecutor", _Inline),
            patch.object(tempfile, "tempdir", MEMORY if Path(MEMORY).is_dir() else None),
        ):
            yield


class _Inline:
    """Stands for a pool of threads: the calls come in a known order."""

    def __init__(self, workers: int) -> None:
        self.map = map

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None: ...
