"""Registered webhook endpoints and their secrets (CONTRACT W5, W7)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from local.openai.errors import ApiError
from local.openai.profiles import DAY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.openai.clock import Clock
    from local.openai.identity import Ids

#: openai-python 3.54.0, resources/webhooks/webhooks.py
EVENT_TYPES = (
    *(f"batch.{event}" for event in ("completed", "failed", "expired", "cancelled")),
    *(f"response.{event}" for event in ("completed", "failed", "cancelled", "incomplete")),
    *(f"eval.run.{event}" for event in ("succeeded", "failed", "canceled")),
    *(f"fine_tuning.job.{event}" for event in ("succeeded", "failed", "cancelled")),
    "realtime.call.incoming",
    *(f"video.{event}" for event in ("completed", "failed")),
    *(f"agent.environment.{event}" for event in ("ready", "failed", "suspended", "expired")),
    *(f"agent.session.{event}" for event in ("created", "action_required", "in_progress", "idle", "failed")),
    "safety.alert.created",
)
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_HINT = 4


@dataclass
class Endpoint:
    """Where events are delivered; ``old_secret`` signs too until ``old_until``."""

    id: str
    name: str
    url: str
    event_types: list[str]
    created: float
    updated: float
    secret: str
    old_secret: str | None = None
    old_until: float = 0.0

    def secrets(self, now: float) -> list[str]:
        """The secrets that sign at ``now``, the newest first."""
        return [self.secret, *([self.old_secret] if self.old_secret and now < self.old_until else [])]

    def view(self, *, with_secret: bool = False) -> dict[str, Any]:
        """OpenAI's object; the secret only at creation and rotation."""
        view = {
            "id": self.id,
            "object": "webhook_endpoint",
            "name": self.name,
            "url": self.url,
            "event_types": self.event_types,
            "created_at": int(self.created),
            "updated_at": int(self.updated),
            "signing_secret_hint": f"whsec_...{self.secret[-_HINT:]}",  # assumed (A23)
        }
        return view | {"signing_secret": self.secret} if with_secret else view


def sign(secret: str, webhook_id: str, timestamp: int, body: bytes) -> str:
    """A signature of Standard Webhooks: ``v1,`` and an HMAC-SHA256 in base64."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


class Endpoints:
    """The endpoints of the project, oldest first."""

    def __init__(self, ids: Ids, clock: Clock) -> None:
        self._ids = ids
        self._clock = clock
        self._endpoints: dict[str, Endpoint] = {}

    def create(self, asked: Mapping[str, Any]) -> Endpoint:
        """Register one. Raises ``ApiError`` 400."""
        for name in ("name", "url", "event_types"):
            if name not in asked:
                message = f"Missing required parameter: '{name}'."
                raise ApiError(400, message, param=name, code="missing_required_parameter")
        now = self._clock.now()
        endpoint = Endpoint(self._ids.other("we_"), "", "", [], now, now, self._ids.secret())  # assumed (A23)
        _apply(endpoint, asked)
        self._endpoints[endpoint.id] = endpoint
        return endpoint

    def update(self, endpoint_id: str, asked: Mapping[str, Any]) -> Endpoint:
        """Change what is named. Raises ``ApiError`` 400 or 404."""
        endpoint = self.get(endpoint_id)
        before = endpoint.view()
        _apply(endpoint, asked)
        if endpoint.view() != before:
            endpoint.updated = self._clock.now()
        return endpoint

    def rotate(self, endpoint_id: str, *, keep_old: bool) -> Endpoint:
        """Give it a new secret; the old one signs for another day if ``keep_old``. Raises ``ApiError`` 404."""
        endpoint, now = self.get(endpoint_id), self._clock.now()
        endpoint.old_secret = endpoint.secret if keep_old else None
        endpoint.old_until = now + DAY
        endpoint.secret, endpoint.updated = self._ids.secret(), now
        return endpoint

    def get(self, endpoint_id: str) -> Endpoint:
        """Raises ``ApiError`` 404."""
        if endpoint_id not in self._endpoints:
            raise ApiError(404, f"No webhook endpoint found with id '{endpoint_id}'.")  # assumed (A23)
        return self._endpoints[endpoint_id]

    def delete(self, endpoint_id: str) -> None:
        """Raises ``ApiError`` 404."""
        self.get(endpoint_id)
        del self._endpoints[endpoint_id]

    def all(self) -> list[Endpoint]:
        """Newest first."""
        return list(self._endpoints.values())[::-1]

    def of(self, event_type: str) -> list[Endpoint]:
        """Those that want events of a type, oldest first."""
        return [endpoint for endpoint in self._endpoints.values() if event_type in endpoint.event_types]


def _apply(endpoint: Endpoint, asked: Mapping[str, Any]) -> None:
    name = _text(asked.get("name", endpoint.name), "name")
    url = _url(_text(asked.get("url", endpoint.url), "url"))
    event_types = _event_types(asked.get("event_types", endpoint.event_types))
    endpoint.name, endpoint.url, endpoint.event_types = name, url, event_types


def _text(value: object, param: str) -> str:
    if not isinstance(value, str) or not value:
        raise ApiError(400, f"Invalid type for '{param}': expected a string.", param=param, code="invalid_type")
    return value


def _url(url: str) -> str:
    """HTTPS, as OpenAI wants it; this server takes plain HTTP on loopback too."""
    parts = urlsplit(url)
    if not (parts.scheme == "https" and parts.hostname) and (parts.scheme, parts.hostname in _LOOPBACK) != (
        "http",
        True,
    ):
        raise ApiError(400, f"Invalid 'url': '{url}' is not an HTTPS URL.", param="url", code="invalid_value")
    return url


def _event_types(value: object) -> list[str]:
    if not isinstance(value, list) or not value:
        message = "Invalid type for 'event_types': expected an array of event types."
        raise ApiError(400, message, param="event_types", code="invalid_type")
    for name in value:
        check_event_type(name, "event_types")
    return [str(name) for name in value]


def check_event_type(name: object, param: str) -> str:
    """The event type, if there is one by that name. Raises ``ApiError`` 400."""
    if name not in EVENT_TYPES:
        message = f"Invalid value: '{name}'. Supported values are: {', '.join(map(repr, EVENT_TYPES))}."
        raise ApiError(400, message, param=param, code="invalid_value")
    return str(name)
