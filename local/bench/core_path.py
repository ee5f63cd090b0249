"""A file from its drop to its results in place, against the bare SDK doing the same.

All three functions run in one process, warm, each invocation timed around its handler: plan, ticks, submit, fetch,
join, assemble, clean. Beside it stands the bare program, a process of its own as well, warm too. What OpenAI takes to
answer passes on a virtual clock between the invocations and is on neither side; what S3 and OpenAI take to serve a call
is on both. Table, queues and secret are the local cloud's, in a process of its own: some 40 calls of 5 ms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from local.bench import course
from local.bench.figure import Figure, figure, tell
from local.bench.inputs import written
from local.size import blobs
from local.size.trial import FUNCTIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from local.bench.course import Course, Stage
    from local.size.blobs import File
    from local.size.functions import Function, Taken

_LINE = 1_200
_HOURS = 3_600.0
_MOST_MB = 150.0


@dataclass(frozen=True)
class Spent:
    """Seconds, CPU seconds of the process, and MB resident at most."""

    wall: float
    cpu: float
    peak: float


def figures(folder: Path) -> Iterator[Figure]:
    """Best of several rounds in turns; of the memory, the most of all rounds."""
    with course.stage(folder) as stage:
        yield from measured(stage, folder)


def measured(stage: Stage, folder: Path, *, rows: int = 50_000, rounds: int = 4) -> Iterator[Figure]:
    """The same on a stage that is set."""
    path = written(folder / "core.jsonl", rows, _LINE)
    with stage.function(FUNCTIONS) as functions, stage.function(["local.bench.bare"]) as program:
        run = stage.course(dict.fromkeys(FUNCTIONS, functions))
        with path.open("rb") as file:
            content = stage.s3.store.file(file, path.stat().st_size)
        ours, bare, local = [], [], []
        for number in range(rounds + 1):  # the first one imports and connects
            tell(f"core path, round {number} of {rounds}")
            key = f"core-{number}.jsonl"
            ours.append(_ours(run, functions, key, content))
            stage.openai.reset()
            whole = _bare(stage, program, key)
            bare.append(_spent(whole))
            local.append(_spent(one for one in whole if one.kind in ("submit", "collect")))
            _compare(stage, key)
            stage.openai.reset()
    yield from _told(ours, bare, local, {"rows": rows, "bytes": content.size, "rounds": rounds})


def _ours(run: Course, functions: Function, key: str, content: File) -> Spent:
    functions.taken.clear()
    job_id = run.drop(key, content)
    run.bought()
    run.openai.advance(_HOURS)
    job = run.ended(job_id)
    if job["state"] != "completed" or job["counts"]["failed"]:
        raise AssertionError(f"{job_id} ended as {job['state']}")
    return _spent(functions.taken)


def _bare(stage: Stage, program: Function, key: str) -> list[Taken]:
    program.taken.clear()
    for step in ("get", "submit"):
        program.call(step, {"step": step, "key": key}, _HOURS)
    stage.openai.advance(_HOURS)
    for step in ("collect", "put"):
        program.call(step, {"step": step, "key": key}, _HOURS)
    return list(program.taken)


def _compare(stage: Stage, key: str) -> None:
    """Both leave an answer for each request, in the order of the input; ids and times in them differ."""
    bucket = stage.up.stack.output_bucket
    ours = stage.s3.store.get(bucket, f"{key.removesuffix('.jsonl')}.results.jsonl")
    bare = stage.s3.store.get(bucket, f"bare/{key}")
    if _ids(ours) != _ids(bare):
        raise AssertionError("the results are not in the same order")


def _ids(blob: blobs.Blob) -> list[bytes]:
    whole = b"".join(block for segment in blob.segments for block in segment.blocks())
    return [line.partition(b'"custom_id"')[2][:24] for line in whole.splitlines()]


def _spent(taken: Iterable[Taken]) -> Spent:
    every = list(taken)
    peak = max(one.peak for one in every) * 2**20 / 1e6
    return Spent(sum(one.seconds for one in every), sum(one.cpu for one in every), peak)


def _told(ours: list[Spent], bare: list[Spent], local: list[Spent], params: dict[str, int]) -> Iterator[Figure]:
    def least(spent: list[Spent], what: str) -> float:
        return min(float(getattr(one, what)) for one in spent[1:])

    name = f"core path of {params['rows']:,} rows"
    for baseline, of, target in ((bare, "the bare SDK", 1.5), (local, "the bare SDK without S3", None)):
        for what, unit in (("wall", "s"), ("cpu", "s of CPU")):
            value, against = least(ours, what), least(baseline, what)
            wanted = target if what == "wall" else None
            ratio = value / against
            title = f"{name} vs {of}" + ("" if what == "wall" else ", CPU")
            yield figure(title, value, against, unit, target=wanted, sense="at most", ratio=ratio, **params)
    peak, other = (max(one.peak for one in every) for every in (ours, bare))
    yield figure(f"{name}, peak memory", peak, other, "MB", target=_MOST_MB, sense="at most", ratio=peak, **params)
