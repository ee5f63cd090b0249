"""Wrong ways to buy a batch: what a mutant does about a create without an answer, and about trouble afterwards."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from batchdrop.core.errors import Misconfigured, OutcomeUnknown, Rejected, RetryLater
from batchdrop.usecases.submit import Submit, Submitted

Patches = list[tuple[Any, str, Any]]


def create(self: Any, batch: Any, file_id: str, metadata: dict[str, str]) -> Any:
    return self.api.create(
        file_id=file_id,
        endpoint=batch.endpoint,
        completion_window=batch.completion_window,
        metadata=metadata | {"batchdrop_claim": "0"},
    )


def buying(on_unknown: Callable[..., Any], on_trouble: Callable[..., Any] | None = None) -> Patches:
    def buy(self: Any, batch: Any, file_id: str, metadata: dict[str, str]) -> Any:
        now = self.clock.now()
        lease = now + dt.timedelta(seconds=90)
        key = self.api.key_version()
        creating = self.ledger.record_intent(batch, file_id=file_id, key_version=key, now=now, lease=lease)
        if creating is None:
            return Submitted.STALE
        try:
            remote = create(self, creating, file_id, metadata)
        except OutcomeUnknown:
            try:
                remote = on_unknown(self, creating, file_id, metadata)
            except (OutcomeUnknown, Misconfigured, Rejected, RetryLater):
                return Submitted.UNKNOWN
        except (Misconfigured, Rejected, RetryLater) as refusal:
            return self._refused(creating, refusal)
        if isinstance(remote, Submitted):
            return remote
        try:
            self.ledger.record_created(creating, remote, now=now, check_at=now + dt.timedelta(hours=30))
        except RetryLater as trouble:
            if on_trouble is None:
                raise
            return on_trouble(self, creating, trouble)
        return Submitted.CREATED

    return [(Submit, "_buy", buy)]
