"""The key from Secrets Manager, as moto has it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from batchdrop.adapters.secrets import ApiKey
from batchdrop.core.errors import Misconfigured, RetryLater

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


@pytest.fixture
def client() -> Iterator[SecretsManagerClient]:
    with mock_aws():
        yield boto3.client("secretsmanager")


class Time:
    """Seconds since some moment."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def secret(client: SecretsManagerClient, value: str) -> str:
    return client.create_secret(Name="key", SecretString=value)["ARN"]


@pytest.mark.parametrize(
    "value", ["sk-1", " sk-1\n", '{"api_key": "sk-1"}', '{"other": 1, "api_key": " sk-1 "}', '"sk-1"']
)
def test_the_key_is_bare_or_in_json(client: SecretsManagerClient, value: str) -> None:
    assert ApiKey(client, secret(client, value)).current() == "sk-1"


@pytest.mark.parametrize(
    "value",
    [
        " ",
        '""',
        "{}",
        '{"api_key": ""}',
        '{"api_key": null}',
        '{"api_key": 7}',
        '{"API_KEY": "sk-1"}',
        '{"api_key": "sk-1"',
        "CHANGE_ME",
        "<your-api-key>",
        "two words",
        "sk-1\nsk-2",
        "sk-\u00e4",
    ],
)
def test_what_is_no_key_is_for_the_operator(client: SecretsManagerClient, value: str) -> None:
    arn = secret(client, value)
    with pytest.raises(Misconfigured) as caught:
        ApiKey(client, arn).current()
    assert caught.value.code == "missing_secret"
    assert arn in caught.value.reason
    assert "put-secret-value" in caught.value.reason
    assert "sk-" not in caught.value.reason


def test_a_secret_that_is_not_there_is_for_the_operator(client: SecretsManagerClient) -> None:
    with pytest.raises(Misconfigured) as caught:
        ApiKey(client, "arn:aws:secretsmanager:us-east-1:123456789012:secret:none").current()
    assert caught.value.code == "missing_secret"


def test_a_binary_secret_is_for_the_operator(client: SecretsManagerClient) -> None:
    arn = client.create_secret(Name="key", SecretBinary=b"sk-1")["ARN"]
    with pytest.raises(Misconfigured):
        ApiKey(client, arn).current()


def test_a_secret_that_may_not_be_read_is_for_the_operator_and_a_busy_manager_for_later(
    client: SecretsManagerClient,
) -> None:
    with Stubber(client) as stub:
        stub.add_client_error("get_secret_value", "AccessDeniedException", http_status_code=400)
        stub.add_client_error("get_secret_value", "ThrottlingException", http_status_code=400)
        with pytest.raises(Misconfigured) as caught:
            ApiKey(client, "arn").current()
        assert caught.value.code == "access_denied"
        with pytest.raises(RetryLater):
            ApiKey(client, "arn").current()


def test_the_key_is_read_once_until_its_time_is_over(client: SecretsManagerClient) -> None:
    time = Time()
    key = ApiKey(client, secret(client, "sk-1"), ttl=300, monotonic=time)
    assert key.current() == "sk-1"
    client.put_secret_value(SecretId="key", SecretString="sk-2")
    time.now = 299
    assert key.current() == "sk-1"
    time.now = 300
    assert key.current() == "sk-2"


def test_every_value_of_the_secret_is_another_version(client: SecretsManagerClient) -> None:
    key = ApiKey(client, secret(client, "sk-1"), monotonic=Time())
    first = key.version()
    assert first == client.describe_secret(SecretId="key")["VersionIdsToStages"].popitem()[0]
    client.put_secret_value(SecretId="key", SecretString="sk-2")
    assert key.version() == first, "the version of the key that is used"
    assert key.renewed()
    assert key.version() != first


def test_a_refused_key_is_read_again_at_once(client: SecretsManagerClient) -> None:
    key = ApiKey(client, secret(client, "sk-1"), monotonic=Time())
    assert key.current() == "sk-1"
    assert not key.renewed()
    client.put_secret_value(SecretId="key", SecretString="sk-2")
    assert key.renewed()
    assert key.current() == "sk-2"
