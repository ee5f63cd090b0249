"""``python -m local.bench``: a JSON line for every figure; writes docs/performance.md and its plots."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import msgspec

from local.bench import core_path, joining, planning, polling, uploading

_PARTS = {
    "planning": planning.figures,
    "join": joining.figures,
    "upload": uploading.figures,
    "core": core_path.figures,
    "polling": polling.figures,
}


def main() -> int:
    """0 if every figure that was asked for holds."""
    asked = _asked()
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for name in asked.parts or _PARTS:
            for figure in _PARTS[name](Path(folder)):
                print(msgspec.json.encode(figure).decode(), flush=True)
                found.append(figure)
    return 0 if all(figure.met is not False for figure in found) else 1


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.bench", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *_PARTS], help="which; all if none is named")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
