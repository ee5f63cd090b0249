"""The reading of an input file before a batch may run (CONTRACT B2 and section 3).

Every line is judged by itself, one entry per offending line, 1-based; one bad line fails the whole batch. Codes and
messages that are *assumed* have no capture of the live API behind them.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from local.openai.tokens import prompt_tokens

if TYPE_CHECKING:
    from pathlib import Path

    from local.openai.settings import Settings

_REQUIRED = ("custom_id", "method", "url", "body")

#: The field without which an endpoint cannot answer. Captured for chat completions, for the others assumed (A7).
_PROMPT_FIELD = {
    "/v1/chat/completions": "messages",
    "/v1/embeddings": "input",
    "/v1/completions": "prompt",
    "/v1/moderations": "input",
    "/v1/images/generations": "prompt",
    "/v1/images/edits": "prompt",
    "/v1/videos": "prompt",
}
_MODEL_OPTIONAL = {"/v1/moderations", "/v1/images/generations", "/v1/images/edits", "/v1/videos"}
#: Captured for chat completions, for the others assumed (A7).
_STREAM_NAMES = {"/v1/chat/completions": "Chat Completions", "/v1/responses": "Responses"}


class LineError(Exception):
    """One entry of ``batch.errors.data``."""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param

    def entry(self, line: int | None) -> dict[str, Any]:
        """As the batch object shows it; ``line`` is null for an error of the file."""
        return {"code": self.code, "message": self.message, "param": self.param, "line": line}


@dataclass
class Findings:
    """What one pass over an input file found. ``offsets`` has the start of every line, and the end of the last."""

    errors: list[dict[str, Any]] = field(default_factory=list)
    offsets: array[int] = field(default_factory=lambda: array("Q", [0]))
    model: str | None = None
    tokens: int = 0
    embedding_inputs: int = 0

    @property
    def requests(self) -> int:
        """Lines in the file."""
        return len(self.offsets) - 1


def validate(path: Path, endpoint: str, settings: Settings) -> Findings:
    """Read ``path`` line by line in flat memory, splitting on line feeds only."""
    findings = Findings()
    judge = _Judge(endpoint, settings, findings)
    with path.open("rb") as lines:
        for raw in lines:
            findings.offsets.append(findings.offsets[-1] + len(raw))
            _judge_line(judge, raw, findings, settings.max_errors)
    for error in _whole_file(findings, settings):
        findings.errors.append(error.entry(None))
    return findings


def _judge_line(judge: _Judge, raw: bytes, findings: Findings, most: int) -> None:
    try:
        judge.line(raw)
    except LineError as error:
        if len(findings.errors) < most:
            findings.errors.append(error.entry(findings.requests))


def _whole_file(findings: Findings, settings: Settings) -> list[LineError]:
    errors = []
    if findings.requests > settings.max_requests:
        # Azure's code; for OpenAI it is assumed (A3), and for inputs of embeddings too.
        message = f"The batch has {findings.requests} requests. The maximum is {settings.max_requests}."
        errors.append(LineError("too_many_tasks", message))
    if findings.embedding_inputs > settings.max_embedding_inputs:
        message = f"The batch has {findings.embedding_inputs} inputs. The maximum is {settings.max_embedding_inputs}."
        errors.append(LineError("too_many_tasks", message, "input"))
    return errors


class _Judge:
    """Checks one line after the other, remembering custom ids and the model."""

    def __init__(self, endpoint: str, settings: Settings, findings: Findings) -> None:
        self._url = endpoint
        self._endpoint = api_path(endpoint)
        self._settings = settings
        self._findings = findings
        self._seen: set[str] = set()

    def line(self, raw: bytes) -> None:
        """Raises ``LineError`` for the first thing that is wrong with the line."""
        request = _decode(raw)
        self._custom_id(request["custom_id"])
        if request["method"] != "POST":
            message = f"Invalid value: '{request['method']}'. Supported values are: 'POST'."
            code = "invalid_value"  # assumed (A6)
            raise LineError(code, message, "method")
        if request["url"] != self._url:
            message = "The URL provided for this request does not match the batch endpoint."
            raise LineError("invalid_url", message, "url")
        self._body(request["body"])

    def _custom_id(self, custom_id: object) -> None:
        if not isinstance(custom_id, str):
            message = "Invalid type for 'custom_id': expected a string."
            code = "invalid_type"  # assumed (A6)
            raise LineError(code, message, "custom_id")
        most = self._settings.custom_id_max
        if len(custom_id) > most:
            message = f"Invalid 'custom_id': string too long. Expected at most {most} characters."
            code = "string_above_max_length"  # assumed (A6)
            raise LineError(code, message, "custom_id")
        if custom_id in self._seen:
            # The code was captured; text and param are those of a clone: assumed (A5).
            message = (
                f"The custom_id '{custom_id}' for this request is a duplicate of another request."
                " The custom_id parameter must be unique for each request in a batch."
            )
            raise LineError("duplicate_custom_id", message, "custom_id")
        self._seen.add(custom_id)

    def _body(self, body: object) -> None:
        if not isinstance(body, dict):
            message = "Invalid type for 'body': expected an object."
            code = "invalid_type"  # assumed (A6)
            raise LineError(code, message, "body")
        self._model(body.get("model"))
        prompt = _PROMPT_FIELD.get(self._endpoint)
        if prompt and body.get(prompt) is None:
            message = f"{prompt.capitalize()} parameter is required."
            raise LineError("invalid_request", message, f"body.{prompt}")
        if body.get("stream"):
            name = _STREAM_NAMES.get(self._endpoint, "Completions")
            message = f"{name}: Streaming is not supported in the Batch API."
            raise LineError("streaming_unsupported", message, "body.stream")
        self._count(body)

    def _model(self, model: object) -> None:
        if model is None and self._endpoint in _MODEL_OPTIONAL:
            return
        if not isinstance(model, str) or not model:
            raise LineError("invalid_request", "Model parameter is required.", "body.model")
        if not self._settings.knows_model(model):
            message = f"The provided model '{model}' is not supported by the Batch API."
            raise LineError("model_not_found", message, "body.model")
        if self._findings.model is None:
            self._findings.model = model
        elif model != self._findings.model:
            # As above: assumed (A5).
            message = (
                f"The model '{model}' for this request does not match the rest of the batch."
                " Each batch must contain requests for a single model."
            )
            raise LineError("mismatched_model", message, "body.model")

    def _count(self, body: dict[str, Any]) -> None:
        self._findings.tokens += prompt_tokens(body)
        if self._endpoint == "/v1/embeddings":
            self._findings.embedding_inputs += embedding_inputs(body["input"])


def _decode(raw: bytes) -> dict[str, Any]:
    try:
        request = msgspec.json.decode(raw)  # assumed (A8): CR LF ends a line as well, a blank line is none
    except (ValueError, RecursionError):
        request = None
    if not isinstance(request, dict):
        raise LineError("invalid_json_line", "This line is not parseable as valid JSON.")
    for name in _REQUIRED:
        if request.get(name) in (None, ""):
            raise LineError("missing_required_parameter", f"Missing required parameter: '{name}'.", name)
    return request


def embedding_inputs(value: object) -> int:
    """How many vectors an ``input`` asks for: a text or a list of token numbers is one, another list its length."""
    if isinstance(value, list) and not (value and isinstance(value[0], int)):
        return len(value)
    return 1


def api_path(endpoint: str) -> str:
    """The endpoint as OpenAI calls it: Azure leaves the version out."""
    return endpoint if endpoint.startswith("/v1/") else f"/v1{endpoint}"


def unknown_file(file_id: str) -> LineError:
    """The error of a batch whose input file is not there."""
    message = f"Cannot find file {file_id}, or organization does not have access to it."
    return LineError("invalid_request", message, "file_id")
