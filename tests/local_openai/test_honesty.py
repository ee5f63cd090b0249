"""What is assumed is said, in the code and in the README, in the same places."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from local.openai import plans
from local.openai.profiles import PROFILES
from local.openai.settings import Settings

SOURCE = Path(__file__).parents[2] / "local" / "openai"
README = (SOURCE / "README.md").read_text()
TAG = re.compile(r"assumed \((A\d+)\)")


def tagged() -> dict[str, set[str]]:
    """The modules that carry each number."""
    found: dict[str, set[str]] = {}
    for path in SOURCE.glob("*.py"):
        for number in TAG.findall(path.read_text()):
            found.setdefault(number, set()).add(path.name)
    return found


def test_every_assumption_has_a_row_that_names_the_modules_which_make_it() -> None:
    rows = re.findall(r"^\| (A\d+) \| ([^|]+) \|", README, re.MULTILINE)
    assert {number: set(modules.strip().split(", ")) for number, modules in rows} == tagged()
    assert [number for number, _ in rows] == [f"A{number}" for number in range(1, len(rows) + 1)]


def test_no_assumption_is_without_a_number() -> None:
    untagged = re.compile(r"\bassumed\b(?! \(A\d)(?<!\*assumed)")
    assert [path.name for path in SOURCE.glob("*.py") if untagged.search(path.read_text())] == []


def test_the_readme_names_knobs_faults_and_profiles_that_exist() -> None:
    knobs = README.partition("### Knobs")[2].partition("## What is faithful")[0]
    named = {
        name for cell in re.findall(r"^\| (`[^|]+) \|", knobs, re.MULTILINE) for name in re.findall(r"`(\w+)`", cell)
    }
    assert named
    assert named <= set(Settings.__struct_fields__)
    faults = README.partition("### Faults")[2].partition("### Knobs")[0]
    kinds = {rule: set(_kinds(rule)) for rule in (plans.RequestFault, plans.LineFault, plans.WebhookFault)}
    for rule, names in kinds.items():
        assert [name for name in names if f"`{name}`" not in faults] == [], rule
    assert [name for name in PROFILES if name != "openai" and f"`{name}`" not in README] == []


def _kinds(rule: type[msgspec.Struct]) -> list[str]:
    field = next(field for field in msgspec.structs.fields(rule) if field.name == "do")
    info = msgspec.inspect.type_info(field.type)
    assert isinstance(info, msgspec.inspect.LiteralType)
    return [str(value) for value in info.values]
