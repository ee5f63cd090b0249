"""What the SDK hides: every reply of the API is held, raw, against the SDK's own models in strict mode."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import httpx2
from openai.types import Batch, FileDeleted, FileObject, Upload
from openai.types.uploads import UploadPart
from openai.types.webhooks import (
    DeletedWebhookEndpoint,
    WebhookEndpoint,
    WebhookEndpointList,
    WebhookEndpointTestResult,
    WebhookEndpointWithSecret,
    WebhookEventTypeList,
)
from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from collections.abc import Iterator


class FileList(BaseModel):
    model_config = ConfigDict(extra="allow")
    object: str
    data: list[FileObject]
    first_id: str | None
    last_id: str | None
    has_more: bool


class BatchList(BaseModel):
    model_config = ConfigDict(extra="allow")
    object: str
    data: list[Batch]
    first_id: str | None
    last_id: str | None
    has_more: bool


class _Refusal(BaseModel):
    model_config = ConfigDict(extra="allow")
    message: str
    type: str
    param: str | None
    code: str | None


class ErrorReply(BaseModel):
    model_config = ConfigDict(extra="allow")
    error: _Refusal


#: Method and path of every reply that is JSON, and its model.
MODELS: tuple[tuple[str, str, type[BaseModel]], ...] = (
    ("POST", r"/files", FileObject),
    ("GET", r"/files", FileList),
    ("GET", r"/files/[^/]+", FileObject),
    ("DELETE", r"/files/[^/]+", FileDeleted),
    ("POST", r"/batches", Batch),
    ("GET", r"/batches", BatchList),
    ("GET", r"/batches/[^/]+", Batch),
    ("POST", r"/batches/[^/]+/cancel", Batch),
    ("POST", r"/uploads", Upload),
    ("POST", r"/uploads/[^/]+/parts", UploadPart),
    ("POST", r"/uploads/[^/]+/(complete|cancel)", Upload),
    ("POST", r"/webhook_endpoints", WebhookEndpointWithSecret),
    ("GET", r"/webhook_endpoints", WebhookEndpointList),
    ("GET", r"/webhook_endpoints/[^/]+", WebhookEndpoint),
    ("POST", r"/webhook_endpoints/[^/]+", WebhookEndpoint),
    ("DELETE", r"/webhook_endpoints/[^/]+", DeletedWebhookEndpoint),
    ("POST", r"/webhook_endpoints/[^/]+/rotate_secret", WebhookEndpointWithSecret),
    ("POST", r"/webhook_endpoints/[^/]+/test", WebhookEndpointTestResult),
    ("GET", r"/webhook_event_types", WebhookEventTypeList),
)
CONTENT = re.compile(r"/files/[^/]+/content")
#: In every file object of the live API; the SDK's model has dropped them, or never had them.
KNOWN_EXTRAS = {"status_details"}


class Watch:
    """Validates replies as they come. ``drift`` collects fields that the models do not know."""

    def __init__(self, base_url: str) -> None:
        self._prefix = httpx2.URL(base_url).path.rstrip("/")
        self.validated = 0
        self.drift: set[str] = set()

    def __call__(self, response: httpx2.Response) -> None:
        """Raises ``pydantic.ValidationError`` for a reply that is not what the SDK's models say."""
        path = response.request.url.path.removeprefix(self._prefix)
        if response.is_success and CONTENT.fullmatch(path):
            return
        model = self.model_of(response.request.method, path) if response.is_success else ErrorReply
        parsed = model.model_validate_json(response.read(), strict=True)
        self.drift.update(sorted(extras(parsed)))
        self.validated += 1

    @staticmethod
    def model_of(method: str, path: str) -> type[BaseModel]:
        return next(model for verb, pattern, model in MODELS if verb == method and re.fullmatch(pattern, path))


def extras(parsed: BaseModel) -> Iterator[str]:
    """Names of fields that the models do not have, at any depth."""
    for name in parsed.model_extra or {}:
        if name not in KNOWN_EXTRAS:
            yield f"{type(parsed).__name__}.{name}"
    for name in type(parsed).model_fields:
        yield from _within(getattr(parsed, name))


def _within(value: Any) -> Iterator[str]:
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, BaseModel):
            yield from extras(item)
