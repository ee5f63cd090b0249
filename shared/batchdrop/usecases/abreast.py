"""The same call for many things, several at a time: thousands of calls one after the other outlast an invocation."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Thing = TypeVar("Thing")
Result = TypeVar("Result")

WORKERS = 8  #: below the ten connections that an AWS client keeps
FEW = 2 * WORKERS  #: up to here quick calls are not worth the threads


def abreast(call: Callable[[Thing], Result], things: Sequence[Thing], *, few: int = FEW) -> Iterator[Result]:
    """The results in order. No thread outlives the iteration; an error ends it, and calls not begun are not made."""
    if len(things) <= few:
        yield from map(call, things)
        return
    with ThreadPoolExecutor(WORKERS) as pool:
        yield from pool.map(call, things)
