"""Who may do what. The lists are the whole of it: a permission that is added must be added here, and seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.template.reading import STACK, listed, wildcards

if TYPE_CHECKING:
    from tests.template.reading import Template

INPUT, OUTPUT, WORK = (f"arn:aws:s3:::{STACK}-{name}-123456789012" for name in ("input", "output", "work"))
PLAN, SUBMIT, COLLECT = (
    f"arn:aws:sqs:eu-central-1:123456789012:{STACK}-{name}" for name in ("plan", "submit", "collect")
)
POLLER = f"arn:aws:lambda:eu-central-1:123456789012:function:{STACK}-poller"
BUS = "arn:aws:events:eu-central-1:123456789012:event-bus/default"
TABLE, SECRET = "arn:of:Table.Arn", "arn:of:Secret.Id"

CONSUME = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}
LEDGER = {"dynamodb:" + name for name in ("GetItem", "PutItem", "Query", "UpdateItem")}
LOG = {"logs:CreateLogStream", "logs:PutLogEvents"}
READ_VERSIONS = {"s3:GetObject", "s3:GetObjectVersion"}
STATUS = {"s3:GetObject", "s3:PutObject"}
WRITE = {"s3:" + name for name in ("AbortMultipartUpload", "DeleteObject", "GetObject", "PutObject")}
KEY = {"secretsmanager:GetSecretValue"}

ALLOWED = {
    "Submitter": {
        "arn:of:SubmitterLogs.Arn": LOG,
        PLAN: CONSUME,
        SUBMIT: CONSUME,
        INPUT: {"s3:ListBucket"},
        f"{INPUT}/*": READ_VERSIONS,
        OUTPUT: {"s3:ListBucket"},
        f"{OUTPUT}/*.status.json": STATUS,
        WORK: {"s3:ListBucket"},
        f"{WORK}/*": {"s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"},
        TABLE: LEDGER | {"dynamodb:ConditionCheckItem"},
        f"{TABLE}/index/due": {"dynamodb:Query"},
        SECRET: KEY,
        POLLER: {"lambda:InvokeFunction"},
        BUS: {"events:PutEvents"},
    },
    "Poller": {
        "arn:of:PollerLogs.Arn": LOG,
        PLAN: {"sqs:SendMessage"},
        SUBMIT: {"sqs:SendMessage"},
        COLLECT: {"sqs:SendMessage"},
        INPUT: {"s3:ListBucketVersions"},
        OUTPUT: {"s3:ListBucket"},
        f"{OUTPUT}/*.status.json": STATUS,
        TABLE: LEDGER | {"dynamodb:ConditionCheckItem"},
        f"{TABLE}/index/due": {"dynamodb:Query"},
        SECRET: KEY,
    },
    "Collector": {
        "arn:of:CollectorLogs.Arn": LOG,
        COLLECT: CONSUME,
        INPUT: {"s3:ListBucket"},
        f"{INPUT}/*": {"s3:GetObjectVersion"},
        OUTPUT: {"s3:ListBucket", "s3:ListBucketVersions"},
        f"{OUTPUT}/*": WRITE | {"s3:ListMultipartUploadParts"},
        f"{OUTPUT}/*.parts/*": {"s3:DeleteObjectVersion"},
        WORK: {"s3:ListBucket", "s3:ListBucketVersions"},
        f"{WORK}/*": WRITE | {"s3:DeleteObjectVersion"},
        TABLE: LEDGER,
        SECRET: KEY,
        POLLER: {"lambda:InvokeFunction"},
        BUS: {"events:PutEvents"},
    },
}


@pytest.mark.parametrize("name", ALLOWED)
def test_a_function_may_do_this_and_nothing_else(template: Template, name: str) -> None:
    found: dict[str, set[str]] = {}
    for statement in template.statements(f"{name}Role"):
        assert statement["Effect"] == "Allow"
        for resource in listed(statement["Resource"]):
            found.setdefault(resource, set()).update(listed(statement["Action"]))
    assert found == ALLOWED[name]


@pytest.mark.parametrize("name", ALLOWED)
def test_a_function_has_a_role_of_its_own_without_managed_policies(template: Template, name: str) -> None:
    assert template.properties(name)["Role"] == f"arn:of:{name}Role.Arn"
    role = template.properties(f"{name}Role")
    assert "ManagedPolicyArns" not in role
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert (trust["Principal"], trust["Action"]) == ({"Service": "lambda.amazonaws.com"}, "sts:AssumeRole")


def test_no_role_holds_a_wildcard(template: Template) -> None:
    for name in template.of_type("AWS::IAM::Role"):
        assert [found for statement in template.statements(name) for found in wildcards(statement)] == []


def test_the_schedule_may_invoke_the_poller_and_nothing_else(template: Template) -> None:
    (statement,) = template.statements("TickRole")
    assert (statement["Action"], statement["Resource"]) == ("lambda:InvokeFunction", "arn:of:Poller.Arn")
    (schedule,) = template.of_type("AWS::Scheduler::Schedule").values()
    assert schedule["Target"]["RoleArn"] == "arn:of:TickRole.Arn"
    assert set(template.of_type("AWS::IAM::Role")) == {"TickRole", *(f"{name}Role" for name in ALLOWED)}


def test_the_role_of_the_schedule_is_for_schedules_of_this_account(template: Template) -> None:
    (trust,) = template.properties("TickRole")["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
    group = "arn:aws:scheduler:eu-central-1:123456789012:schedule-group/default"
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012", "aws:SourceArn": group}}


@pytest.mark.parametrize("name", ALLOWED)
def test_no_function_sends_to_a_queue_that_it_consumes(template: Template, name: str) -> None:
    by_action: dict[str, set[str]] = {}
    for statement in template.statements(f"{name}Role"):
        for action in listed(statement["Action"]):
            by_action.setdefault(action, set()).update(listed(statement["Resource"]))
    assert not by_action.get("sqs:SendMessage", set()) & by_action.get("sqs:ReceiveMessage", set())


def test_events_are_sent_under_our_own_name_only(template: Template) -> None:
    for name in ("Submitter", "Collector"):
        (statement,) = (one for one in template.statements(f"{name}Role") if one["Action"] == "events:PutEvents")
        assert statement["Condition"] == {"StringEqualsIfExists": {"events:source": "batchdrop"}}


def test_only_the_input_bucket_may_send_to_the_plan_queue_and_nobody_to_the_others(template: Template) -> None:
    allows = [
        (policy["Queues"], statement)
        for policy in template.of_type("AWS::SQS::QueuePolicy").values()
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
    ]
    ((queues, statement),) = allows
    assert [queue.rsplit("/", 1)[-1] for queue in queues] == [f"{STACK}-plan"]
    assert statement["Principal"] == {"Service": "s3.amazonaws.com"}
    assert statement["Action"] == "sqs:SendMessage"
    assert statement["Condition"] == {
        "ArnEquals": {"aws:SourceArn": INPUT},
        "StringEquals": {"aws:SourceAccount": "123456789012"},
    }


def test_the_input_bucket_waits_for_the_policy_and_is_named_in_it_without_a_reference(template: Template) -> None:
    assert template.document["Resources"]["InputBucket"]["DependsOn"] == "PlanQueuePolicy"
    assert '"InputBucket"' not in repr(template.document["Resources"]["PlanQueuePolicy"]).replace("'", '"')
