"""Where data lies: encrypted, closed, kept as long as it is needed."""

from __future__ import annotations

import datetime as dt

import pytest

from batchdrop.core import giving_up, limits
from tests.template.reading import Template, listed

BUCKETS = ("InputBucket", "OutputBucket", "WorkBucket")
KEY = "arn:aws:kms:eu-central-1:123456789012:key/0b1c2d3e"
TLS_ONLY = {"Bool": {"aws:SecureTransport": "false"}}


def test_there_are_three_buckets(template: Template) -> None:
    assert set(template.of_type("AWS::S3::Bucket")) == set(BUCKETS)


@pytest.mark.parametrize("name", BUCKETS)
def test_a_bucket_is_encrypted_owned_by_us_and_closed_to_the_public(template: Template, name: str) -> None:
    bucket = template.properties(name)
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    assert bucket["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    closed = bucket["PublicAccessBlockConfiguration"]
    assert len(closed) == 4
    assert all(closed.values())


def test_a_key_that_is_given_encrypts_buckets_table_and_secret(template: Template) -> None:
    given = Template(template.document, {"KmsKeyArn": KEY})
    for name in BUCKETS:
        (rule,) = given.properties(name)["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        by_default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}
        assert rule == {"ServerSideEncryptionByDefault": by_default, "BucketKeyEnabled": True}
    assert given.properties("Table")["SSESpecification"] == {
        "SSEEnabled": True,
        "SSEType": "KMS",
        "KMSMasterKeyId": KEY,
    }
    assert given.properties("Secret")["KmsKeyId"] == KEY
    for queue in given.of_type("AWS::SQS::Queue").values():
        assert queue["SqsManagedSseEnabled"], "S3 and EventBridge cannot send to a queue under another key"
        assert "KmsMasterKeyId" not in queue


def test_no_key_that_is_given_leaves_the_services_their_own(template: Template) -> None:
    assert "SSESpecification" not in template.properties("Table")
    assert "KmsKeyId" not in template.properties("Secret")


@pytest.mark.parametrize("name", BUCKETS)
def test_a_bucket_is_reached_over_tls_only(template: Template, name: str) -> None:
    policy = template.properties(f"{name}Policy")
    bucket = template.properties(name)["BucketName"]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert policy["Bucket"] == bucket
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
    assert statement["Resource"] == [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    assert statement["Condition"] == TLS_ONLY


@pytest.mark.parametrize("name", BUCKETS)
def test_an_upload_that_nobody_finishes_does_not_cost_for_ever(template: Template, name: str) -> None:
    rules = template.properties(name)["LifecycleConfiguration"]["Rules"]
    assert [rule for rule in rules if "AbortIncompleteMultipartUpload" in rule and rule["Status"] == "Enabled"]


def test_nothing_is_removed_that_a_job_may_still_need(template: Template) -> None:
    """Twice ``MaxJobHours``, for planning and for running, and as long again as answers are waited for."""
    hours = template.document["Parameters"]["MaxJobHours"]["MaxValue"]
    longest = 2 * dt.timedelta(hours=hours) + giving_up.WITHHELD
    (rule,) = template.properties("WorkBucket")["LifecycleConfiguration"]["Rules"]
    assert longest < dt.timedelta(days=rule["ExpirationInDays"])
    assert longest < dt.timedelta(seconds=limits.UPLOAD_SECONDS_TO_LIVE)


def test_what_users_own_is_versioned_and_outlives_the_stack(template: Template) -> None:
    for name in ("InputBucket", "OutputBucket"):
        assert template.properties(name)["VersioningConfiguration"] == {"Status": "Enabled"}
    for name in ("InputBucket", "InputBucketPolicy", "OutputBucket", "OutputBucketPolicy", "Table"):
        resource = template.document["Resources"][name]
        assert resource["DeletionPolicy"] == "RetainExceptOnCreate"
        assert resource["UpdateReplacePolicy"] == "Retain"


def test_every_new_object_is_notified_whatever_its_name(template: Template) -> None:
    (notified,) = template.properties("InputBucket")["NotificationConfiguration"]["QueueConfigurations"]
    assert notified["Event"] == "s3:ObjectCreated:*"
    assert notified["Queue"].endswith(":drops-plan")
    assert "Filter" not in notified


def test_the_table_is_recoverable_and_expires_what_it_is_told_to(template: Template) -> None:
    table = template.properties("Table")
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires", "Enabled": True}
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


def test_the_table_has_the_keys_that_its_readers_use(template: Template) -> None:
    table = template.properties("Table")
    keys = {None: table["KeySchema"]} | {one["IndexName"]: one["KeySchema"] for one in table["GlobalSecondaryIndexes"]}
    assert {name: [key["AttributeName"] for key in schema] for name, schema in keys.items()} == {
        None: ["job_id", "item"],
        "due": ["due", "next_check_at"],
        "jobs": ["month", "created_at"],
    }
    assert {one["AttributeType"] for one in table["AttributeDefinitions"]} == {"S"}


def test_every_queue_is_encrypted_and_reached_over_tls_only(template: Template) -> None:
    queues = template.of_type("AWS::SQS::Queue")
    assert all(queue["SqsManagedSseEnabled"] for queue in queues.values())
    tls_only = {
        queue.rsplit("/", 1)[-1]
        for policy in template.of_type("AWS::SQS::QueuePolicy").values()
        for statement in policy["PolicyDocument"]["Statement"]
        for queue in listed(policy["Queues"])
        if statement["Effect"] == "Deny" and statement["Principal"] == "*" and statement["Condition"] == TLS_ONLY
    }
    assert tls_only == {queue["QueueName"] for queue in queues.values()}


def test_no_queue_has_two_policies(template: Template) -> None:
    policies = template.of_type("AWS::SQS::QueuePolicy").values()
    queues = [queue for policy in policies for queue in listed(policy["Queues"])]
    assert len(queues) == len(set(queues)) == 6


@pytest.mark.parametrize("name", ["Plan", "Submit", "Collect"])
def test_a_message_that_fails_five_times_lies_in_a_dead_letter_queue_for_a_fortnight(
    template: Template, name: str
) -> None:
    redrive = template.properties(f"{name}Queue")["RedrivePolicy"]
    dead = template.properties(f"{name}DeadLetters")
    assert redrive["maxReceiveCount"] == 5
    assert redrive["deadLetterTargetArn"].endswith(f":{dead['QueueName']}")
    assert dead["MessageRetentionPeriod"] == 14 * 86_400
    assert "RedrivePolicy" not in dead


def test_the_secret_is_made_empty(template: Template) -> None:
    (secret,) = template.of_type("AWS::SecretsManager::Secret").values()
    assert secret["SecretString"] == '{"api_key": ""}'
