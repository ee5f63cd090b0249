"""``python -m local.size``: large inputs through the deployed functions; a JSON line for what each of them took."""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import TYPE_CHECKING, Any

from local.cloud.place import DEFAULT, Place
from local.cloud.trouble import Trouble
from local.size.sources import Lines, OneLine, Packed, bomb
from local.size.trial import Trial, trial

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.size.sources import Content

GB = 10**9
WIDTH = 3_000  #: bytes of a request
PEAK_MIB = 256
SPOOL_MIB = {"plan": 2048}
COLLECTOR_SPOOL_MIB = 4096

INPUTS: dict[str, Callable[[float], Content]] = {
    "plain": lambda gb: Lines(int(gb * GB) // WIDTH, WIDTH),
    "mixed": lambda gb: Lines(int(gb * GB) // WIDTH, WIDTH, mixed=True),
    "gzip": lambda gb: Packed(Lines(int(gb * GB) // WIDTH, WIDTH)),
    "line": lambda _: OneLine(4 * GB),
    "bomb": lambda _: bomb(GB),
}


def main() -> int:
    """Run what was asked for; 1 if a figure is above its limit."""
    asked = _asked()
    fine = True
    with trial(Place(DEFAULT.folder / "size")) as run:
        for name in asked.inputs:
            started = time.monotonic()
            outcome = measured(run, name, asked.gb)
            outcome["seconds"] = round(time.monotonic() - started, 1)
            print(json.dumps(outcome), flush=True)
            for figure in figures(run):
                fine &= figure["within"]
                print(json.dumps({"input": name} | figure), flush=True)
    return 0 if fine else 1


def measured(run: Trial, name: str, gb: float) -> dict[str, Any]:
    """Run one input to its end, and check that every line has its answer; how it ended."""
    content = INPUTS[name](gb)
    run.forget()
    job = run.run(run.drop(f"size/{name}.jsonl", content))
    outcome = {"input": name, "gb": content.size / GB, "state": job["state"], "code": job.get("code")}
    lines = content.lines if isinstance(content, Packed) else content
    if isinstance(lines, Lines) and job["state"] == "completed":
        outcome |= run.checked(f"size/{name}", lines)
    run.store.delete(run.up.stack.input_bucket, f"size/{name}.jsonl")
    return outcome


def figures(run: Trial) -> list[dict[str, Any]]:
    """For each kind of invocation, the most that one took."""
    found = []
    for kind, taken in run.taken().items():
        peak, spool = max(one.peak for one in taken), max(one.spool for one in taken)
        within = peak <= PEAK_MIB and spool <= SPOOL_MIB.get(kind, COLLECTOR_SPOOL_MIB)
        found.append(
            {
                "invocation": kind,
                "times": len(taken),
                "peak_mib": round(peak, 1),
                "spool_mib": round(spool, 1),
                "longest_seconds": round(max(one.seconds for one in taken), 1),
                "within": within,
            }
        )
    return found


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.size", description=__doc__)
    parser.add_argument("inputs", nargs="*", choices=[[], *INPUTS], default=[*INPUTS], help="which; all if none")
    parser.add_argument("--gb", type=float, default=5.0, help="size of the inputs of many lines; 5 if not given")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Trouble as trouble:
        sys.exit(str(trouble))
