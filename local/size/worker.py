"""A process of functions, as Lambda keeps it warm: events come in on stdin, what each took goes out on stdout.

Runs in the functions' own environment, which has nothing but the layer's dependencies: standard library only.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import re
import resource
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

_LOOK_SECONDS = 0.02
_KIB, _MIB = 2**10, 2**20


class Context:
    """What Lambda passes beside the event."""

    function_name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "batchdrop")
    memory_limit_in_mb = 1769
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:batchdrop"
    aws_request_id = "00000000-0000-0000-0000-000000000000"

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._end - time.monotonic()) * 1000))


class Spool:
    """Watches how much temporary disk this process holds: its files have no names any more."""

    def __init__(self) -> None:
        self.most = 0
        self._folder = tempfile.gettempdir()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            self.most = max(self.most, self._now())
            time.sleep(_LOOK_SECONDS)

    def _now(self) -> int:
        total = 0
        for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - names only
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/self/fd/{name}").startswith(self._folder):  # noqa: PTH115
                    total += os.fstat(int(name)).st_blocks * 512
        return total


def main(modules: Sequence[str], begun: float | None = None) -> None:
    """Answer a JSON line for each: ``peak`` MiB resident, seconds, ``cpu`` seconds, ``spool`` MiB on disk, ``error``.

    The line before the first says what importing them took, since ``begun`` if that is given.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the handler prints is the log
    begun = begun or time.monotonic()
    handlers = {module: importlib.import_module(module).handler for module in modules}
    spool = Spool()
    print(json.dumps({"seconds": time.monotonic() - begun}), file=answers, flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        answer = _invoked(handlers[asked["module"]], asked["event"], asked["seconds"], spool)
        print(json.dumps(answer), file=answers, flush=True)


def _invoked(handler: Any, event: Any, seconds: float, spool: Spool) -> dict[str, Any]:  # noqa: ANN401
    _forget_peak()
    spool.most = 0
    begun, cpu = time.monotonic(), time.process_time()
    error = None
    try:
        handler(event, Context(seconds))
    except Exception as trouble:  # noqa: BLE001 - told to whoever asked
        error = repr(trouble)
    took = {"seconds": time.monotonic() - begun, "cpu": time.process_time() - cpu}
    return took | {"peak": peak(), "spool": spool.most / _MIB, "error": error}


def _forget_peak() -> None:
    """Where the kernel allows it, the peak of resident memory starts anew from what is resident now."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak() -> float:
    """MiB that were resident at most."""
    with contextlib.suppress(OSError):
        found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
        if found:
            return int(found[1]) / _KIB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _KIB


if __name__ == "__main__":
    main(sys.argv[1:])
