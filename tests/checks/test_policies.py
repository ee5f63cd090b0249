"""parliament on the roles' policies: actions that exist, on resources that they take, under conditions they know."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.checks.documents import CHECKS, VARIANTS, policies, variants

SCRIPT = Path(__file__).with_name("lint_policies.py")


def findings(documents: list[dict[str, Any]]) -> list[str]:
    command: list[str | Path] = [CHECKS / "python", "-W", "ignore", SCRIPT]
    done = subprocess.run(command, input=json.dumps(documents), capture_output=True, text=True, check=True)
    found: list[str] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("name", VARIANTS)
def test_nothing_is_found_in_a_role(name: str) -> None:
    documents = policies(variants()[name])
    assert len(documents) == 4
    assert findings(documents) == []


@pytest.mark.parametrize(
    ("action", "resource", "found"),
    [
        ("s3:GetObjekt", "arn:aws:s3:::b/*", "UNKNOWN_ACTION"),
        ("s3:*", "*", "RESOURCE_STAR"),
        ("sqs:SendMessage", "arn:aws:s3:::b", "RESOURCE_MISMATCH"),
    ],
)
def test_a_mistake_would_be_found(action: str, resource: str, found: str) -> None:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    assert any(one.startswith(found) for one in findings([{"Version": "2012-10-17", "Statement": [statement]}]))
