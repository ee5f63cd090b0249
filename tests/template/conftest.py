"""The transformed template, with defaults and with everything given."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.template.reading import Template, transformed

HERE = Path(__file__).parent
GIVEN = {
    "OpenAIApiKeySecretArn": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:openai-a1b2c3",
    "KmsKeyArn": "arn:aws:kms:eu-central-1:123456789012:key/0b1c2d3e",
    "ExistingInputBucket": "our-drops",
    "ExistingOutputBucket": "our-answers",
    "AlarmTopicArn": "arn:aws:sns:eu-central-1:123456789012:alarms",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.template)


@pytest.fixture(scope="session")
def template() -> Template:
    """With the parameters' defaults."""
    return Template(transformed(), {})


@pytest.fixture(scope="session")
def template_with_all() -> Template:
    """With the optional parameters given."""
    return Template(transformed(), GIVEN)
