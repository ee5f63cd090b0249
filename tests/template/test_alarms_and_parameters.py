"""What an operator sees, and what a deployer can set."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, get_args

import pytest

from batchdrop import telemetry
from batchdrop.core import allowance, options
from batchdrop.settings import PriceProvider
from batchdrop.telemetry import NAMESPACE
from local.cloud.place import ROOT

if TYPE_CHECKING:
    from tests.template.reading import Template

DEFAULTS = {
    "OpenAIBaseUrl": "https://api.openai.com/v1",
    "OpenAIApiKeySecretArn": "",
    "KmsKeyArn": "",
    "ExistingInputBucket": "",
    "ExistingOutputBucket": "",
    "MaxRequestsPerBatch": 50000,
    "MaxBytesPerBatch": 200000000,
    "MaxAttempts": 3,
    "InvalidLines": "report",
    "CompletionWindow": "24h",
    "KeepOpenAIFiles": "false",
    "PollSchedule": "rate(1 minute)",
    "Architecture": "arm64",
    "MaxConcurrency": 20,
    "LogLevel": "INFO",
    "LogRetentionDays": 30,
    "SettleSeconds": 1800,
    "CreateLeaseSeconds": 90,
    "MaxJobHours": 72,
    "EnqueuedTokenLimits": "{}",
    "MaxCostUSD": "none",
    "PriceProvider": "",
    "AlarmTopicArn": "",
}


def test_an_alarm_on_a_count_of_ours_takes_none_for_well(template: Template) -> None:
    ours = [one for one in template.of_type("AWS::CloudWatch::Alarm").values() if one["Namespace"] == NAMESPACE]
    assert ours
    assert {one["TreatMissingData"] for one in ours} == {"notBreaching"}


def test_every_parameter_has_a_default_and_these_are_they(template: Template) -> None:
    assert {name: one["Default"] for name, one in template.document["Parameters"].items()} == DEFAULTS


@pytest.mark.parametrize(
    ("url", "taken"),
    [
        ("https://api.openai.com/v1", True),
        ("https://name.openai.azure.com/openai/v1", True),
        ("http://127.0.0.1:8080/v1", True),
        ("http://localhost/v1", True),
        ("http://[::1]:9/v1", True),
        ("http://api.openai.com/v1", False),
        ("http://127.0.0.1.example.org/v1", False),
        ("http://localhost@example.org/v1", False),
        ("https://", False),
        ("ftp://127.0.0.1/", False),
        ("https://example.org/v1?x=1", False),
    ],
)
def test_the_api_is_reached_over_tls_unless_it_is_on_loopback(template: Template, url: str, taken: bool) -> None:
    pattern = template.document["Parameters"]["OpenAIBaseUrl"]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, url)) is taken


@pytest.mark.parametrize(
    ("schedule", "taken"),
    [("rate(1 minute)", True), ("rate(15 minutes)", True), ("cron(0/5 * * * ? *)", True), ("rate(1 minutes)", False)],
)
def test_a_schedule_is_one_that_aws_takes(template: Template, schedule: str, taken: bool) -> None:
    pattern = template.document["Parameters"]["PollSchedule"]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, schedule)) is taken


@pytest.mark.parametrize("cap", ["none", "5", "12.50", "0.000001", "", "-1", "1e3", "$5", "1,000", "5.", "0.0000001"])
def test_a_cap_that_can_be_deployed_is_one_that_the_functions_take(template: Template, cap: str) -> None:
    pattern = template.document["Parameters"]["MaxCostUSD"]["AllowedPattern"]
    try:
        options.cap(cap)
    except ValueError:
        assert not re.fullmatch(pattern, cap)
    else:
        assert re.fullmatch(pattern, cap)


@pytest.mark.parametrize(
    "limits",
    [
        "{}",
        "{ }",
        '{"gpt-5-mini": 2000000}',
        '{ "gpt-5-mini":2000000 , "*": 90000 }',
        "",
        "{",
        "{gpt-5-mini:2000000,*:90000}",
        "{'gpt-5-mini': 2000000}",
        '{"gpt-5-mini": 2000000,}',
        '{"gpt-5-mini": "2000000"}',
        '{"gpt-5-mini": 2e6}',
        '{"gpt-5-mini": 0}',
        '{"": 1}',
    ],
)
def test_limits_that_can_be_deployed_are_those_that_the_functions_take(template: Template, limits: str) -> None:
    pattern = template.document["Parameters"]["EnqueuedTokenLimits"]["AllowedPattern"]
    try:
        allowance.configured(limits)
    except ValueError:
        assert not re.fullmatch(pattern, limits)
    else:
        assert bool(re.fullmatch(pattern, limits)) is bool(limits)


def test_a_provider_that_can_be_deployed_is_one_that_the_functions_take(template: Template) -> None:
    assert template.document["Parameters"]["PriceProvider"]["AllowedValues"] == list(get_args(PriceProvider))


@pytest.mark.parametrize("name", ["OpenAIApiKeySecretArn", "AlarmTopicArn"])
def test_an_arn_is_an_arn_or_nothing(template_with_all: Template, name: str) -> None:
    pattern = template_with_all.document["Parameters"][name]["AllowedPattern"]
    assert re.fullmatch(pattern, "")
    assert re.fullmatch(pattern, template_with_all.parameters[name])
    assert not re.fullmatch(pattern, "sk-not-an-arn")


def test_every_dead_letter_queue_has_an_alarm(template: Template) -> None:
    watched = {
        dimension["Value"]
        for alarm in template.of_type("AWS::CloudWatch::Alarm").values()
        for dimension in alarm["Dimensions"]
        if alarm["Namespace"] == "AWS/SQS" and alarm["MetricName"] == "ApproximateNumberOfMessagesVisible"
    }
    assert watched == {"drops-plan-dead", "drops-submit-dead", "drops-collect-dead"}


def test_a_poller_that_fails_or_does_not_run_raises_an_alarm(template: Template) -> None:
    found = {
        alarm["MetricName"]: (alarm["ComparisonOperator"], alarm["TreatMissingData"])
        for alarm in template.of_type("AWS::CloudWatch::Alarm").values()
        if alarm["Namespace"] == "AWS/Lambda" and alarm["Dimensions"][0]["Value"] == "drops-poller"
    }
    assert found == {
        "Errors": ("GreaterThanOrEqualToThreshold", "notBreaching"),
        "Invocations": ("LessThanThreshold", "breaching"),
    }


def test_alarms_watch_metrics_that_the_functions_send(template: Template) -> None:
    variables = template.properties("Poller")["Environment"]["Variables"]
    watched = set()
    for alarm in template.of_type("AWS::CloudWatch::Alarm").values():
        if alarm["Namespace"] == NAMESPACE:
            assert alarm["Dimensions"] == [{"Name": "service", "Value": variables["POWERTOOLS_SERVICE_NAME"]}]
            watched.add(alarm["MetricName"])
    metric = telemetry.Metric
    needed = {metric.BATCHES_BLOCKED, metric.UNKNOWN_BATCHES, metric.BATCHES_OVERDUE}
    assert needed | {metric.REQUESTS_QUARANTINED, metric.ITEMS_PARKED} <= watched
    assert watched <= set(telemetry.Metric)


def test_the_operator_is_told_what_to_do_about_every_alarm(template: Template) -> None:
    page = (ROOT / "docs/operations.md").read_text()
    table = page.split("## Alarms")[1].split("\n## ")[0]
    rows = [set(re.findall(r"\w+", line.split("|")[1])) for line in table.splitlines() if line.startswith("|")]
    for alarm in template.of_type("AWS::CloudWatch::Alarm"):
        words = {word.lower() for word in re.findall(r"[A-Z][a-z]+", alarm.removesuffix("Alarm"))}
        assert [row for row in rows if words <= row], alarm


def test_alarms_go_to_the_topic_that_is_given_and_to_none_by_default(
    template: Template, template_with_all: Template
) -> None:
    topic = template_with_all.parameters["AlarmTopicArn"]
    for name, alarm in template_with_all.of_type("AWS::CloudWatch::Alarm").items():
        assert alarm["AlarmActions"] == [topic], name
    for name, alarm in template.of_type("AWS::CloudWatch::Alarm").items():
        assert "AlarmActions" not in alarm, name


def test_outputs_name_what_users_need(template: Template) -> None:
    assert set(template.document["Outputs"]) == {
        "InputBucketName",
        "OutputBucketName",
        "WorkBucketName",
        "TableName",
        "SecretArn",
        "SubmitterFunctionName",
        "PollerFunctionName",
        "CollectorFunctionName",
        "PlanQueueUrl",
        "SubmitQueueUrl",
        "CollectQueueUrl",
        "PlanDeadLettersUrl",
        "SubmitDeadLettersUrl",
        "CollectDeadLettersUrl",
    }
