"""checkov on what is deployed, parliament on the roles' policies.

Of serverless types checkov sees no policies, so it reads the transformed template. parliament knows which actions there
are, on which resources, under which conditions.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.checks.documents import CHECKS, VARIANTS, deployed, policies, variants

pytestmark = pytest.mark.no_cover

SCRIPT = Path(__file__).with_name("outside.py")

#: What it misses, and why that is as it should be.
MISSED = {
    "CKV_AWS_18": "access logs of buckets are the account's matter: CloudTrail data events, or a log bucket of its own",
    "CKV_AWS_21": "the work bucket is scratch; the other two are versioned",
    "CKV_AWS_27": "it knows no SqsManagedSseEnabled, which every queue has (tests/template)",
    "CKV_AWS_115": "reserved concurrency would take it from the rest of the account; the queues' mappings are bounded",
    "CKV_AWS_116": "queues call the functions, and have dead-letter queues; a lost tick is made up by the next",
    "CKV_AWS_117": "they talk to a public API; a VPC would add a NAT gateway's price and no protection",
    "CKV_AWS_158": "logs hold no content; a key that does not name CloudWatch Logs would break the deployment",
    "CKV_AWS_173": "variables hold names and numbers; the key is in the secret",
}
#: Closed by KmsKeyArn.
MISSED_WITHOUT_KEY = {
    "CKV_AWS_119": "DynamoDB's own key, unless one is given",
    "CKV_AWS_149": "Secrets Manager's own key, unless one is given",
}
PLANTED = {
    "AWSTemplateFormatVersion": "2010-09-09",
    "Resources": {
        "Open": {
            "Type": "AWS::S3::Bucket",
            "Properties": {"BucketName": "open", "AccessControl": "PublicReadWrite"},
        },
        "Mighty": {
            "Type": "AWS::IAM::Policy",
            "Properties": {
                "PolicyName": "all",
                "Roles": ["r"],
                "PolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
                },
            },
        },
    },
}


#: Policies that parliament must object to.
MISTAKES = {
    "UNKNOWN_ACTION": ("s3:GetObjekt", "arn:aws:s3:::b/*"),
    "RESOURCE_STAR": ("s3:*", "*"),
    "RESOURCE_MISMATCH": ("sqs:SendMessage", "arn:aws:s3:::b"),
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What both find, in one process: starting it is nearly all that it takes."""
    folder, templates = tmp_path_factory.mktemp("deployed"), variants()
    documents = {name: deployed(template) for name, template in templates.items()} | {"planted": PLANTED}
    for name, document in documents.items():
        (folder / f"{name}.json").write_text(json.dumps(document, indent=1))
    files = [str(folder / f"{name}.json") for name in documents]
    of_roles = {name: policies(template) for name, template in templates.items()}
    assert {len(some) for some in of_roles.values()} == {4}
    asked = {"files": files, "policies": of_roles | {issue: [policy(*of)] for issue, of in MISTAKES.items()}}
    command: list[str | Path] = [CHECKS / "python", "-W", "ignore", SCRIPT]
    done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    assert answer["unread"] == 0
    assert answer["passed"] > 100
    return answer


def policy(action: str, resource: str) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return {"Version": "2012-10-17", "Statement": [statement]}


def test_nothing_is_found_but_what_has_its_reason(found: dict[str, Any]) -> None:
    assert set(found["missed"]["defaults"]) == MISSED.keys() | MISSED_WITHOUT_KEY.keys()
    assert set(found["missed"]["given"]) == MISSED.keys()


def test_an_open_bucket_and_an_almighty_policy_would_be_found(found: dict[str, Any]) -> None:
    ids = {"CKV_AWS_20", "CKV_AWS_53", "CKV_AWS_57", "CKV_AWS_63", "CKV_AWS_107", "CKV_AWS_109"}
    assert set(found["missed"]["planted"]) >= ids


@pytest.mark.parametrize("name", VARIANTS)
def test_nothing_is_found_in_a_role(found: dict[str, Any], name: str) -> None:
    assert found["policies"][name] == []


@pytest.mark.parametrize("issue", MISTAKES)
def test_a_mistake_in_a_role_would_be_found(found: dict[str, Any], issue: str) -> None:
    assert any(one.startswith(issue) for one in found["policies"][issue])
