"""What is kept of the provider's words."""

from __future__ import annotations

import pytest

from batchdrop.core import allowance, discretion, retrying
from batchdrop.ports import LineError

LIMIT = (
    "Enqueued token limit reached for gpt-4o-mini in organization org-X. Limit: 2,000,000 enqueued tokens. "
    "Please try again once some in_progress batches have been completed."
)
SECRET = "the patient is Jane Roe"  # pragma: allowlist secret - a prompt


@pytest.mark.parametrize(
    "message",
    [
        LIMIT,
        "Billing hard limit has been reached.",
        "You exceeded your current quota, please check your plan and billing details.",
        "The server had an error while processing your request. Sorry about that!",
        "Invalid value: '1h'. Supported values are: '24h'.",
        "Invalid value: '30d'. Supported values are: '1h', '24h', and '7d'.",
    ],
)
def test_sentences_that_are_known_are_kept(message: str) -> None:
    assert discretion.kept(message) == message


@pytest.mark.parametrize(
    "message",
    [
        f"Invalid value: '{SECRET}'. Supported values are: 'system', 'user'.",
        f'Could not parse {{"content": "{SECRET}"}}',
        "Incorrect API key provided: sk-abc***xyz. You can find your API key at https://platform.openai.com.",
        SECRET,
        "",
    ],
)
def test_what_may_quote_the_request_or_the_key_is_not(message: str) -> None:
    assert discretion.kept(message) == discretion.NOT_KEPT


def test_what_is_said_beside_a_known_sentence_is_left_out() -> None:
    said = discretion.kept(f"{SECRET}. {LIMIT} {SECRET}!")
    assert said == LIMIT
    assert allowance.named(said) == allowance.Named(tokens=2_000_000)


@pytest.mark.parametrize("value", ["token_limit_exceeded", "invalid_request_error", "in_progress"])
def test_a_code_is_a_word(value: str) -> None:
    assert discretion.word(value) == value


@pytest.mark.parametrize("value", [SECRET, "", "1\n", None, 7, ["a"]])
def test_anything_else_is_no_code(value: object) -> None:
    assert discretion.word(value) == ""


@pytest.mark.parametrize("code", ["billing_hard_limit_reached", "server_error"])
def test_what_a_refused_batch_waits_for_is_said_without_quotes(code: str) -> None:
    verdict = retrying.judge([LineError(code, f"No: {SECRET}")], requests=3, halvings=0, refusals=0)
    assert isinstance(verdict, retrying.Block | retrying.Wait)
    assert verdict.reason == f"{code}: {discretion.NOT_KEPT}"


@pytest.mark.parametrize("value", ["model", "metadata.tags", "messages[0].content", "body.input"])
def test_what_an_error_is_about_is_a_parameters_name(value: str) -> None:
    assert discretion.parameter(value) == value


@pytest.mark.parametrize("value", [SECRET, "sk-proj-1", "Jane", "canary-7", "a" * 41, "", None, 7])
def test_anything_else_is_no_parameter(value: object) -> None:
    assert discretion.parameter(value) == ""


@pytest.mark.parametrize("value", ["req_0a1B2c", "0b1c2d3e-0a1b-0a1b-0a1b-0a1b2c3d4e5f"])
def test_a_request_is_known_by_its_id(value: str) -> None:
    assert discretion.request_id(value) == value


@pytest.mark.parametrize("value", [SECRET, "sk-proj-1", "req_", "req_a b", None])
def test_anything_else_is_no_id(value: object) -> None:
    assert discretion.request_id(value) == ""
