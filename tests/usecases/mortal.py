"""Invocations that die at a chosen call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


class Died(BaseException):
    """The invocation is gone: no ``except Exception`` may see it."""


def die(_: object) -> None:
    raise Died


class Fate:
    """Kills one invocation at its n-th call of any port, before or after the call does its work."""

    def __init__(self, at: int, *, after: bool) -> None:
        self._at, self._after = at, after
        self.calls = 0

    def wrap(self, port: Any) -> Any:
        return Mortal(port, self)

    def call(self, function: Any, args: Any, how: Any) -> Any:
        self.calls += 1
        if self.calls > self._at or (self.calls == self._at and not self._after):
            raise Died
        result = function(*args, **how)
        if self.calls == self._at:
            raise Died
        return result


class Mortal:
    def __init__(self, port: Any, fate: Fate) -> None:
        self._port, self._fate = port, fate

    def __getattr__(self, name: str) -> Any:
        function = getattr(self._port, name)
        return lambda *args, **how: self._fate.call(function, args, how)


def lives(calls: int) -> Iterator[tuple[int, bool]]:
    return ((at, after) for at in range(1, calls + 1) for after in (False, True))
