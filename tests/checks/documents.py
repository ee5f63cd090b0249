"""The template as files for tools that understand neither serverless types nor conditions."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from local.cloud.place import ROOT
from tests.template.conftest import GIVEN
from tests.template.reading import ACCOUNT, REGION, Template, transformed

CHECKS = ROOT / ".local/checks/bin"
#: By default, and with every optional parameter given.
VARIANTS = {"defaults": {}, "given": GIVEN}
_ARNS = {
    "arn:of:Table.Arn": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/table",
    "arn:of:Secret.Id": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:key-a1b2c3",
    "arn:of:Poller.Arn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:poller",
}


def variants() -> dict[str, Template]:
    document = transformed()
    return {name: Template(document, given) for name, given in VARIANTS.items()}


def deployed(template: Template) -> dict[str, Any]:
    """Resources as CloudFormation makes them: translated, conditions decided, references resolved."""
    made = {
        name: resource | {"Properties": template.of_type(resource["Type"])[name]}
        for name, resource in template.document["Resources"].items()
        if name in template.of_type(resource["Type"])
    }
    return {"AWSTemplateFormatVersion": "2010-09-09", "Resources": made}


def policies(template: Template) -> list[dict[str, Any]]:
    """Each role's policies, with ARNs of the shape that AWS gives them."""
    text = json.dumps([one["PolicyDocument"] for role in _roles(template) for one in role["Policies"]])
    for name, arn in _ARNS.items():
        text = text.replace(name, arn)
    for name in ("Submitter", "Poller", "Collector"):
        text = text.replace(f"arn:of:{name}Logs.Arn", f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/{name}:*")
    found: list[dict[str, Any]] = json.loads(text)
    return found


def _roles(template: Template) -> list[dict[str, Any]]:
    return list(template.of_type("AWS::IAM::Role").values())


def run(*command: str | Path) -> str:
    """What a tool prints. It may end with any status: what it found is what counts, and that it said so."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return done.stdout
