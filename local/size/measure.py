"""One input run to its end: how it ended, and the most that each kind of invocation took."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from local.size.sources import Lines, OneLine, Packed, bomb

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.size.sources import Content
    from local.size.trial import Trial

GB = 10**9
WIDTH = 3_000  #: bytes of a request
ANSWER = 35_000  #: bytes of a vector with 3,072 dimensions, as the local OpenAI server writes it
LARGE = 50_000_000  #: what the API takes in a request
PEAK_MIB = 256
#: ``EphemeralStorage`` of the function that is invoked so; 512 is what Lambda gives by itself.
SPOOL_MIB = {"plan": 2048, "submit": 2048, "tick": 512, "fetch": 4096, "join": 4096, "assemble": 4096, "clean": 4096}

#: By size in GB; ``answers``: of what comes back; ``large``: in few requests.
INPUTS: dict[str, Callable[[float], Content]] = {
    "plain": lambda gb: Lines(int(gb * GB) // WIDTH, WIDTH),
    "mixed": lambda gb: Lines(int(gb * GB) // WIDTH, WIDTH, mixed=True),
    "gzip": lambda gb: Packed(Lines(int(gb * GB) // WIDTH, WIDTH)),
    "answers": lambda gb: Lines(int(gb * GB) // ANSWER, 300, embeds=True),
    "large": lambda gb: Lines(int(gb * GB) // LARGE, LARGE),
    "line": lambda gb: OneLine(int(gb * GB)),
    "bomb": lambda gb: bomb(int(gb * GB)),
}


def measured(run: Trial, name: str, gb: float, *, minutes: float = 120) -> dict[str, Any]:
    """Run an input of ``INPUTS`` and check that every line has its answer. ``AssertionError`` where one has not."""
    content = INPUTS[name](gb)
    run.forget()
    begun = time.monotonic()
    job = run.run(run.drop(f"size/{name}.jsonl", content), minutes=minutes)
    seconds = round(time.monotonic() - begun, 1)
    outcome = {"input": name, "gb": gb, "seconds": seconds, "state": job["state"], "code": job.get("code")}
    lines = content.lines if isinstance(content, Packed) else content
    if isinstance(lines, Lines) and job["state"] == "completed":
        outcome |= run.checked(f"size/{name}", lines)
    run.store.delete(run.up.stack.input_bucket, f"size/{name}.jsonl")
    return outcome


def figures(run: Trial) -> dict[str, dict[str, Any]]:
    """By kind of invocation: how many there were, and the most that one took."""
    found = {}
    for kind, taken in run.taken().items():
        peak, spool = max(one.peak for one in taken), max(one.spool for one in taken)
        found[kind] = {
            "times": len(taken),
            "peak_mib": round(peak, 1),
            "spool_mib": round(spool, 1),
            "longest_seconds": round(max(one.seconds for one in taken), 1),
            "within": peak <= PEAK_MIB and spool <= SPOOL_MIB[kind],
        }
    return found
