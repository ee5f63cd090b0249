"""The environment, checked once."""

from __future__ import annotations

from decimal import Decimal

import pytest

from batchdrop.core.errors import Misconfigured
from batchdrop.core.options import InvalidLines, Options
from batchdrop.settings import Settings

ENV = {
    "ACCOUNT_ID": "123456789012",
    "TABLE_NAME": "table",
    "INPUT_BUCKET": "in",
    "OUTPUT_BUCKET": "out",
    "WORK_BUCKET": "work",
    "PLAN_QUEUE_URL": "plan",
    "SUBMIT_QUEUE_URL": "submit",
    "COLLECT_QUEUE_URL": "collect",
    "POLLER_FUNCTION": "poller",
    "OPENAI_BASE_URL": "https://api.openai.com/v1",
    "OPENAI_SECRET_ARN": "arn",
    "MAX_REQUESTS_PER_BATCH": "50000",
    "MAX_BYTES_PER_BATCH": "200000000",
    "MAX_ATTEMPTS": "3",
    "INVALID_LINES": "reject",
    "COMPLETION_WINDOW": "24h",
    "KEEP_OPENAI_FILES": "false",
    "SETTLE_SECONDS": "1800",
    "CREATE_LEASE_SECONDS": "90",
    "MAX_JOB_HOURS": "72",
    "ENQUEUED_LIMITS": "{}",
    "SUBMIT_CONCURRENCY": "20",
    "MAX_COST_USD": "none",
    "PRICE_PROVIDER": "",
}


def test_the_environment_becomes_one_typed_object() -> None:
    settings = Settings.from_env(ENV)
    assert settings.max_requests_per_batch == 50_000
    assert settings.keep_openai_files is False
    assert settings.options == Options(invalid_lines=InvalidLines.REJECT, max_attempts=3, completion_window="24h")


@pytest.mark.parametrize("name", sorted(ENV))
def test_a_missing_variable_is_named(name: str) -> None:
    with pytest.raises(Misconfigured, match=name):
        Settings.from_env({key: value for key, value in ENV.items() if key != name})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_ATTEMPTS", "0"),
        ("MAX_ATTEMPTS", "many"),
        ("MAX_REQUESTS_PER_BATCH", "50001"),
        ("INVALID_LINES", "ignore"),
        ("MAX_JOB_HOURS", "0"),
        ("MAX_JOB_HOURS", "337"),
        ("MAX_COST_USD", ""),
        ("MAX_COST_USD", "ten"),
        ("PRICE_PROVIDER", "acme"),
        ("OPENAI_BASE_URL", "http://example.com/v1"),
        ("OPENAI_BASE_URL", "file:///etc/passwd"),
        ("COMPLETION_WINDOW", "48h"),
        ("OUTPUT_BUCKET", "in"),
        ("WORK_BUCKET", "in"),
        ("WORK_BUCKET", "out"),
    ],
)
def test_a_wrong_value_is_refused(name: str, value: str) -> None:
    with pytest.raises(Misconfigured):
        Settings.from_env(ENV | {name: value})


def test_a_cap_on_what_jobs_may_cost_is_an_option_of_each() -> None:
    assert Settings.from_env(ENV).options.max_cost_usd is None
    assert Settings.from_env(ENV | {"MAX_COST_USD": "2.5"}).options.max_cost_usd == Decimal("2.5")


def test_a_server_on_loopback_needs_no_tls() -> None:
    url = "http://127.0.0.1:8080/v1"
    assert Settings.from_env(ENV | {"OPENAI_BASE_URL": url}).openai_base_url == url
