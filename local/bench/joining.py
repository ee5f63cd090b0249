"""The join of one chunk, against a dict of parsed answers."""

from __future__ import annotations

import json
import os
import random
from functools import partial
from typing import TYPE_CHECKING

from batchdrop.core import stream
from batchdrop.core.joining import Index, Joiner
from local.bench.figure import Figure, compared, in_turns
from local.bench.inputs import answers, requests

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ROWS = 50_000
_ROUNDS = 7


def figures(folder: Path, *, rows: int = _ROWS, rounds: int = _ROUNDS) -> Iterator[Figure]:
    """CPU seconds of one core. The answers lie on disk; both write the results."""
    for order in ("sorted", "shuffled"):
        written(folder, rows, shuffled=order == "shuffled")
        joined(folder)
        results = (folder / "results.jsonl").read_bytes()
        _by_dict(folder)
        if (folder / "results.jsonl").read_bytes() != results:
            raise AssertionError("the two joins differ")
        ours, theirs = in_turns(rounds, partial(joined, folder), partial(_by_dict, folder))
        name = f"join of {rows:,} rows, {order}, vs dict of json.loads"
        yield compared(name, ours, theirs, "s", target=3.0, rows=rows, rounds=rounds)


def written(folder: Path, rows: int, *, shuffled: bool) -> None:
    """Requests of 0.5 kB in order, and their answers."""
    found = list(answers(rows))
    if shuffled:
        random.Random(1).shuffle(found)  # noqa: S311 - the same order in every run
    (folder / "answers.jsonl").write_bytes(b"".join(found))
    with (folder / "requests.jsonl").open("wb") as file:
        file.writelines(requests(rows, 500))


def joined(folder: Path) -> None:
    """As ``usecases.join`` does it, from files of its own."""
    with (
        (folder / "answers.jsonl").open("rb") as given,
        (folder / "requests.jsonl").open("rb") as asked,
        (folder / "results.jsonl").open("wb") as results,
    ):
        index = Index()
        index.add(stream.lines(stream.blocks(given.read)))
        file = given.fileno()
        joiner = Joiner(index, lambda first, size: os.pread(file, size, first), ("not_answered", ""))
        rows = joiner.clean(stream.lines(stream.blocks(asked.read)), 1)
        results.writelines(stream.packed(result for result, _ in rows))


def _by_dict(folder: Path) -> None:
    with (folder / "answers.jsonl").open("rb") as given:
        found = {json.loads(line)["custom_id"]: line for line in given}
    with (folder / "requests.jsonl").open("rb") as asked, (folder / "results.jsonl").open("wb") as results:
        results.writelines(found[json.loads(line)["custom_id"]] for line in asked)
