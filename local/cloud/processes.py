"""Start servers, know them again, and stop them by their ids: each one with all that it started."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from local.cloud.place import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_TETHER = Path(__file__).with_name("tether.py")
_GRACE_SECONDS = 8.0


@dataclass(frozen=True, slots=True)
class Server:
    """A process that leads a group of its own. Its arguments tell it from a later process with the same id."""

    name: str
    pid: int
    arguments: str
    log: str

    @property
    def alive(self) -> bool:
        """Whether it still runs; one that ended is reaped if it is a child of ours."""
        with contextlib.suppress(ChildProcessError):
            # Of a child the system knows for sure. While it turns into its command, it shows no arguments for a moment.
            return os.waitpid(self.pid, os.WNOHANG) == (0, 0)
        state, _, command = _look(self.pid).partition(" ")
        return self.arguments in command and not state.startswith("Z")


def start(name: str, command: Sequence[str | Path], *, env: Mapping[str, str], log: Path, tethered: bool) -> Server:
    """Start a server in a group of its own, so that a Ctrl-C at the terminal leaves it to us to stop it in order.

    ``tethered``: it ends with this process, however this process ends (on Linux; elsewhere only if it is stopped).
    """
    words = [str(word) for word in command]
    arguments = " ".join(words[1:])
    if tethered:
        words = [sys.executable, str(_TETHER), str(os.getpid()), *words]
    with log.open("ab") as output:
        process = subprocess.Popen(
            words,
            env=dict(env),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    process.returncode = 0  # waited for through its id: the object must not warn that it was left running
    return Server(name, process.pid, arguments, str(log))


def stop(servers: Iterable[Server]) -> None:
    """End them and all that they started; returns when they are gone."""
    running = [server for server in servers if server.alive]
    for server in running:
        _signal(server.pid, signal.SIGTERM)
    deadline = time.monotonic() + _GRACE_SECONDS
    while any(server.alive for server in running) and time.monotonic() < deadline:
        time.sleep(0.05)
    for server in running:
        _signal(server.pid, signal.SIGKILL)  # the group outlives its leader where a worker hangs
        while server.alive:
            time.sleep(0.05)


def remember(servers: Sequence[Server], file: Path) -> None:
    """Write down what runs."""
    file.write_text(json.dumps([asdict(server) for server in servers], indent=1))


def recall(file: Path) -> list[Server]:
    """What was written down, whether it still runs or not; nothing if there is no file."""
    return [Server(**entry) for entry in json.loads(file.read_text())] if file.exists() else []


def _signal(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _look(pid: int) -> str:
    """State and command line of a process; nothing if there is none."""
    command = ["ps", "-ww", "-o", "stat=,command=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
