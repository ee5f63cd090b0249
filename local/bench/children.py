"""What is timed runs in a process of its own, in the functions' environment; what it talks to runs elsewhere."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from local.bench.figure import tell
from local.cloud import emulator, processes
from local.cloud.emulator import KEY, KEY_ID, REGION
from local.cloud.place import LAMBDA_PYTHON, ROOT, Place
from local.cloud.trouble import Trouble

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: What a function has to reach AWS, here as there, and where its modules are.
ENV = {
    "PYTHONPATH": f"{ROOT / 'shared'}:{ROOT / 'functions'}:{ROOT}",
    "PYTHONDONTWRITEBYTECODE": "1",
    "AWS_ACCESS_KEY_ID": KEY_ID,
    "AWS_SECRET_ACCESS_KEY": KEY,
    "AWS_DEFAULT_REGION": REGION,
    "NO_PROXY": "127.0.0.1",
}


def command(module: str, *words: object) -> list[str]:
    """The command of a child."""
    return [str(LAMBDA_PYTHON), "-m", module, *map(str, words)]


def run(module: str, *words: object) -> Any:  # noqa: ANN401 - JSON
    """What the child printed last. ``Trouble`` if it failed."""
    done = subprocess.run(command(module, *words), env=ENV, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Trouble(f"{module} failed.\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


@contextmanager
def openai(folder: Path, *options: str) -> Iterator[str]:
    """A local OpenAI server in a process of its own; its address."""
    place = Place(folder)
    place.scratch.mkdir(parents=True, exist_ok=True)
    port = emulator.free_port()
    words = [sys.executable, "-m", "local.openai", "--port", str(port), "--data", str(folder / "openai"), *options]
    env = emulator.clean_environment(place)
    server = processes.start("openai", words, env=env, log=place.log("openai"), tethered=True)
    try:
        emulator.answers(f"http://127.0.0.1:{port}/", server)
        tell("the local OpenAI server is up")
        yield f"http://127.0.0.1:{port}"
    finally:
        processes.stop([server])
