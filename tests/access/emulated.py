"""What the local cloud let the functions' roles do, as it judged it: its mapping of calls to actions is not ours."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from tests.access.actions import Use
from tests.access.granted import FUNCTIONS
from tests.template.reading import REGION, STACK


def noted(log: Path, stack: str) -> Iterator[tuple[str, Use]]:
    """Each function and each use of its role, with the names that the template's tests use."""
    for line in log.read_text().splitlines():
        role, action, resource = json.loads(line)
        if named := re.search("|".join(FUNCTIONS), role.lower()):
            yield named[0], (action, _as_in_the_template(resource, stack))


def _as_in_the_template(arn: str, stack: str) -> str:
    if arn.startswith("arn:aws:secretsmanager:"):
        return "arn:of:Secret.Id"
    table = re.sub(r"^arn:aws:dynamodb:[^/]*/[^/]*", "arn:of:Table.Arn", arn)
    return re.sub(r":us-east-1:", f":{REGION}:", table).replace(f":{stack}-", f":{STACK}-")
