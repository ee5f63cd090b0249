"""No error of ours carries what the provider says: it may quote the request or the key."""

from __future__ import annotations

import traceback

import pytest

from batchdrop.adapters.openai_errors import Refusal, translate
from batchdrop.core.errors import BatchdropError

ECHO = "the patient is Jane Roe"
CODES = ("", "odd_code", "insufficient_quota", "token_limit_exceeded", "request_limit_exceeded", "unknown_url")
MESSAGES = (ECHO, f"Enqueued token limit: {ECHO}", f"token_limit_exceeded {ECHO}", f"cannot find file {ECHO}")


@pytest.mark.parametrize("creating", [True, False])
def test_an_error_says_what_kind_it_is_and_quotes_nothing(creating: bool) -> None:
    for status in (300, 307, *range(400, 430), *range(500, 530)):
        for code in CODES:
            for message in MESSAGES:
                for readable in (True, False):
                    refusal = Refusal(status, code, message, readable=readable, creating=creating)
                    assert ECHO not in told(translate(refusal))


def told(error: BatchdropError) -> str:
    return "".join(traceback.format_exception(error)) + repr(vars(error)) + repr(error.args)
