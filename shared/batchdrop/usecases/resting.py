"""Giving a lease back. One that runs out says that its holder died (``core.poison``), so this is tried with care."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchdrop.core.errors import RetryLater

if TYPE_CHECKING:
    from collections.abc import Callable


def given_back(write: Callable[[], bool]) -> bool:
    """What ``write`` answers, a ledger's write that ends a lease; where the table fails, once more."""
    try:
        return write()
    except RetryLater:
        return write()
