"""cfn-lint reads the template twice: it no longer looks into serverless types, so the transformed one is read too."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml
from cfnlint.api import lint_file
from cfnlint.config import ManualArgs

from local.cloud.place import TEMPLATE
from tests.template.reading import transformed

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.no_cover


#: Rules of the serverless lens that do not hold here.
_NOT_HERE = {
    "ES1001": "messages that fail lie in their queue's own dead-letter queue",
    "ES4000": "an event that the rule loses is found by the sweep",
    "ES6000": "it means the dead-letter queues",
    "WS1000": "no X-Ray: it would be one more place that could hold what a request says, and a permission on '*'",
    "WS1004": "it looks for a log group by its default name; each function names its own (test_functions)",
}
RULES = ManualArgs(append_rules=["cfn_lint_serverless.rules"], ignore_checks=list(_NOT_HERE))


def findings(path: Path) -> list[str]:
    return [f"{match.rule.id} {match.message} ({path.name}:{match.linenumber})" for match in lint_file(path, RULES)]


def findings_transformed(template: Path, folder: Path) -> list[str]:
    written = folder / "transformed.json"
    written.write_text(json.dumps(transformed(template), indent=1))
    return findings(written)


def test_nothing_is_found_in_the_template() -> None:
    assert findings(TEMPLATE) == []


def test_nothing_is_found_in_the_transformed_template(tmp_path: Path) -> None:
    assert findings_transformed(TEMPLATE, tmp_path) == []


def test_mistakes_that_only_the_transformed_template_shows_are_found(tmp_path: Path) -> None:
    mistakes = {
        "    Timeout: 900": ("    Timeout: 1000", {"E3717", "E3505"}),
        "MaximumConcurrency: !Ref MaxConcurrency": ("MaximumConcurrency: 1", {"E3034"}),
        "Runtime: python3.13": ("Runtime: python3.99", {"E3030"}),
        "Action: secretsmanager:GetSecretValue": ("Action: secretsmanager:*", {"WS1003"}),
    }
    text = TEMPLATE.read_text()
    for right, (wrong, _) in mistakes.items():
        assert right in text
        text = text.replace(right, wrong)
    broken = tmp_path / "template.yaml"
    broken.write_text(text)
    found = {finding.split()[0] for finding in findings_transformed(broken, tmp_path)}
    assert found >= set().union(*(rules for _, rules in mistakes.values()))


def test_nothing_is_written_that_cloudformation_cannot_read() -> None:
    kinds = {type(event) for event in yaml.parse(TEMPLATE.read_text())}
    assert yaml.AliasEvent not in kinds, "CloudFormation knows no aliases"
