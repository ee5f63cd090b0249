"""The source as data: its modules, their imports, their functions."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "shared" / "batchdrop"


@dataclass(frozen=True)
class Module:
    """One source file."""

    path: Path

    def __str__(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @property
    def text(self) -> str:
        return self.path.read_text()

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def ring(self) -> str:
        """``core``, ``usecases``, ``adapters``, a module directly in the package, or ``functions``."""
        if self.path.is_relative_to(PACKAGE):
            return self.path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        return self.path.relative_to(ROOT).parts[0]

    def imports(self) -> Iterator[str]:
        """Every module that it names, at its top or within a function; relative ones as they are written."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield "." * node.level + (node.module or "")
                if node.module == "batchdrop":
                    yield from (f"batchdrop.{alias.name}" for alias in node.names)

    def calls(self) -> Iterator[tuple[str, ...]]:
        """The dotted names that it calls: ``("client", "files", "with_raw_response", "create")``."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call) and (name := dotted(node.func)):
                yield name

    def attributes(self) -> Iterator[tuple[str, ...]]:
        """The dotted names that it gets at, called or handed on, each as far as it goes."""
        inner = {id(node.value) for node in ast.walk(self.tree) if isinstance(node, ast.Attribute)}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Attribute) and id(node) not in inner:
                yield dotted(node)

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node


def dotted(node: ast.expr) -> tuple[str, ...]:
    """``a.b(x).c`` as ``("a", "b", "c")``; what stands for no name is left out."""
    if isinstance(node, ast.Attribute):
        return (*dotted(node.value), node.attr)
    if isinstance(node, ast.Call):
        return dotted(node.func)
    return (node.id,) if isinstance(node, ast.Name) else ()


def modules(*folders: str) -> list[Module]:
    return [Module(path) for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
