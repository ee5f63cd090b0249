"""A chunk in the making, and its batches: what they hold, and whether more fits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batchdrop.core import limits
from batchdrop.core.ids import can_be_kept
from batchdrop.core.request import Pair, Request, Weight

if TYPE_CHECKING:
    from batchdrop.core.survey import Survey

REWRITE_BYTES = 64  #: what writing a line anew with an id of ours may add to it


@dataclass(frozen=True, slots=True)
class Limits:
    """What one batch may hold, as the stack's parameters say."""

    requests: int = limits.REQUESTS_PER_BATCH
    bytes: int = limits.BYTES_PER_CHUNK


@dataclass(slots=True)
class Load:
    """One batch in the making. Its byte range is of use where its lines follow each other."""

    first_byte: int
    end_byte: int
    requests: int = 0
    bytes: int = 0
    inputs: int = 0
    answer_bytes: int = 0

    def has_room(self, weight: Weight, limit: Limits) -> bool:
        return (
            self.requests + weight.requests <= limit.requests
            and self.bytes + weight.bytes <= limit.bytes
            and self.inputs + weight.inputs <= limits.EMBEDDING_INPUTS_PER_BATCH
            and self.answer_bytes + weight.answer_bytes <= limits.PROJECTED_BYTES_PER_BATCH
        )

    def add(self, weight: Weight, end: int) -> None:
        self.requests += weight.requests
        self.bytes += weight.bytes
        self.inputs += weight.inputs
        self.answer_bytes += weight.answer_bytes
        self.end_byte = end


@dataclass(slots=True)
class Cut:
    """One chunk: which bytes and lines it spans, and the batches of each pair, in order of their first line.

    ``lines`` is the number of the last line; ``requests`` counts lines that are not blank, ``invalid`` those of them
    that are refused; ``plain``: the batches can be ranges of the input as it is. ``head``: the start of the one line
    that is too long to be read.
    """

    first_byte: int
    end_byte: int
    first_line: int
    lines: int
    requests: int = 0
    invalid: int = 0
    mapped: int = 0
    plain: bool = True
    loads: dict[Pair, list[Load]] = field(default_factory=dict)
    head: bytes | None = None
    answer_bytes: int = 0
    ids: set[str] = field(default_factory=set)

    @property
    def batches(self) -> int:
        return sum(map(len, self.loads.values()))

    def weigh(self, request: Request, size: int) -> tuple[Weight, bool]:
        """What the request costs here, and whether its own id goes out: in another chunk it may."""
        kept = can_be_kept(request.custom_id) and request.custom_id not in self.ids
        size += 1 if kept and not request.rewrite and request.text is None else 1 + REWRITE_BYTES
        return Weight(1, size, request.inputs, request.answer_bytes), kept

    def reaches(self, requests: int, end: int) -> bool:
        """Whether lines up to ``end`` fit, whatever they are."""
        if self.requests + requests > limits.REQUESTS_PER_CHUNK:
            return False
        return end - self.first_byte <= limits.BYTES_PER_CHUNK

    def has_room(self, pair: Pair, weight: Weight, limit: Limits) -> bool:
        if self.answer_bytes + weight.answer_bytes > limits.PROJECTED_BYTES_PER_CHUNK:
            return False
        loads = self.loads.get(pair)
        if loads is None:
            return self.batches < limits.BATCHES_PER_CHUNK
        return loads[-1].has_room(weight, limit) or self.batches < limits.BATCHES_PER_CHUNK

    def has_room_for_all(self, found: Survey, end: int, limit: Limits) -> bool:
        """Whether many lines fit, and a pair that has a batch needs no other on the way."""
        if not self.reaches(found.requests, end) or not self.ids.isdisjoint(found.ids):
            return False
        new = len(found.weights.keys() - self.loads.keys())
        answers = sum(weight.answer_bytes for weight in found.weights.values())
        return (
            self.answer_bytes + answers <= limits.PROJECTED_BYTES_PER_CHUNK
            and self.batches + new <= limits.BATCHES_PER_CHUNK
            and all(self._last(pair).has_room(weight, limit) for pair, weight in found.weights.items())
        )

    def _last(self, pair: Pair) -> Load:
        loads = self.loads.get(pair)
        return loads[-1] if loads else Load(0, 0)

    def take(self, pair: Pair, weight: Weight, start: int, end: int, limit: Limits) -> None:
        loads = self.loads.setdefault(pair, [])
        if not loads or not loads[-1].has_room(weight, limit):
            loads.append(Load(start, end))
        loads[-1].add(weight, end)
        self.answer_bytes += weight.answer_bytes
        self.plain = self.plain and len(self.loads) == 1

    def reach(self, requests: int, lines_: int, end: int) -> None:
        self.requests += requests
        self.lines = lines_
        self.end_byte = end
