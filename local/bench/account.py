"""All that a stack has been billed for so far: its functions metered, the minutes of its schedule passing as we say."""

from __future__ import annotations

import json
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from local.bench import bill
from local.bench.bill import Bill
from local.size.trial import FUNCTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from local.bench.course import Course, Stage
    from local.size.functions import Invocable, Taken

MINUTE = 60.0
_MOST_MINUTES = 30
_LONG = 12 * 3600.0
_METERED = "local.bench.metered"


class Cold:
    """A function that starts anew for each invocation, as in a burst: its imports are part of what it takes."""

    def __init__(self, stage: Stage, module: str, more: Mapping[str, str], log: Path) -> None:
        self.taken: list[Taken] = []
        self._stage, self._module, self._more, self._log = stage, module, more, log

    def call(self, kind: str, event: object, seconds: float, module: str = "") -> Taken:
        with self._stage.function([module or self._module], _METERED, self._more, self._log) as function:
            taken = function.call(kind, event, seconds)
            self.taken.append(replace(taken, seconds=taken.seconds + function.import_seconds))
        return self.taken[-1]


@dataclass(frozen=True)
class Account:
    """``course`` runs jobs; ``minutes`` lets the schedule tick."""

    folder: Path
    stage: Stage
    course: Course

    def minutes(self, count: int) -> None:
        """A tick each, and what it leads to."""
        for _ in range(count):
            self.skip(1)
            self.course.openai.advance(MINUTE)
            self.course.minute()

    def skip(self, minutes: int) -> None:
        """Let time pass without a tick."""
        clock = self.folder.parent / "clock"
        clock.write_text(str(float(clock.read_text()) + minutes * MINUTE))

    def ended(self, job_id: str) -> dict[str, Any]:
        """Have OpenAI answer; the job's item at its end. ``AssertionError`` if it does not come, or not all answers."""
        self.course.openai.advance(_LONG)
        for _ in range(_MOST_MINUTES):
            self.minutes(1)
            job = self.course.item(job_id, "job")
            if "cleaned_at" in job and job["state"] == "completed" and not job["counts"]["failed"]:
                return job
        raise AssertionError(f"{job_id} has not completed")

    def so_far(self) -> Bill:
        total = Bill()
        for name in FUNCTIONS:
            calls = bill.read(self.folder / f"{name}.calls")
            taken = self.course.functions[name].taken
            seconds = sum(one.seconds for one in taken) - sum(line["own"] for line in calls)
            total = total.plus(bill.calls(calls)).plus(bill.invocations(name.capitalize(), len(taken), seconds))
            total = total.plus(bill.logs(len(taken), self._log(name).stat().st_size))
            if name != "poller":
                total = total.plus(bill.messages(len(taken)))
        return total

    def places(self) -> dict[str, int]:
        """How long each function's log is by now."""
        return {name: len(self._log(name).read_text()) for name in FUNCTIONS}

    def metrics(self, behind: Mapping[str, int]) -> set[str]:
        """Names of the metrics that were sent ``behind`` these places of the logs."""
        found: set[str] = set()
        for name in FUNCTIONS:
            for line in self._log(name).read_text()[behind[name] :].splitlines():
                if '"_aws"' in line:
                    sent = json.loads(line)["_aws"]["CloudWatchMetrics"]
                    found |= {metric["Name"] for one in sent for metric in one["Metrics"]}
        return found

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"


@contextmanager
def opened(folder: Path, stage: Stage, *, cold: bool, variables: Mapping[str, str] | None = None) -> Iterator[Account]:
    """The poller is warm, as one that is invoked every minute is; the others are too, unless they begin ``cold``.

    The clock beside ``folder`` goes on where the last account left it.
    """
    folder.mkdir()
    clock = folder.parent / "clock"
    if not clock.exists():
        clock.write_text("0")
    with ExitStack() as stack:
        functions: dict[str, Invocable] = {}
        for name in FUNCTIONS:
            log, calls = (folder / f"{name}.{kind}" for kind in ("log", "calls"))
            log.touch()
            calls.touch()
            more = {"BENCH_CLOCK": str(clock), "BENCH_CALLS": str(calls), **(variables or {})}
            if cold and name != "poller":
                functions[name] = Cold(stage, name, more, log)
            else:
                functions[name] = stack.enter_context(stage.function([name], _METERED, more, log))
        yield Account(folder, stage, stage.course(functions))
