"""The admin API from Python, over plain HTTP: for a server in this process or in another."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

_ENDED = {"completed", "failed", "expired", "cancelled"}


class Admin:
    """Levers of the server at ``url`` (its base URL; the path does not matter).

    Every method raises ``ValueError`` with the server's reason for a wrong argument.
    """

    def __init__(self, url: str, *, timeout: float = 60.0) -> None:
        parts = urlsplit(url)
        self._root = f"{parts.scheme}://{parts.netloc}/_admin"
        self._timeout = timeout

    def fault(self, route: str, do: str, **fields: Any) -> None:  # noqa: ANN401 - fields of RequestFault
        """Script requests: ``fault("batches.create", "reset_after", nth=2)``. Fields: ``plans.RequestFault``."""
        self.add_faults(requests=[{"route": route, "do": do, **fields}])

    def line_fault(self, custom_id: str = "*", do: str = "status", **fields: Any) -> None:  # noqa: ANN401
        """Script requests of batches: ``line_fault("a-7", status=429, times=1)``. Fields: ``plans.LineFault``."""
        self.add_faults(lines=[{"custom_id": custom_id, "do": do, **fields}])

    def batch_fault(self, **fields: Any) -> None:  # noqa: ANN401 - fields of BatchFault
        """Script new batches: ``batch_fault(expire_at_share=0.5)``. Fields: ``plans.BatchFault``."""
        self.add_faults(batches=[fields])

    def webhook_fault(self, do: str, **fields: Any) -> None:  # noqa: ANN401 - fields of WebhookFault
        """Script deliveries: ``webhook_fault("late", seconds=60)``. Fields: ``plans.WebhookFault``."""
        self.add_faults(webhooks=[{"do": do, **fields}])

    def add_faults(self, **plan: list[dict[str, Any]]) -> None:
        """Append rules: ``requests=[...], lines=[...], batches=[...], webhooks=[...]``."""
        self._call("POST", "faults", plan)

    def faults(self) -> dict[str, list[dict[str, Any]]]:
        """Every rule in force; ``applied`` tells how often."""
        rules: dict[str, list[dict[str, Any]]] = self._call("GET", "faults")
        return rules

    def clear_faults(self) -> None:
        """Drop every rule."""
        self._call("DELETE", "faults")

    def journal(self, route: str | None = None) -> list[dict[str, Any]]:
        """The requests that came in, in order (``journal.Entry``)."""
        query = "?" + urlencode({"route": route}) if route else ""
        entries: list[dict[str, Any]] = self._call("GET", "journal" + query)
        return entries

    def count(self, route: str, **fields: Any) -> int:  # noqa: ANN401 - fields of Entry
        """How many requests of ``route`` have these fields: ``count("batches.create", effect=True)``."""
        return sum(all(entry[name] == value for name, value in fields.items()) for entry in self.journal(route))

    def executions(self, *, by: str = "custom_id", ok_only: bool = False, batch: str | None = None) -> dict[str, int]:
        """How often each request was executed, by ``custom_id`` or ``body`` (a digest); ``ok_only``: answered 200."""
        query = {"by": by, "ok_only": str(ok_only).lower()} | ({"batch": batch} if batch else {})
        counts: dict[str, int] = self._call("GET", "executions?" + urlencode(query))
        return counts

    def happenings(self, scope: str | None = None) -> list[dict[str, Any]]:
        """The faults of lines, batches and webhooks that came about (``journal.Happening``)."""
        query = "?" + urlencode({"scope": scope}) if scope else ""
        happenings: list[dict[str, Any]] = self._call("GET", "happenings" + query)
        return happenings

    def deliveries(self) -> list[dict[str, Any]]:
        """Every attempt to deliver a webhook, in order (``journal.Delivery``)."""
        deliveries: list[dict[str, Any]] = self._call("GET", "deliveries")
        return deliveries

    def configure(self, **settings: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of Settings
        """Change settings: ``configure(list_lag_seconds=30, pace={"in_progress": 5})``; returns all of them."""
        changed: dict[str, Any] = self._call("PATCH", "settings", settings)
        return changed

    def settings(self) -> dict[str, Any]:
        """Every setting (``settings.Settings``)."""
        settings: dict[str, Any] = self._call("GET", "settings")
        return settings

    def now(self) -> float:
        """The server's time in seconds since 1970."""
        return float(self._call("GET", "clock")["now"])

    def advance(self, seconds: float) -> float:
        """Move the clock; returns the new time once everything due by then has happened."""
        return float(self._call("POST", "clock/advance", {"seconds": seconds})["now"])

    def state(self) -> dict[str, Any]:
        """``batches`` (oldest first, as they truly are), ``files``, ``enqueued_tokens``, ``requests`` by route."""
        state: dict[str, Any] = self._call("GET", "state")
        return state

    def batches(self) -> list[dict[str, Any]]:
        """Every batch as it truly is, oldest first."""
        batches: list[dict[str, Any]] = self.state()["batches"]
        return batches

    def wait_until_idle(self, timeout: float = 30.0) -> None:
        """Return when every batch has ended. Raises ``TimeoutError``."""
        deadline = time.monotonic() + timeout
        while any(batch["status"] not in _ENDED for batch in self.batches()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"batches still open after {timeout} s")
            time.sleep(0.02)

    def forget(self, batch_id: str) -> None:
        """Make the server answer 404 for a batch, as for one that has aged out."""
        self._call("POST", "forget", {"batch": batch_id})

    def reset(self, seed: int | None = 0) -> None:
        """Forget files, batches, faults and journal; settings and time stay."""
        self._call("POST", "reset", {"seed": seed})

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:  # noqa: ANN401 - JSON
        data = json.dumps(body).encode() if body is not None else None
        request = Request(f"{self._root}/{path}", data=data, method=method)
        try:
            with urlopen(request, timeout=self._timeout) as response:
                return json.load(response)
        except HTTPError as error:
            with error:
                raise ValueError(json.load(error)["error"]["message"]) from None
