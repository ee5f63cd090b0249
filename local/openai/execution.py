"""The execution of a batch's requests, in slices, in an order that the seed decides (CONTRACT B6, B7, B13)."""

from __future__ import annotations

import random
from array import array
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from local.openai.answers import answer
from local.openai.errors import error_body, type_of
from local.openai.identity import digest
from local.openai.question import Answer, Question, Usage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local.openai.faults import Faults
    from local.openai.journal import Execution, Journal
    from local.openai.plans import LineFault
    from local.openai.settings import Settings

_OK = 200
_UNRUN = {
    "batch_expired": "This request could not be executed before the completion window expired.",
    # The code was seen, the text is assumed (A16).
    "batch_cancelled": "This request was not executed because the batch was cancelled.",
}


@dataclass
class Run:
    """What is done of one batch. ``order`` holds line numbers (from 0) in the order of execution."""

    batch_id: str
    input: Path
    output: Path
    errors: Path
    endpoint: str
    offsets: array[int]  #: see ``validation.Findings``
    seed: int
    created: int
    order: list[int] = field(init=False)
    done: int = 0
    slice: int = 0
    completed: int = 0
    failed: int = 0
    usage: Usage = field(default_factory=Usage)
    left: list[int] = field(default_factory=list)  #: lines that a fault left unexecuted

    def __post_init__(self) -> None:
        self.order = list(range(len(self.offsets) - 1))
        random.Random(digest(self.seed, self.batch_id)).shuffle(self.order)  # noqa: S311 - not a secret

    def request(self, source: BinaryIO, line: int) -> dict[str, Any]:
        """The request on ``line`` (from 0), decoded."""
        start, end = self.offsets[line], self.offsets[line + 1]
        source.seek(start)
        request: dict[str, Any] = msgspec.json.decode(source.read(end - start))
        return request

    @contextmanager
    def opened(self) -> Iterator[tuple[BinaryIO, BinaryIO, BinaryIO]]:
        """Input, output and errors, while the block runs."""
        with self.input.open("rb") as source, self.output.open("ab") as out, self.errors.open("ab") as err:
            yield source, out, err

    def release(self) -> None:
        """Delete the copy of the input and forget the lines: an ended batch keeps its counts only."""
        self.input.unlink(missing_ok=True)
        self.order, self.offsets, self.left = [], array("Q"), []


@dataclass(frozen=True)
class Turn:
    """One request whose turn it is; ``line`` is its line from 0."""

    line: int
    request: dict[str, Any]
    question: Question
    fault: LineFault | None

    def scripted(self) -> Answer | None:
        """The answer that the fault prescribes, if it does."""
        return _scripted(self.fault)


class Executor:
    """Runs lines and writes their results; called in one thread."""

    def __init__(self, faults: Faults, journal: Journal, settings: Settings) -> None:
        self._faults = faults
        self._journal = journal
        self._settings = settings

    def run_until(self, run: Run, count: int) -> None:
        """Execute until ``count`` requests of the batch are done. Streams: one request in memory at a time."""
        executed: list[Execution] = []
        with run.opened() as (source, out, err):
            while run.done < count:
                turn = self.take(run, source)
                if turn is not None:
                    reply = turn.scripted() or answer(turn.question)
                    executed.append(self.write(run, turn, reply, out, err))
        self._journal.record_executions(executed)

    def take(self, run: Run, source: BinaryIO) -> Turn | None:
        """The next request of the batch; null if a fault leaves it unexecuted."""
        line = run.order[run.done]
        run.done += 1
        request = run.request(source, line)
        fault = self._faults.for_line(request["custom_id"])
        if fault is not None:
            self._journal.note("line", fault.do, request["custom_id"])
            if fault.do == "unrun":
                run.left.append(line)
                return None
        return Turn(line, request, self._question(run, request["body"], fault), fault)

    def _question(self, run: Run, body: dict[str, Any], fault: LineFault | None) -> Question:
        model = self._settings.snapshot(body.get("model") or "")
        separators = fault is not None and fault.do == "separators"
        return Question(run.endpoint, body, model, run.created, run.seed, separators)

    def write(self, run: Run, turn: Turn, reply: Answer, out: BinaryIO, err: BinaryIO) -> Execution:
        """Count an answer and write its line; what the journal is to remember."""
        custom_id = turn.request["custom_id"]
        completed = reply.status in (_OK, 0)  # assumed (A17): such lines were seen where none had failed
        run.completed += completed
        run.failed += not completed
        run.usage = _sum(run.usage, reply.usage)  # assumed (A18): a refused request used nothing
        file = out if completed else err
        for written_id, copy in _written(custom_id, turn.fault):
            file.write(_line(run, written_id, copy, reply))
        return run.batch_id, custom_id, turn.question.key[:32], reply.status

    def finish(self, run: Run, code: str = "batch_expired") -> None:
        """Write a line for every request that was not executed, with ``code``."""
        with run.input.open("rb") as source, run.errors.open("ab") as err:
            for line in sorted(run.left + run.order[run.done :]):
                custom_id = run.request(source, line)["custom_id"]
                error = {"code": code, "message": _UNRUN[code]}
                envelope = {"id": _id(run, custom_id, 0), "custom_id": custom_id, "response": None, "error": error}
                err.write(msgspec.json.encode(envelope) + b"\n")


def _scripted(fault: LineFault | None) -> Answer | None:
    """The answer that a fault prescribes."""
    if fault is not None and fault.do == "zero":
        return Answer(0, {})
    if fault is not None and fault.do == "status" and fault.status != _OK:
        kind = type_of(fault.status)
        return Answer(fault.status, error_body(fault.message, param=None, code=fault.code, type=kind))
    return None


def _written(custom_id: str, fault: LineFault | None) -> list[tuple[str, int]]:
    """The lines that an execution leaves: custom id, and a number that tells copies apart."""
    copies = {
        "missing": [],
        "duplicate": [(custom_id, 0), (custom_id, 1)],
        "foreign": [(custom_id, 0), (f"foreign-{custom_id}", 0)],
    }
    return copies.get(fault.do if fault else "", [(custom_id, 0)])


def _line(run: Run, custom_id: str, copy: int, reply: Answer) -> bytes:
    key = _id(run, custom_id, copy)
    response = {"status_code": reply.status, "request_id": key[-32:], "body": reply.body}
    envelope = {"id": key, "custom_id": custom_id, "response": response, "error": None}
    return msgspec.json.encode(envelope) + b"\n"


def _id(run: Run, custom_id: str, copy: int) -> str:
    return "batch_req_" + digest(run.batch_id, custom_id, copy).hex()[:32]


def _sum(a: Usage, b: Usage) -> Usage:
    return Usage(a.input + b.input, a.cached + b.cached, a.output + b.output, a.reasoning + b.reasoning)
