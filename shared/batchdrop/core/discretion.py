"""What may be kept of the provider's words.

A message may quote the request ("Invalid value: '…'") or the key. Items of the table, and with them status, logs,
events and exceptions, get those sentences of it that are known, whose blanks are names and numbers. The whole of it
goes to the user alone, in the output objects.
"""

from __future__ import annotations

import re

NOT_KEPT = "[words that may quote the request are not kept here]"

_NAME = r"[\w./:-]{1,80}"
_AMOUNT = r"[\d,]{1,20}"
_TIME = r"\d{1,4}[mhd]"
#: As seen live, 2025 and 2026. What says how to go on is worth a line here; what names a value is not.
_KNOWN = re.compile(
    "|".join(
        (
            rf"Enqueued (?:token|request) limit reached for {_NAME}(?: in organization {_NAME})?\.",
            rf"Limit: {_AMOUNT} enqueued (?:tokens|requests)\.?",
            r"Please try again once some in_progress batches have been completed\.",
            r"Please try again later\.",
            rf"Rate limit reached for (?:requests|{_NAME})",
            r"Too many requests\.?",
            r"You exceeded your current quota, please check your plan and billing details\.",
            r"Billing hard limit has been reached\.?",
            r"Your account is not active, please check your billing details on our website\.",
            r"The server had an error while processing your request(?:\. Sorry about that!|\.)",
            r"You have insufficient permissions for this operation\.",
            r"Missing scopes: [a-z._, ]{1,80}\.",
            r"File is too large\.",
            rf"The batch input file is larger than the {_AMOUNT} maximum for the {_NAME} model",
            rf"Invalid value: '{_TIME}'\. Supported values are: '{_TIME}'(?:,? (?:and )?'{_TIME}')*\.",
            r"Invalid file format for Batch API\. Must be \.jsonl",
            r"(?:Cannot|Could not) find (?:the )?(?:input )?file",
            r"(?:Model|Messages) parameter is required\.",
            r"The batch failed\.",
        )
    )
)
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_WORD_CHARACTERS = 100
#: A name of the API's own: ``metadata.tags``, ``messages[0].content``.
_PARAMETER = re.compile(r"[a-z_]{1,40}(?:\.[a-z_]{1,40}|\[\d{1,6}\]){0,8}")
_REQUEST_ID = re.compile(r"req_[A-Za-z0-9]{1,64}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def kept(message: str) -> str:
    """The known sentences of a message; where there is none, that it is not kept."""
    return " ".join(_KNOWN.findall(message)) or NOT_KEPT


def word(value: object) -> str:
    """A code or a status, if it is one word as programs write them, cut to what is worth keeping; else empty."""
    return value[:_WORD_CHARACTERS] if isinstance(value, str) and _WORD.fullmatch(value) else ""


def parameter(value: object) -> str:
    """What an error is about, if it is a parameter's name; else empty."""
    return value if isinstance(value, str) and _PARAMETER.fullmatch(value) else ""


def request_id(value: object) -> str:
    """What the provider finds the call by in its own log; empty if it does not look like that."""
    return value if isinstance(value, str) and _REQUEST_ID.fullmatch(value) else ""
