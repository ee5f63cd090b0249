"""A clean environment for every test, and S3 as moto has it."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
import botocore.session
import hypothesis
import pytest
from moto import mock_aws

from tests import moto_dynamodb, moto_s3
from tests.fakes import FakeClock

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

pytest_plugins = ["tests.simulation.plugin"]

# Before any test module is imported: nobody's credentials, proxies or settings reach a test.
for name in list(os.environ):
    if name.upper().startswith(("AWS_", "OPENAI_", "POWERTOOLS_")) or name.upper().endswith("_PROXY"):
        del os.environ[name]
os.environ |= {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}

# moto begins a session anew for each test, and each would read the services' descriptions anew: half of such a test.
botocore.session.create_loader = functools.cache(botocore.session.create_loader)
moto_dynamodb.mend()
# A busy machine is no error.
hypothesis.settings.register_profile("batchdrop", hypothesis.settings(deadline=None))
hypothesis.settings.load_profile("batchdrop")


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """``no_cover`` in xdist's workers too: what pytest-cov stops there is not all that counts, and doubles the time."""
    counter = sys.gettrace() if hasattr(item.config, "workerinput") else None
    if counter is None or item.get_closest_marker("no_cover") is None:
        return (yield)
    sys.settrace(None)
    try:
        return (yield)
    finally:
        sys.settrace(counter)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def s3() -> Iterator[S3Client]:
    """The stack's three buckets, as the template makes them."""
    with mock_aws():
        client = _client()
        for bucket in ("input", "output", "work"):
            client.create_bucket(Bucket=bucket)
        for bucket in ("input", "output"):
            client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        yield client


@functools.cache
def _client() -> S3Client:
    # A quarter of a second each; what it is asked reaches the mock that is in force.
    client: S3Client = boto3.client("s3")
    moto_s3.mend(client)
    return client
