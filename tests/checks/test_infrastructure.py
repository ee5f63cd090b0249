"""checkov on what is deployed: of serverless types it sees no policies, so it reads the transformed template."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import pytest

from tests.checks.documents import CHECKS, deployed, run, variants

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


@pytest.fixture(scope="module")
def missed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The checks that fail, by document."""
    folder = tmp_path_factory.mktemp("checkov")
    documents = {name: deployed(template) for name, template in variants().items()} | {"planted": PLANTED}
    files: list[str | Path] = []
    for name, document in documents.items():
        files += ["--file", folder / f"{name}.json"]
        (folder / f"{name}.json").write_text(json.dumps(document, indent=1))
    options = ("--framework", "cloudformation", "--skip-download", "--compact", "--quiet", "--output", "json")
    report = json.loads(run(CHECKS / "python", CHECKS / "checkov", *files, *options))
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["passed"] > 100
    found = defaultdict(set)
    for failed in report["results"]["failed_checks"]:
        found[Path(failed["file_path"]).stem].add(failed["check_id"])
    return found


def test_nothing_is_found_but_what_has_its_reason(missed: dict[str, set[str]]) -> None:
    assert missed["defaults"] == MISSED.keys() | MISSED_WITHOUT_KEY.keys()
    assert missed["given"] == MISSED.keys()


def test_an_open_bucket_and_an_almighty_policy_would_be_found(missed: dict[str, set[str]]) -> None:
    assert missed["planted"] >= {"CKV_AWS_20", "CKV_AWS_53", "CKV_AWS_57", "CKV_AWS_63", "CKV_AWS_107", "CKV_AWS_109"}
