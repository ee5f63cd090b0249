"""Which scripted fault a request, a line or a batch meets."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from local.openai.identity import chance
from local.openai.plans import BatchFault, FaultPlan, LineFault, RequestFault, WebhookFault

if TYPE_CHECKING:
    from collections.abc import Mapping


class Faults:
    """The rules in force, and how often each was applied."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.plan = FaultPlan()
        self._executions: Counter[tuple[int, str]] = Counter()

    def add(self, raw: object) -> None:
        """Append rules in the format of ``FaultPlan``. Raises ``msgspec.ValidationError``."""
        added = msgspec.convert(raw, FaultPlan)
        self.plan.requests.extend(added.requests)
        self.plan.lines.extend(added.lines)
        self.plan.batches.extend(added.batches)
        self.plan.webhooks.extend(added.webhooks)

    def clear(self) -> None:
        """Drop every rule."""
        self.plan = FaultPlan()
        self._executions.clear()

    def view(self) -> dict[str, Any]:
        """Every rule with its counters."""
        view: dict[str, Any] = msgspec.to_builtins(self.plan)
        return view

    def for_request(self, route: str, path_id: str | None, size: int | None = None) -> RequestFault | None:
        """The rule that this HTTP request meets; counts it. ``size`` is the content's, in bytes."""
        for rule in self.plan.requests:
            if _matches(rule.route, route) and rule.id in (None, path_id) and (size or 0) > (rule.above or -1):
                rule.seen += 1
                if _due(rule) and chance(rule.rate, self._seed, route, rule.seen):
                    rule.applied += 1
                    return rule
        return None

    def for_batch(self, metadata: Mapping[str, str] | None) -> BatchFault | None:
        """The rule that a new batch meets; counts it."""
        pairs = (metadata or {}).items()
        for rule in self.plan.batches:
            if rule.metadata.items() <= pairs:
                rule.seen += 1
                if _due(rule):
                    rule.applied += 1
                    return rule
        return None

    def for_webhook(self, event: str) -> WebhookFault | None:
        """The rule that an event of a type meets; counts it."""
        for rule in self.plan.webhooks:
            if _matches(rule.event, event):
                rule.seen += 1
                if _due(rule):
                    rule.applied += 1
                    return rule
        return None

    def for_line(self, custom_id: str) -> LineFault | None:
        """The rule that one execution of a request meets; counts it."""
        for index, rule in enumerate(self.plan.lines):
            if not _matches(rule.custom_id, custom_id):
                continue
            self._executions[index, custom_id] += 1
            nth = self._executions[index, custom_id]
            if (rule.times is None or nth <= rule.times) and chance(rule.rate, self._seed, custom_id, nth):
                rule.applied += 1
                return rule
        return None


def _matches(pattern: str, name: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else pattern == name


def _due(rule: RequestFault | BatchFault | WebhookFault) -> bool:
    return rule.seen >= rule.nth and (rule.times is None or rule.applied < rule.times)
