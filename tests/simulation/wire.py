"""The wire between a process and the world: every call is numbered, and may go wrong."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from typing import Any

from batchdrop.core.errors import BatchdropError, OutcomeUnknown, RetryLater
from tests.usecases.mortal import Died


class Fault(Enum):
    BEFORE = "dies before the call"
    AFTER = "dies after the call"
    ERROR = "the call fails and does nothing"
    LOST = "the call works and its answer is lost"
    GONE = "the call never arrives, and nobody knows"
    LATE = "the call arrives later, and nobody knows"


ENOUGH_ERRORS = 2  #: a write whose answer is lost, and the look at what became of it (``ledger.writing.taken``)
DEADLY = {"objects.replayable", "api.download", "objects.open"}  #: where content that kills is met
READS = {
    *("list_versions", "head", "open", "replayable", "list_parts"),
    *("page", "retrieve", "key_version"),
    *("get", "query", "due"),
}


@cache
def fitting(site: str) -> tuple[Fault, ...]:
    """The faults that a call can suffer. A read has no effect: to die at it is to die after the last call that had."""
    name = method(site)
    if name == "create":
        return tuple(Fault)
    if name in READS:
        return (Fault.ERROR,)
    return Fault.BEFORE, Fault.AFTER, Fault.ERROR, Fault.LOST


@cache
def method(site: str) -> str:
    """``table.commit B3`` is a ``commit``."""
    return site.partition(".")[2].partition(" ")[0]


@dataclass
class Line:
    """What all processes of a run share: the number of the next call, who decides its fate, what has happened.

    ``faults``: the number of each call that went wrong, its site with what it was about, and what happened to it.
    ``pause`` is called before every call, where others may be let in.
    """

    decide: Callable[[int, str], Fault | None] = lambda number, site: None
    pause: Callable[[], None] = lambda: None
    late: Callable[[Any], None] = lambda how: None
    sites: list[str] = field(default_factory=list)
    faults: list[tuple[int, str, Fault]] = field(default_factory=list)

    def may_crash(self) -> bool:
        """Whether somebody died, or so much failed that a lease was not known of, or not given back."""
        told = {fault for _, _, fault in self.faults}
        return bool(told & {Fault.BEFORE, Fault.AFTER}) or len(self.faults) >= ENOUGH_ERRORS

    def hurt(self, site: str) -> bool:
        """Whether a call there went wrong."""
        return any(site in at for _, at, _ in self.faults)


class Process:
    """Runs one invocation after the other, as a warm function does. Once it is dead, all that it still calls dies too.

    ``app``: the service, on ports of this process.
    """

    app: Any

    def __init__(self, line: Line) -> None:
        self._line = line
        self.dead = False
        self.is_cursed = False  #: whatever it works on kills it

    def wrap(self, name: str, port: Any) -> Any:
        return _Port(name, port, self)

    def call(self, site: str, work: Callable[..., Any], args: Any, how: Any) -> Any:
        line = self._line
        line.pause()
        if self.dead:
            line.faults.append((len(line.sites), _named(site, args), Fault.BEFORE))
            raise Died
        line.sites.append(site)
        fault = Fault.BEFORE if self.is_cursed and site in DEADLY else line.decide(len(line.sites), site)
        if fault is None:
            return work(*args, **how)
        line.faults.append((len(line.sites), _named(site, args), fault))
        return self._suffer(fault, site, work, args, how)

    def _suffer(self, fault: Fault, site: str, work: Callable[..., Any], args: Any, how: Any) -> Any:
        if fault is Fault.BEFORE:
            self._die()
        if fault is Fault.ERROR:
            raise RetryLater(f"{site} is busy")
        if fault is Fault.LATE:
            self._line.late(how)
        if fault in (Fault.LATE, Fault.GONE):
            raise _unknown(site)
        result = work(*args, **how)
        if fault is Fault.AFTER:
            self._die()
        if method(site) == "download":
            return _cut(result)
        raise _unknown(site)

    def _die(self) -> None:
        self.dead = True
        raise Died


class _Port:
    """A port whose methods go over the wire; each is made when it is first asked for."""

    def __init__(self, name: str, port: Any, process: Process) -> None:
        self._name, self._port, self._process = name, port, process

    def __getattr__(self, name: str) -> Any:
        work, site, process = getattr(self._port, name), f"{self._name}.{name}", self._process

        def call(*args: Any, **how: Any) -> Any:
            return process.call(site, work, args, how)

        def commit(changes: Any) -> Any:
            return process.call(f"{site} {_rows(changes)}", work, (changes,), {})

        over_the_wire = commit if name == "commit" else call
        setattr(self, name, over_the_wire)
        return over_the_wire


def _rows(changes: Any) -> str:
    """What a write is: the rows that it carries out, or else the attributes that it sets."""
    if len(changes) == 1 and changes[0].row:
        return str(changes[0].row.id)
    named = dict.fromkeys(change.row.id for change in changes if change.row)
    return "+".join(named) or "/".join(sorted(path[0] for change in changes for path in change.assign)) or "put"


def _named(site: str, args: Any) -> str:
    """The site and what the call is about: ``api.delete_file file-1``, ``table.commit B8 <job id> <item>``."""
    about = args[0] if args else ""
    if isinstance(about, list):
        about = f"{about[0].key.job_id} {about[0].key.item}"
    return f"{site} {about}"


def _unknown(site: str) -> BatchdropError:
    return OutcomeUnknown("the answer was lost") if method(site) == "create" else RetryLater(f"{site}: lost answer")


@contextmanager
def _cut(stream: AbstractContextManager[Any]) -> Any:
    with stream as blocks:
        yield _half(blocks)


def _half(blocks: Any) -> Any:
    data = b"".join(blocks)
    yield data[: len(data) // 2]
    raise RetryLater("the download was cut")
