"""Random files: nothing is raised, every line is accounted for, and no batch fails for what could have been seen.

``FUZZED_FILES`` from the seed ``FUZZED_FROM`` on; ``make fuzz`` takes many.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest

from batchdrop.core.codes import FILES, LINES
from batchdrop.core.states import JobState
from local.openai.settings import Settings
from local.openai.validation import validate
from tests.catalogue.fuzzing import File, Fuzzer
from tests.simulation.campaign import knob
from tests.usecases.planning_stack import PlanningStack

pytestmark = pytest.mark.no_cover

BY_DEFAULT = 400
PROVIDER = Settings()
#: What only the provider can know.
THEIRS = {"model_not_found"}
FILE_CODES = {name.partition(".")[0] for name in FILES}
LINE_CODES = {name.partition(".")[0] for name in LINES}


def test_whatever_is_dropped_every_line_is_accounted_for_and_no_batch_fails_for_what_can_be_seen(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tried: Counter[str] = Counter()
    first, files = knob("FUZZED_FROM", 1), knob("FUZZED_FILES", BY_DEFAULT)
    for seed in range(first, first + files):
        try:
            tried += outcome(Fuzzer(seed).file())
        except Exception as error:
            raise AssertionError(f"FUZZED_FROM={seed} FUZZED_FILES=1 shows it again") from error
    if files > BY_DEFAULT:
        with capsys.disabled():
            seen = ", ".join(f"{tried[what]:,} {what}" for what in sorted(tried))
            sys.stdout.write(f"\n{files:,} files: {seen}\n")
    if files >= BY_DEFAULT:
        assert tried["lines"] > 7 * files
        assert LINE_CODES - {"line_too_long", "too_many_inputs"} <= tried.keys(), "each way to be wrong was tried"
        assert tried["lines sent"] > tried["lines refused"] > tried["lines"] / 10


def outcome(file: File) -> Counter[str]:
    """What became of it, counted."""
    texts = file.content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    expected = [number for number, text in enumerate(texts, 1) if text.strip(b" \t\r\n")]
    stack = PlanningStack()
    job = stack.drop(file.data, file.key)
    seen = Counter({job.state.value: 1, "lines": len(expected)})
    if job.state is JobState.FAILED:
        assert job.code in FILE_CODES
        assert (job.reason or "").endswith(".")
        return seen
    assert job.state is JobState.RUNNING
    fates = list(stack.fates(job))
    refused = [fate for _, fate in fates if not fate.startswith("{")]
    assert [line for line, _ in fates] == expected
    assert (job.counts.requests, job.counts.invalid) == (len(expected), len(refused))
    assert LINE_CODES.issuperset(refused)
    for batch in stack.batches(job):
        with tempfile.NamedTemporaryFile() as upload:
            Path(upload.name).write_bytes(stack.bytes_of(batch.source))
            found = validate(Path(upload.name), batch.endpoint, PROVIDER)
        assert found.requests == batch.requests
        sent = stack.lines_of(batch)
        unseen = [sent[error["line"] - 1] for error in found.errors if error["code"] not in THEIRS]
        assert all(map(has_infinite_number, unseen)), (found.errors, unseen)
    return seen + Counter({"lines sent": len(fates) - len(refused), "lines refused": len(refused), **Counter(refused)})


def has_infinite_number(line: bytes) -> bool:
    """Whether it is JSON with a number that no double holds, which is the one thing that is not looked for (row 30)."""
    numbers: list[float] = []
    json.loads(line, parse_float=lambda text: numbers.append(float(text)))
    return math.inf in map(abs, numbers)
