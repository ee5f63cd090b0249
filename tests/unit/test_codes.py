"""The codes and texts that users meet, and the page about them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchdrop.core import no_json
from batchdrop.core.codes import ALL, BLOCKED, FILES, LINES, REQUESTS, said
from local import docs

PACKAGE = Path(__file__).parents[2] / "shared" / "batchdrop"
#: What only our own functions meet, or an operator who deploys.
INTERNAL = {"upload_gone", "object_gone", "file_gone", "no_such_bucket", "missing_setting", "invalid_setting"}
#: The provider's word is the name of the text.
BY_THEIR_WORD = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"}


def _calls() -> Iterator[tuple[str, ast.Call]]:
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
                yield node.func.id, node


def _words(*callers: str) -> set[str]:
    first = (call.args[0] for name, call in _calls() if name in callers)
    return {str(arg.value) for arg in first if isinstance(arg, ast.Constant)}


def test_the_page_of_codes_is_what_the_code_says() -> None:
    assert docs.ERRORS.read_text() == docs.errors(), "run make docs"


def test_every_code_that_is_raised_has_its_text_on_the_page() -> None:
    assert _words("Rejected", "Refusal", "Misconfigured") <= INTERNAL
    assert _words("said") <= ALL.keys()


def test_no_text_is_left_over() -> None:
    by_constant = {"not_answered", "quarantined"}  # looked up by the code that a request has
    by_pattern = {name for _, name in no_json.MISTAKES}
    assert ALL.keys() - _words("said") == BY_THEIR_WORD | by_constant | by_pattern


@pytest.mark.parametrize("name", ALL)
def test_a_text_says_what_is_wrong_and_what_to_do(name: str) -> None:
    code, reason = said(name, **ALL[name].example)
    assert re.fullmatch(r"[a-z_]+", code)
    assert not re.search(r"\{\w+[:}]", reason)
    assert all(text.format(**ALL[name].example).endswith(".") for text in (ALL[name].wrong, ALL[name].mend))
    assert f"| `{code}` | " in docs.ERRORS.read_text()


def test_no_name_stands_for_two_texts() -> None:
    assert len(ALL) == len(FILES) + len(LINES) + len(REQUESTS) + len(BLOCKED)
