"""``POST /batches``: what is judged at once; everything else is left to validation (CONTRACT B1).

Captured: the refusals of an endpoint and of metadata that is no string. The other codes and texts are assumed (A11).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from local.openai.errors import ApiError
from local.openai.upload import check_expiry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from local.openai.settings import Settings

_PAIRS_MAX, _KEY_MAX, _VALUE_MAX = 16, 64, 512
_NAMES = {"input_file_id", "endpoint", "completion_window", "metadata", "output_expires_after"}


@dataclass(frozen=True)
class BatchParameters:
    """The accepted parameters; ``keep_seconds`` is the life of the result files."""

    input_file_id: str
    endpoint: str
    completion_window: str
    metadata: dict[str, str] | None
    keep_seconds: float


def parse(raw: bytes, settings: Settings) -> BatchParameters:
    """Judge a request body. Raises ``ApiError`` 400 with OpenAI's code and param."""
    body = json_object(raw)
    for name in body.keys() - _NAMES:
        raise ApiError(400, f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter")
    return BatchParameters(
        input_file_id=text(body, "input_file_id"),
        endpoint=_choice(body, "endpoint", settings.endpoints),
        completion_window=_choice(body, "completion_window", list(settings.completion_windows)),
        metadata=_metadata(body.get("metadata")),
        keep_seconds=keep_seconds(body.get("output_expires_after"), "output_expires_after", settings),
    )


def json_object(raw: bytes) -> dict[str, Any]:
    """A request body. Raises ``ApiError`` 400 if it is no JSON object."""
    try:
        body = msgspec.json.decode(raw)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, "We could not parse the JSON body of your request.") from error
    if not isinstance(body, dict):
        raise ApiError(400, "The JSON body of your request must be an object.")
    return body


def text(body: dict[str, Any], name: str) -> str:
    """A parameter that must be a string. Raises ``ApiError`` 400."""
    value = body.get(name)
    if value is None:
        raise ApiError(400, f"Missing required parameter: '{name}'.", param=name, code="missing_required_parameter")
    if not isinstance(value, str):
        message = f"Invalid type for '{name}': expected a string, but got {_kind(value)} instead."
        raise ApiError(400, message, param=name, code="invalid_type")
    return value


def _choice(body: dict[str, Any], name: str, allowed: Sequence[str]) -> str:
    value = text(body, name)
    if value not in allowed:
        quoted = [f"'{choice}'" for choice in allowed]
        listed = quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])}, and {quoted[-1]}"
        message = f"Invalid value: '{value}'. Supported values are: {listed}."
        raise ApiError(400, message, param=name, code="invalid_value")
    return value


def _metadata(value: object) -> dict[str, str] | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        message = f"Invalid type for 'metadata': expected an object, but got {_kind(value)} instead."
        raise ApiError(400, message, param="metadata", code="invalid_type")
    if len(value) > _PAIRS_MAX:
        message = f"Invalid 'metadata': too many properties. Expected at most {_PAIRS_MAX}, but got {len(value)}."
        raise ApiError(400, message, param="metadata", code="object_above_max_properties")
    for key, text in value.items():
        _check_pair(key, text)
    return value


def _check_pair(key: str, text: object) -> None:
    param = f"metadata.{key}"
    if not isinstance(text, str):
        message = f"Invalid type for '{param}': expected a string, but got {_kind(text)} instead."
        raise ApiError(400, message, param=param, code="invalid_type")
    if len(key) > _KEY_MAX or len(text) > _VALUE_MAX:
        message = f"Invalid '{param}': string too long. Keys have at most {_KEY_MAX} characters, values {_VALUE_MAX}."
        raise ApiError(400, message, param=param, code="string_above_max_length")


def keep_seconds(value: object, param: str, settings: Settings) -> float:
    """How long a file is kept under an expiry policy, or without one. Raises ``ApiError`` 400."""
    if value is None:
        return settings.file_retention_seconds
    if not isinstance(value, dict):
        message = f"Invalid type for '{param}': expected an object, but got {_kind(value)} instead."
        raise ApiError(400, message, param=param, code="invalid_type")
    return check_expiry(value.get("anchor"), value.get("seconds"), param, settings.file_expiry)


def _kind(value: object) -> str:
    kinds = {bool: "a boolean", int: "an integer", float: "a decimal", str: "a string", list: "an array"}
    return kinds.get(type(value), "an object" if isinstance(value, dict) else "null")
