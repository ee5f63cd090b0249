"""Where the use cases call a port: every place in their source, and those that a run came by."""

from __future__ import annotations

import ast
import contextlib
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any
from unittest.mock import patch

from batchdrop import usecases
from tests.simulation.wire import Process

FOLDER = Path(usecases.__path__[0])
PORTS = {"ledger", "objects", "api", "messages"}
Place = tuple[str, int]  #: file and line


@cache
def calls() -> list[tuple[str, range, str]]:
    """File and lines of each call of a port's method, and its name: ``recover._fence api.delete_file``."""
    return [
        (file.name, range(node.lineno, (node.end_lineno or 0) + 1), f"{file.stem}.{function.name} {name}")
        for file in sorted(FOLDER.glob("*.py"))
        for function in ast.walk(ast.parse(file.read_text()))
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and (name := _called(_behind_partial(node)))
    ]


def _behind_partial(call: ast.Call) -> ast.expr:
    """What is called, now or later."""
    is_partial = isinstance(call.func, ast.Name) and call.func.id == "partial"
    return call.args[0] if is_partial else call.func


def _called(function: ast.expr) -> str | None:
    """``self.ledger.admit``, ``objects.open``: a method of a port."""
    if not isinstance(function, ast.Attribute):
        return None
    of = function.value
    port = of.attr if isinstance(of, ast.Attribute) else of.id if isinstance(of, ast.Name) else ""
    return f"{port}.{function.attr}" if port in PORTS else None


def missed(visited: set[Place]) -> set[str]:
    """The calls that nobody came by."""
    return {name for file, lines, name in calls() if not any((file, line) in visited for line in lines)}


@contextlib.contextmanager
def recorded(visited: set[Place]) -> Iterator[None]:
    """Whatever comes by meanwhile."""
    call = Process.call

    def recording(self: Process, *how: Any) -> Any:
        frame: FrameType | None = sys._getframe(1)
        while frame:  # to the last: a call may be handed on before it is made
            folder, _, name = frame.f_code.co_filename.rpartition("/")
            if folder == str(FOLDER):
                visited.add((name, frame.f_lineno))
            frame = frame.f_back
        return call(self, *how)

    with patch.object(Process, "call", recording):
        yield
