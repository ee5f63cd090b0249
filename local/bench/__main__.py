"""``python -m local.bench``: a JSON line for every figure; all parts together write docs/performance.md."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from local.bench import cold_start, core_path, cost, joining, page, planning, polling, scaling, uploading
from local.cloud.place import ROOT
from local.cloud.trouble import Trouble

if TYPE_CHECKING:
    from types import ModuleType

    from local.bench.figure import Figure

#: Each has ``figures(folder)``; its docstring says how they are measured.
_PARTS: dict[str, tuple[str, ModuleType]] = {
    "planning": ("Planning", planning),
    "join": ("Join", joining),
    "upload": ("Upload", uploading),
    "core": ("Core path", core_path),
    "polling": ("Polling", polling),
    "coldstart": ("Cold start", cold_start),
    "cost": ("Cost on AWS", cost),
    "scaling": ("Scaling", scaling),
}


def main() -> int:
    """0 if every figure that was asked for holds."""
    asked = _asked()
    found: dict[str, tuple[ModuleType, list[Figure]]] = {}
    with tempfile.TemporaryDirectory() as place:
        for name in asked.parts or _PARTS:
            title, module = _PARTS[name]
            folder = Path(place, name)
            folder.mkdir()
            found[title] = (module, _run(module, folder))
        if not asked.parts:
            page.write(found, list(Path(place).glob("*/*.svg")), ROOT / "docs")
    every = [figure for _, figures in found.values() for figure in figures]
    return 0 if all(figure.met is not False for figure in every) else 1


def _run(module: ModuleType, folder: Path) -> list[Figure]:
    found = []
    for figure in module.figures(folder):
        print(msgspec.json.encode(figure).decode(), flush=True)
        found.append(figure)
    return found


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.bench", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *_PARTS], help="which; all if none is named")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Trouble as trouble:
        sys.exit(str(trouble))
