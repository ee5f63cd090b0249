"""What each function is given: variables, time, memory, messages."""

from __future__ import annotations

import ast
import json
from typing import Any

import boto3
import pytest

from batchdrop.bootstrap import Aws
from batchdrop.settings import Settings
from local.cloud.place import ROOT
from tests.template.reading import REGION, STACK, Template

NAMES = ("Submitter", "Poller", "Collector")
POWERTOOLS = {"POWERTOOLS_SERVICE_NAME", "POWERTOOLS_LOG_LEVEL"}


def mappings(template: Template) -> list[dict[str, Any]]:
    return list(template.of_type("AWS::Lambda::EventSourceMapping").values())


def queue_named(template: Template, arn: str) -> dict[str, Any]:
    name = arn.rsplit(":", 1)[-1]
    (found,) = (queue for queue in template.of_type("AWS::SQS::Queue").values() if queue["QueueName"] == name)
    return found


def test_there_are_three_functions(template: Template) -> None:
    assert set(template.of_type("AWS::Lambda::Function")) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_variables_set_are_the_variables_read(template: Template, name: str) -> None:
    variables = template.properties(name)["Environment"]["Variables"]
    assert variables.keys() - POWERTOOLS == {field.upper() for field in Settings.__struct_fields__}
    assert variables.keys() >= POWERTOOLS


