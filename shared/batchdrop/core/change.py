"""One conditional write, as a value: what the table's adapters carry out, and what the tests judge."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchdrop.core.lifecycle import Guard, Row
    from batchdrop.core.model import Key
    from batchdrop.core.states import State

Path = tuple[str, ...]  #: an attribute, or a place within a map: ("usage", "gpt-5-mini", "input_tokens")


@dataclass(frozen=True, slots=True)
class Change:
    """A write to one item, made only if the item is in one of ``states`` (any, if empty) and all guards hold.

    ``put`` replaces the whole item; else ``assign`` sets, ``add`` adds numbers to (absent counts as 0) and ``drop``
    removes attributes. With none of them it is a check. ``row`` names the transition that it carries out.
    """

    key: Key
    row: Row | None = None
    states: tuple[State, ...] = ()
    guards: Mapping[Guard, Any] = field(default_factory=dict)
    put: Mapping[str, Any] | None = None
    assign: Mapping[Path, Any] = field(default_factory=dict)
    add: Mapping[Path, int] = field(default_factory=dict)
    drop: tuple[str, ...] = ()

    @property
    def is_check(self) -> bool:
        return self.put is None and not (self.assign or self.add or self.drop)
