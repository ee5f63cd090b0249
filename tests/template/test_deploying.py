"""What ``make deploy`` hands to sam."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from local.cloud.place import ROOT

if TYPE_CHECKING:
    from tests.template.reading import Template


def words_for_sam(params: str | None) -> list[str]:
    """Of the last command that ``make deploy`` would run, as a shell splits it."""
    given = [] if params is None else [f"PARAMS={params}"]
    env = {"PATH": os.environ["PATH"]} | dict(one.split("=", 1) for one in given)
    recipe = subprocess.run(["make", "-n", "deploy", *given], cwd=ROOT, env=env, capture_output=True, check=True)
    program, _, rest = recipe.stdout.decode().splitlines()[-1].partition(" ")
    assert program == ".local/sam/bin/sam"
    told = ["bash", "-euc", f"printf '%s\\n' {rest}"]
    return subprocess.run(told, env=env, capture_output=True, check=True).stdout.decode().splitlines()


@pytest.mark.parametrize("params", [None, "MaxCostUSD=50", "Architecture=x86_64 MaxCostUSD=50"])
def test_functions_are_deployed_for_the_architecture_that_their_layer_is_built_for(
    template: Template, params: str | None
) -> None:
    """The build knows the default and what is given; a deployment alone would keep what the stack had before."""
    command, option, *overrides = words_for_sam(params)
    assert (command, option) == ("deploy", "--parameter-overrides")
    default = f"Architecture={template.document['Parameters']['Architecture']['Default']}"
    assert overrides == [default, *([params] if params else [])], "the last one counts"


def test_a_value_with_quotes_and_spaces_is_one_word_for_sam() -> None:
    params = """EnqueuedTokenLimits='{"gpt-5-mini": 2000000}' MaxCostUSD=50"""
    assert words_for_sam(params)[3] == params
