"""What is installed is what was tested: every lock is hashed, complete, and names no address."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib

import pytest

from local.cloud.place import ROOT

LOCKS = {
    "requirements-dev.txt": "dev",
    "shared/requirements.txt": "",
    "local/requirements-lambda.txt": "lambda",
    "local/requirements-checks.txt": "checks",
    "local/requirements-ministack.txt": "ministack",
    "local/requirements-sam.txt": "sam",
}


def pins(lock: str) -> dict[str, str]:
    found = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^ ;\\]+)", (ROOT / lock).read_text(), re.MULTILINE)
    return {name.lower(): version for name, version in found}


def wanted(group: str) -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    entries = project["dependency-groups"][group] if group else project["project"]["dependencies"]
    return {re.split(r"[\[<>=]", entry)[0] for entry in entries if isinstance(entry, str)}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_line_of_a_lock_is_a_pinned_version_or_a_hash(lock: str) -> None:
    lines = [line for line in (ROOT / lock).read_text().splitlines() if not line.startswith("#")]
    assert lines
    for line in lines:
        assert re.fullmatch(r"[A-Za-z0-9._\[\]-]+==[^ ]+( ;.*)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?", line), line


@pytest.mark.parametrize(("lock", "group"), LOCKS.items())
def test_a_lock_holds_what_its_group_asks_for(lock: str, group: str) -> None:
    assert {name.lower() for name in wanted(group)} <= pins(lock).keys()


def test_what_runs_in_lambda_is_what_was_tested() -> None:
    tested = pins("requirements-dev.txt")
    for lock in ("shared/requirements.txt", "local/requirements-lambda.txt"):
        shipped = pins(lock)
        assert {name: tested.get(name) for name in shipped} == shipped


def test_sam_says_that_the_template_is_valid() -> None:
    env = {**os.environ, "SAM_CLI_TELEMETRY": "0"}
    sam, template = ROOT / ".local/sam/bin/sam", ROOT / "template.yaml"
    command = [str(sam), "validate", "--lint", "--template-file", str(template)]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
