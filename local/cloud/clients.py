"""AWS clients to the local cloud, as its root: nothing is forbidden to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from local.cloud.emulator import KEY, KEY_ID

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient


@dataclass(frozen=True, slots=True)
class Clients:
    """One client for each service that the stack uses. Thread-safe, as boto3's clients are."""

    cloudformation: CloudFormationClient
    dynamodb: DynamoDBClient
    events: EventBridgeClient
    functions: LambdaClient
    logs: CloudWatchLogsClient
    s3: S3Client
    secrets: SecretsManagerClient
    sqs: SQSClient


def connect(endpoint_url: str, region: str) -> Clients:
    """Make the clients; sends nothing."""
    session = boto3.Session(aws_access_key_id=KEY_ID, aws_secret_access_key=KEY, region_name=region)
    # A synchronous invoke answers when the function is done: longer than botocore waits by default.
    config = Config(s3={"addressing_style": "path"}, retries={"mode": "standard"}, read_timeout=960, proxies={})
    return Clients(
        cloudformation=session.client("cloudformation", endpoint_url=endpoint_url, config=config),
        dynamodb=session.client("dynamodb", endpoint_url=endpoint_url, config=config),
        events=session.client("events", endpoint_url=endpoint_url, config=config),
        functions=session.client("lambda", endpoint_url=endpoint_url, config=config),
        logs=session.client("logs", endpoint_url=endpoint_url, config=config),
        s3=session.client("s3", endpoint_url=endpoint_url, config=config),
        secrets=session.client("secretsmanager", endpoint_url=endpoint_url, config=config),
        sqs=session.client("sqs", endpoint_url=endpoint_url, config=config),
    )
