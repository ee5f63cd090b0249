"""The deployed functions in processes that are kept warm, with what each invocation took."""

from __future__ import annotations

import json
import subprocess
import threading
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol, Self

from local.cloud.emulator import KEY, KEY_ID, REGION
from local.cloud.place import LAMBDA_PYTHON, ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from local.cloud.running import Running

_WORKER = Path(__file__).with_name("worker.py")


@dataclass(frozen=True, slots=True)
class Taken:
    """One invocation. ``peak``: MiB resident at most, ``spool``: MiB in temporary files at most."""

    kind: str
    peak: float
    seconds: float
    cpu: float
    spool: float


class Failed(Exception):  # noqa: N818 - what happened
    """A handler raised, or its process died."""


class Invocable(Protocol):
    """What can be invoked, and remembers what each invocation took."""

    taken: list[Taken]

    def call(self, kind: str, event: object, seconds: float, module: str = "") -> Taken: ...


class Function:
    """A process of one or more functions. One invocation at a time, as Lambda does.

    ``worker``: what serves them, a script or options of Python.
    """

    def __init__(
        self,
        modules: Sequence[str],
        env: Mapping[str, str],
        log: IO[bytes],
        worker: Sequence[str | Path] = (_WORKER,),
    ) -> None:
        self.taken: list[Taken] = []
        self._module = modules[0]
        self._turn = threading.Lock()
        self._process = subprocess.Popen(
            [LAMBDA_PYTHON, *worker, *modules],
            env=dict(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def call(self, kind: str, event: object, seconds: float, module: str = "") -> Taken:
        """Invoke one with so many seconds left, the first if none is named; ``Failed`` with what its handler raised."""
        asked = {"module": module or self._module, "event": event, "seconds": seconds}
        with self._turn:
            _ = self.import_seconds
            line = self._asked(json.dumps(asked).encode() + b"\n")
        answer: dict[str, Any] = json.loads(line) if line else {"error": "its process died"}
        if answer["error"]:
            raise Failed(f"{kind}: {answer['error']}")
        self.taken.append(Taken(kind, answer["peak"], answer["seconds"], answer["cpu"], answer["spool"]))
        return self.taken[-1]

    @cached_property
    def import_seconds(self) -> float:
        """Read before the first invocation's answer: it is the process's first line."""
        line = self._asked(b"")
        if not line:
            raise Failed(f"{self._module} cannot be imported")
        return float(json.loads(line)["seconds"])

    def _asked(self, line: bytes) -> bytes:
        """What it answers; nothing if its process is dead."""
        pipe_in, pipe_out = self._process.stdin, self._process.stdout
        if pipe_in is None or pipe_out is None:
            return b""
        with suppress(BrokenPipeError):
            pipe_in.write(line)
            pipe_in.flush()
        return pipe_out.readline()


def environment(up: Running, name: str, s3_url: str, scratch: Path) -> dict[str, str]:
    """What the function is deployed with; S3 is elsewhere, everything else on the local cloud."""
    scratch.mkdir(parents=True, exist_ok=True)
    deployed = up.clients.functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    return deployed | {
        "PYTHONPATH": f"{ROOT / 'shared'}:{ROOT / 'functions'}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "TMPDIR": str(scratch),
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_ACCESS_KEY_ID": KEY_ID,
        "AWS_SECRET_ACCESS_KEY": KEY,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": up.stack.endpoint_url,
        "AWS_ENDPOINT_URL_S3": s3_url,
        "NO_PROXY": "127.0.0.1",
    }
