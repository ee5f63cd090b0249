"""Functions as ``local.size.worker`` serves them, with their AWS calls counted and on a clock that the bench moves.

``BENCH_CALLS`` names the file that calls go to, ``BENCH_CLOCK`` the one that holds by how many seconds it is later.
"""

from __future__ import annotations

import time

_BEGUN = time.monotonic()  # an import of boto3 is the functions' own, whoever is first

import os  # noqa: E402
import sys  # noqa: E402
from datetime import timedelta  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import TYPE_CHECKING  # noqa: E402

from batchdrop.adapters.clock import SystemClock  # noqa: E402
from local.bench.meter import Meter  # noqa: E402
from local.size import worker  # noqa: E402

if TYPE_CHECKING:
    from datetime import datetime


def main() -> None:
    """Serve the modules that are named."""
    later = Path(os.environ["BENCH_CLOCK"])
    real = SystemClock.now

    def now(clock: SystemClock) -> datetime:
        return real(clock) + timedelta(seconds=float(later.read_text()))

    SystemClock.now = now  # type: ignore[assignment,method-assign]
    with Path(os.environ["BENCH_CALLS"]).open("a") as log:
        Meter(log)
        worker.main(sys.argv[1:], begun=_BEGUN)


if __name__ == "__main__":
    main()
