"""A job from its drop to its end, step by step: what OpenAI takes to answer passes on a clock that only we move."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.bench import pokes
from local.bench.figure import tell
from local.cloud.place import ROOT, Place
from local.cloud.running import Wishes
from local.openai.admin import Admin
from local.size import trial
from local.size.functions import Function, environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from local.bench.pokes import Pokes
    from local.cloud.running import Running
    from local.size.functions import Invocable
    from local.size.s3 import Server

STACK = "bench"
_STEPS = 20


@dataclass(frozen=True)
class Course(trial.Trial):
    """``openai`` moves the provider's clock; ``pokes`` are the invocations that the functions asked for."""

    pokes: Pokes
    openai: Admin

    def bought(self) -> None:
        """Carry what was planned to OpenAI."""
        self._until_quiet()
        self.tick()

    def minute(self) -> None:
        """A tick of the schedule, and what it leads to."""
        self.tick()
        self._until_quiet()

    def ended(self, job_id: str) -> dict[str, Any]:
        """Carry home what OpenAI has answered; the job's item. ``TimeoutError`` if it does not end."""
        for _ in range(_STEPS):
            self.minute()
            job = self.item(job_id, "job")
            if "cleaned_at" in job:
                return job
        raise TimeoutError(f"{job_id} has not ended after {_STEPS} ticks")

    def _until_quiet(self) -> None:
        while waiting := self.pokes.take():
            for _ in range(waiting):
                self.tick()
            self.submit()
        self.submit()
        self.collect(trial.WHOLE_SECONDS)


@dataclass(frozen=True)
class Stage:
    """What functions run against; everything of it is in another process than theirs."""

    place: Place
    up: Running
    s3: Server
    pokes: Pokes
    openai: Admin

    @contextmanager
    def function(
        self,
        modules: Sequence[str],
        worker: str = "local.size.worker",
        more: Mapping[str, str] | None = None,
        log: Path | None = None,
    ) -> Iterator[Function]:
        """A process of these modules, served by ``worker``, in the environment that functions are deployed with."""
        env = environment(self.up, f"{STACK}-submitter", self.s3.url, self.place.scratch / modules[0]) | dict(
            more or {}
        )
        env |= {"PYTHONPATH": f"{env['PYTHONPATH']}:{ROOT}", "AWS_ENDPOINT_URL_LAMBDA": self.pokes.url}
        with (log or self.place.log(modules[0])).open("ab") as out, Function(modules, env, out, ("-m", worker)) as made:
            yield made

    def course(self, functions: Mapping[str, Invocable]) -> Course:
        return Course(self.up, self.s3.store, functions, self.pokes, self.openai)


@contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    """The stack on the local cloud, S3 on disk, OpenAI on a clock of its own."""
    place = Place(folder / "cloud")
    parameters = {"PollSchedule": "rate(1 day)", "MaxConcurrency": "20"}
    wishes = Wishes(parameters=parameters, stack_name=STACK, upstream=("--speed", "virtual"))
    with ExitStack() as stack:
        up, server = stack.enter_context(trial.stage(place, wishes))
        heard = stack.enter_context(pokes.listening())
        tell("the local cloud, the local OpenAI server and S3 are up")
        yield Stage(place, up, server, heard, Admin(up.openai, timeout=900))
