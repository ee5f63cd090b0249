"""Where an instance of the local cloud keeps its things."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from local.cloud.trouble import Trouble

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "template.yaml"
MINISTACK_PYTHON = ROOT / ".local/ministack/bin/python"
LAMBDA_PYTHON = ROOT / ".local/lambda/bin/python"


@dataclass(frozen=True, slots=True)
class Place:
    """One folder for each instance, so that tests do not disturb what ``make up`` started."""

    folder: Path

    @property
    def stack_file(self) -> Path:
        """Names and addresses, for whoever uses the stack."""
        return self.folder / "stack.json"

    @property
    def processes_file(self) -> Path:
        """What was started, for ``down``."""
        return self.folder / "processes.json"

    @property
    def scratch(self) -> Path:
        """The emulator's and the functions' temporary files."""
        return self.folder / "tmp"

    def log(self, name: str) -> Path:
        """What the process of that name prints."""
        return self.folder / f"{name}.log"


DEFAULT = Place(ROOT / ".local")


def check_installed() -> None:
    """``Trouble`` unless ``make setup`` has made the environments of the emulator and of the functions."""
    for python in (MINISTACK_PYTHON, LAMBDA_PYTHON):
        if not python.exists():
            raise Trouble(f"{python.relative_to(ROOT)} is not there: run `make setup` first.")
