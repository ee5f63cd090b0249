"""The delivery of events to webhook endpoints: signed, repeated until answered, on the clock (CONTRACT W1-W6)."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec

from local.openai.journal import Delivery
from local.openai.webhooks import sign

if TYPE_CHECKING:
    from local.openai.agenda import Agenda
    from local.openai.batch import Batch
    from local.openai.clock import Clock
    from local.openai.faults import Faults
    from local.openai.identity import Ids
    from local.openai.journal import Journal
    from local.openai.plans import WebhookFault
    from local.openai.settings import Settings
    from local.openai.webhooks import Endpoint, Endpoints

_AGENT = "OpenAI/1.0 (+https://platform.openai.com/docs/webhooks)"
_PATIENCE = aiohttp.ClientTimeout(total=10)  #: "answer in seconds"; how many is assumed (A24)
_OK = range(200, 300)
_FOREIGN_SECRET = "whsec_" + "Zm9yZWlnbg=="  #: nobody was given this one
_COMING = {"finalizing": "completed", "cancelling": "cancelled"}


@dataclass(frozen=True)
class _Parcel:
    """One event on its way to one endpoint; ``age`` is what its timestamp lies back, in seconds."""

    endpoint: Endpoint
    webhook_id: str
    event: dict[str, Any]
    body: bytes
    first: float
    foreign: bool = False
    age: float = 0.0
    attempt: int = 1
    retried: bool = True


class Deliveries:
    """Tells endpoints of what happens to batches."""

    def __init__(
        self,
        *,
        clock: Clock,
        agenda: Agenda,
        ids: Ids,
        settings: Settings,
        faults: Faults,
        journal: Journal,
        endpoints: Endpoints,
    ) -> None:
        self._clock = clock
        self._agenda = agenda
        self._ids = ids
        self._settings = settings
        self._faults = faults
        self._journal = journal
        self._endpoints = endpoints
        self._foreseen: dict[tuple[str, str], WebhookFault | None] = {}
        self._under_way: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None

    def watch(self, batch: Batch, at: float) -> None:
        """Look at the status that a batch has just entered."""
        coming = _COMING.get(batch.status)
        event = f"batch.{coming or batch.status}"
        if not (coming or batch.ended) or not self._endpoints.of(event):
            return
        key = (batch.id, event)
        foreseen = key in self._foreseen
        fault = self._foreseen.pop(key) if foreseen else self._faults.for_webhook(event)
        early = fault is not None and fault.do == "early"
        if coming:
            self._foreseen[key] = fault
        if early if coming else not (early and foreseen):
            self._announce(event, batch.id, at, fault)

    async def test(self, endpoint: Endpoint, event_type: str) -> int | None:
        """Deliver a sample once; the endpoint's status, or null where nothing answers."""
        now = self._clock.now()
        event = self._event(event_type, self._ids.other("sample_"), now)
        return await self._send(self._parcel(endpoint, event, now))

    async def close(self) -> None:
        """Break off what is under way."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def _announce(self, event_type: str, subject: str, at: float, fault: WebhookFault | None) -> None:
        event = self._event(event_type, subject, at)
        if fault is not None:
            self._journal.note("webhook", fault.do, subject)
        for endpoint in self._endpoints.of(event_type):
            parcel = self._parcel(endpoint, event, at)
            for due, copy in _scripted(parcel, at, fault):
                self._plan(copy, due)

    def _event(self, event_type: str, subject: str, at: float) -> dict[str, Any]:
        return {
            "id": self._ids.other("evt_"),
            "object": "event",
            "type": event_type,
            "created_at": int(at),
            "data": {"id": subject},
        }

    def _parcel(self, endpoint: Endpoint, event: dict[str, Any], at: float) -> _Parcel:
        return _Parcel(endpoint, self._ids.other("wh_"), event, msgspec.json.encode(event), at)

    def _plan(self, parcel: _Parcel, due: float) -> None:
        self._agenda.add(due, partial(self._deliver, parcel, due))

    async def _deliver(self, parcel: _Parcel, at: float) -> None:
        """On a virtual clock the agenda waits for the answer; in real time a slow endpoint keeps nothing waiting."""
        if self._clock.virtual:
            await self._attempt(parcel, at)
        else:
            task = asyncio.create_task(self._attempt(parcel, at))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _attempt(self, parcel: _Parcel, at: float) -> None:
        status = await self._send(parcel)
        pause = min(self._settings.webhook_retry_most, self._settings.webhook_retry_seconds * 2 ** (parcel.attempt - 1))
        due = (at if self._clock.virtual else self._clock.now()) + pause
        given_up = due > parcel.first + self._settings.webhook_give_up_seconds
        if status not in _OK and parcel.retried and not given_up:
            self._plan(replace(parcel, attempt=parcel.attempt + 1), due)

    async def _send(self, parcel: _Parcel) -> int | None:
        status = None
        try:
            headers = self._headers(parcel)
            url = parcel.endpoint.url
            async with self._client().post(url, data=parcel.body, headers=headers, allow_redirects=False) as reply:
                status = reply.status
        except (aiohttp.ClientError, TimeoutError):
            pass
        self._journal.deliveries.append(
            Delivery(
                webhook_id=parcel.webhook_id,
                endpoint_id=parcel.endpoint.id,
                event=parcel.event["id"],
                type=parcel.event["type"],
                subject=parcel.event["data"]["id"],
                attempt=parcel.attempt,
                at=self._clock.now(),
                status=status,
            )
        )
        return status

    def _headers(self, parcel: _Parcel) -> dict[str, str]:
        # The machine's time, even where the clock is virtual: receivers refuse any other.
        timestamp = int(time.time() - parcel.age)
        secrets = [_FOREIGN_SECRET] if parcel.foreign else parcel.endpoint.secrets(self._clock.now())
        signatures = [sign(secret, parcel.webhook_id, timestamp, parcel.body) for secret in secrets]
        return {
            "Content-Type": "application/json",
            "User-Agent": _AGENT,
            "webhook-id": parcel.webhook_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": " ".join(signatures),
        }

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=_PATIENCE)
        return self._session


def _scripted(parcel: _Parcel, at: float, fault: WebhookFault | None) -> list[tuple[float, _Parcel]]:
    """When what is delivered. A copy that is wrong on purpose is not tried again."""
    if fault is None or fault.do == "early":
        return [(at, parcel)]
    wrong = replace(parcel, foreign=fault.do == "bad_signature", retried=False)
    ways = {
        "never": [],
        "late": [(at + fault.seconds, parcel)],
        "duplicate": [(at + number * fault.seconds, parcel) for number in range(fault.copies)],
        "bad_signature": [(at, wrong)],
        "old_timestamp": [(at, replace(wrong, age=fault.seconds))],
    }
    return ways[fault.do]
