"""``python -m local.size``: large inputs through the deployed functions; a JSON line for what each of them took."""

from __future__ import annotations

import argparse
import json
import sys

from local.cloud.place import DEFAULT, Place
from local.cloud.trouble import Trouble
from local.size.measure import INPUTS, figures, measured
from local.size.trial import trial

#: These are no larger where more is asked for.
_MOST_GB = {"answers": 1.2, "large": 0.5, "line": 4.0, "bomb": 1.0}


def main() -> int:
    """Run what was asked for; 1 if a figure is above its limit."""
    asked = _asked()
    fine = True
    with trial(Place(DEFAULT.folder / "size")) as run:
        for name in asked.inputs or INPUTS:
            outcome = measured(run, name, min(asked.gb, _MOST_GB.get(name, asked.gb)))
            print(json.dumps(outcome), flush=True)
            for kind, figure in figures(run).items():
                fine &= figure["within"]
                print(json.dumps({"input": name, "invocation": kind} | figure), flush=True)
    return 0 if fine else 1


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.size", description=__doc__)
    parser.add_argument("inputs", nargs="*", choices=[[], *INPUTS], help="which; all if none is named")
    parser.add_argument("--gb", type=float, default=5.0, help="size of an input; 5 if not given")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Trouble as trouble:
        sys.exit(str(trouble))