def test_all_tries_of_a_call_that_is_not_answered_fit_into_each_function(
    template: Template, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: dict[str, Any] = {}
    client: Any = boto3.client

    def noting(service: str, config: Any) -> Any:
        made[service] = config
        return client(service, config=config)

    monkeypatch.setattr(boto3, "client", noting)
    variables = template.properties("Poller")["Environment"]["Variables"]
    ports = Aws(Settings.from_env({name: str(value) for name, value in variables.items()}))
    assert all((ports.ledger, ports.objects, ports.api, ports.messages))
    assert made.keys() == {"dynamodb", "s3", "secretsmanager", "sqs", "lambda", "events"}
    shortest = min(template.properties(name)["Timeout"] for name in NAMES)
    for service in made.keys() - {"s3"}:
        waits = made[service]
        assert waits.retries["total_max_attempts"] * (waits.connect_timeout + waits.read_timeout) <= shortest / 2


def test_the_largest_variables_are_no_more_than_lambda_takes(template: Template) -> None:
    """4 KB in all, of a stack whose name and whose region's are as long as they come; only AWS would tell."""
    long = {
        "EnqueuedTokenLimits": "x" * template.document["Parameters"]["EnqueuedTokenLimits"]["MaxLength"],
        "OpenAIApiKeySecretArn": f"arn:aws-us-gov:secretsmanager:ap-southeast-2:123456789012:secret:{'x' * 128}",
        "OpenAIBaseUrl": f"https://{'x' * 128}",
    }
    grown = Template(template.document, long).properties("Submitter")["Environment"]["Variables"]
    written = json.dumps(grown).replace(f"{STACK}-", "x" * 41).replace(REGION, "ap-southeast-2")
    assert len(written) <= 4_096


@pytest.mark.parametrize("name", NAMES)
def test_the_defaults_are_settings_that_the_functions_take(template: Template, name: str) -> None:
    settings = Settings.from_env(template.properties(name)["Environment"]["Variables"])
    assert settings.input_bucket == "drops-input-123456789012"
    assert settings.openai_base_url == "https://api.openai.com/v1"
    assert settings.openai_secret_arn == "arn:of:Secret.Id"
    assert settings.poller_function == template.properties("Poller")["FunctionName"]
    assert settings.max_requests_per_batch == 50_000
    assert settings.max_attempts == 3
    assert settings.settle_seconds == 1800
    assert not settings.keep_openai_files


def test_a_secret_that_is_given_is_used_and_none_is_made(template_with_all: Template) -> None:
    given = template_with_all.parameters["OpenAIApiKeySecretArn"]
    assert template_with_all.of_type("AWS::SecretsManager::Secret") == {}
    for name in NAMES:
        assert template_with_all.properties(name)["Environment"]["Variables"]["OPENAI_SECRET_ARN"] == given
        allowed = [one for one in template_with_all.statements(f"{name}Role") if one["Sid"] == "ApiKey"]
        assert [one["Resource"] for one in allowed] == [given]


def test_no_variable_holds_a_key(template: Template) -> None:
    for name in NAMES:
        variables = template.properties(name)["Environment"]["Variables"]
        assert not [variable for variable in variables if "KEY" in variable or "TOKEN" in variable]


@pytest.mark.parametrize("name", NAMES)
def test_the_handler_that_is_named_is_there(template: Template, name: str) -> None:
    module, function = template.properties(name)["Handler"].split(".")
    tree = ast.parse((ROOT / "functions" / f"{module}.py").read_text())
    assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("name", NAMES)
def test_functions_and_layer_are_built_for_one_runtime_and_architecture(template: Template, name: str) -> None:
    properties = template.properties(name)
    (layer,) = template.of_type("AWS::Lambda::LayerVersion").values()
    assert [properties["Runtime"]] == layer["CompatibleRuntimes"] == ["python3.13"]
    assert properties["Architectures"] == layer["CompatibleArchitectures"] == ["arm64"]
    assert len(properties["Layers"]) == 1


def test_a_message_is_not_seen_again_while_its_function_may_still_run(template: Template) -> None:
    functions = {one["FunctionName"]: one for one in template.of_type("AWS::Lambda::Function").values()}
    assert len(mappings(template)) == 3
    for mapping in mappings(template):
        queue = queue_named(template, mapping["EventSourceArn"])
        assert queue["VisibilityTimeout"] >= functions[mapping["FunctionName"]]["Timeout"] + 60


def test_messages_come_one_at_a_time_to_a_bounded_number_of_functions(template: Template) -> None:
    for mapping in mappings(template):
        assert mapping["BatchSize"] == 1
        assert mapping["ScalingConfig"]["MaximumConcurrency"] == "20"


def test_the_poller_has_its_turn_in_an_account_that_may_run_ten_functions_at_once(template: Template) -> None:
    """As new accounts may: what waits for a file or for OpenAI must not keep the poller from running."""
    least = template.document["Parameters"]["MaxConcurrency"]["MinValue"]
    given = Template(template.document, {"MaxConcurrency": str(least)})
    bounds = [int(mapping["ScalingConfig"]["MaximumConcurrency"]) for mapping in mappings(given)]
    assert len(bounds) == 3
    assert min(bounds) >= 2, "AWS takes no less"
    assert sum(bounds) < 10


def test_no_function_takes_concurrency_from_the_rest_of_the_account(template: Template) -> None:
    for properties in template.of_type("AWS::Lambda::Function").values():
        assert "ReservedConcurrentExecutions" not in properties


def test_a_tick_that_failed_or_is_late_is_left_to_the_next_one(template: Template) -> None:
    (config,) = template.of_type("AWS::Lambda::EventInvokeConfig").values()
    assert config["FunctionName"] == "drops-poller"
    assert (config["MaximumRetryAttempts"], config["MaximumEventAgeInSeconds"]) == (0, 60)


def test_the_schedule_has_no_name_that_a_second_stack_would_share(template: Template) -> None:
    (schedule,) = template.of_type("AWS::Scheduler::Schedule").values()
    assert "Name" not in schedule
    assert schedule["ScheduleExpression"] == "rate(1 minute)"
    assert schedule["Target"]["Arn"] == "arn:of:Poller.Arn"


@pytest.mark.parametrize("name", NAMES)
def test_logs_are_kept_for_a_while_and_not_for_ever(template: Template, name: str) -> None:
    logs = template.properties(f"{name}Logs")
    assert logs["LogGroupName"] == f"/aws/lambda/{template.properties(name)['FunctionName']}"
    assert logs["RetentionInDays"] == "30"
    assert template.document["Resources"][name]["Properties"]["LoggingConfig"] == {"LogGroup": {"Ref": f"{name}Logs"}}
