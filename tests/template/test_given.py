"""What changes where buckets and a KMS key are given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from batchdrop.core import limits, options
from batchdrop.core.options import Options
from batchdrop.settings import Settings
from tests.template.conftest import GIVEN
from tests.template.reading import Template, listed
from tests.template.test_access import ALLOWED, INPUT, OUTPUT

if TYPE_CHECKING:
    from collections.abc import Mapping

GIVEN_INPUT, GIVEN_OUTPUT = (f"arn:aws:s3:::{GIVEN[f'Existing{name}Bucket']}" for name in ("Input", "Output"))


def allowed(template: Template, name: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for statement in template.statements(f"{name}Role"):
        for resource in listed(statement["Resource"]):
            found.setdefault(resource, set()).update(listed(statement["Action"]))
    return found


@pytest.mark.parametrize("name", ALLOWED)
def test_given_buckets_take_the_place_of_ours_in_every_role(template: Template, name: str) -> None:
    buckets = {one: GIVEN[one] for one in ("ExistingInputBucket", "ExistingOutputBucket")}
    expected = {
        arn.replace(INPUT, GIVEN_INPUT).replace(OUTPUT, GIVEN_OUTPUT): acts for arn, acts in ALLOWED[name].items()
    }
    assert allowed(Template(template.document, buckets), name) == expected


@pytest.mark.parametrize("name", ALLOWED)
def test_a_given_key_may_be_used_through_the_services_that_hold_our_data(template: Template, name: str) -> None:
    given = Template(template.document, {"KmsKeyArn": GIVEN["KmsKeyArn"]})
    (statement,) = (one for one in given.statements(f"{name}Role") if one["Sid"] == "EncryptionKey")
    assert (statement["Action"], statement["Resource"]) == (["kms:Decrypt", "kms:GenerateDataKey"], GIVEN["KmsKeyArn"])
    through = statement["Condition"]["StringEquals"]["kms:ViaService"]
    assert [one.split(".")[0] for one in through] == ["s3", "dynamodb", "secretsmanager"]
    assert allowed(given, name) == ALLOWED[name] | {GIVEN["KmsKeyArn"]: {"kms:Decrypt", "kms:GenerateDataKey"}}


def test_a_given_bucket_is_not_made(template_with_all: Template) -> None:
    assert set(template_with_all.of_type("AWS::S3::Bucket")) == {"WorkBucket"}
    assert set(template_with_all.of_type("AWS::S3::BucketPolicy")) == {"WorkBucketPolicy"}
    outputs = template_with_all.resolve(template_with_all.document["Outputs"])
    named = {name: outputs[f"{name}BucketName"]["Value"] for name in ("Input", "Output")}
    assert named == {"Input": "our-drops", "Output": "our-answers"}


@pytest.mark.parametrize("name", ALLOWED)
def test_a_given_bucket_is_told_to_the_functions(template_with_all: Template, name: str) -> None:
    settings = Settings.from_env(template_with_all.properties(name)["Environment"]["Variables"])
    assert (settings.input_bucket, settings.output_bucket) == ("our-drops", "our-answers")


def test_events_of_a_given_bucket_come_through_eventbridge_and_from_nowhere_else(template_with_all: Template) -> None:
    (rule,) = template_with_all.of_type("AWS::Events::Rule").values()
    assert rule["EventPattern"] == {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "account": ["123456789012"],
        "detail": {"bucket": {"name": ["our-drops"]}},
    }
    queue = "arn:aws:sqs:eu-central-1:123456789012:drops-plan"
    assert rule["Targets"] == [{"Id": "plan", "Arn": queue}]
    (statement,) = (one for one in plan_queue_policy(template_with_all) if one["Effect"] == "Allow")
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert (statement["Action"], statement["Resource"]) == ("sqs:SendMessage", queue)
    assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": "arn:of:ExistingInputRule.Arn"}}


def test_there_is_no_rule_for_a_bucket_of_ours(template: Template) -> None:
    assert template.of_type("AWS::Events::Rule") == {}


def test_one_bucket_for_both_is_refused_before_anything_is_made(template: Template) -> None:
    """A cycle: results would be run."""
    assert refused(template, ExistingInputBucket="one", ExistingOutputBucket="one")
    assert not refused(template, ExistingInputBucket="one", ExistingOutputBucket="two")
    assert not refused(template, ExistingInputBucket="one")
    assert not refused(template)


@pytest.mark.parametrize("window", [*limits.COMPLETION_WINDOWS, "1h", "12h", "48h", "1d", "7d"])
def test_a_completion_window_that_openai_does_not_take_is_refused_before_anything_is_made(
    template: Template, window: str
) -> None:
    assert refused(template, CompletionWindow=window) is (window not in limits.COMPLETION_WINDOWS)
    assert not refused(template, CompletionWindow=window, OpenAIBaseUrl="https://api.novita.ai/openai/v1")


def test_the_rule_on_completion_windows_is_for_a_provider_whose_windows_the_functions_know(template: Template) -> None:
    url = template.document["Parameters"]["OpenAIBaseUrl"]["Default"]
    assert options.windows(urlsplit(url).hostname or "") == limits.COMPLETION_WINDOWS
    assert template.document["Parameters"]["CompletionWindow"]["Default"] == Options().completion_window


def refused(template: Template, **parameters: str) -> bool:
    """Whether a rule of the template is broken."""
    given = Template(template.document, parameters)
    rules = [rule for rule in template.document["Rules"].values() if given.judge(rule["RuleCondition"])]
    return not all(given.judge(one["Assert"]) for rule in rules for one in rule["Assertions"])


def plan_queue_policy(template: Template) -> list[Mapping[str, Any]]:
    statements: list[Mapping[str, Any]] = template.properties("PlanQueuePolicy")["PolicyDocument"]["Statement"]
    return statements
