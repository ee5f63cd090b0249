"""What keeps the code readable, as numbers."""

from __future__ import annotations

import ast
from statistics import median

import pytest

from batchdrop import ports
from tests.architecture.code import Module, modules

SOURCE = modules("shared", "functions", "local")
LINES = 250
FUNCTION_LINES = 10
#: The contract of every port is read as one document.
LONGER = {"shared/batchdrop/ports.py"}
VAGUE = {"base", "common", "helper", "helpers", "manager", "misc", "util", "utils"}


@pytest.mark.parametrize("module", SOURCE, ids=str)
def test_a_file_fits_in_a_head(module: Module) -> None:
    assert str(module) in LONGER or len(module.text.splitlines()) <= LINES


@pytest.mark.parametrize("folder", ["shared", "functions", "local"])
def test_a_function_is_short(folder: str) -> None:
    lengths = [
        function.end_lineno - function.lineno + 1
        for module in modules(folder)
        for function in module.functions()
        if function.end_lineno
    ]
    assert median(lengths) <= FUNCTION_LINES


def test_no_module_has_a_name_that_says_nothing() -> None:
    everywhere = modules("shared", "functions", "local", "tests")
    assert [str(module) for module in everywhere if VAGUE & set(module.path.stem.split("_"))] == []
    assert [str(module) for module in everywhere if VAGUE & {part.lower() for part in module.path.parent.parts}] == []


@pytest.mark.parametrize("module", modules("shared", "functions"), ids=str)
def test_every_module_says_what_it_is_for(module: Module) -> None:
    assert ast.get_docstring(module.tree) or not module.text.strip()


def test_the_ledger_speaks_of_intents() -> None:
    methods = [name for name in vars(ports.Ledger) if not name.startswith("_")]
    assert len(methods) > 20
    assert [name for name in methods if name.split("_")[0] in {"put", "save", "set", "update", "write"}] == []
