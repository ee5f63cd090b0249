"""Find a Python by running candidates: one that is on the path may be a shim that fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_ASK = "import pip, sys; print('%d.%d' % sys.version_info[:2], sys.executable)"
_SECONDS = 30


def folder_of(version: str) -> Path | None:
    """The folder that holds ``python<version>``, with a pip of its own, such as "3.13"; None if no candidate runs."""
    for candidate in _candidates(version):
        answer = _ask(candidate)
        if answer and answer[0] == version and (answer[1] / f"python{version}").exists():
            return answer[1]
    return None


def _candidates(version: str) -> Iterator[str]:
    if given := os.environ.get("PYTHON"):
        yield given
    yield f"python{version}"
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from (str(path) for path in sorted(pyenv.glob(f"versions/{version}*/bin/python"), reverse=True))
    yield sys.executable


def _ask(candidate: str) -> tuple[str, Path] | None:
    try:
        answer = subprocess.run(
            [candidate, "-c", _ASK], capture_output=True, text=True, check=True, timeout=_SECONDS
        ).stdout.split(maxsplit=1)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer[0], Path(answer[1].strip()).parent
