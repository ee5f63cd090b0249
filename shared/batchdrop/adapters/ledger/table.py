"""What the ledger asks of a table: DynamoDB in ``adapters.dynamodb``, a dict in the tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from batchdrop.core.change import Change
    from batchdrop.core.model import Key

MOST_CHANGES = 100  #: in one commit; DynamoDB's limit of a transaction


class Table(Protocol):
    """Items by (job_id, item), with plain attributes: str, int, bool, list, dict."""

    def commit(self, changes: Sequence[Change]) -> bool:
        """Make all the changes or none; False if a condition did not hold or another write was in the way.

        At most ``MOST_CHANGES``, of different items. Each write stores a fresh ``token``; finding our own token where a
        condition failed means that an earlier try of this very call was made, and that is True.
        """
        ...

    def get(self, key: Key) -> dict[str, Any] | None:
        """One item, strongly consistent."""
        ...

    def query(self, job_id: str, prefix: str = "") -> Iterator[dict[str, Any]]:
        """The items of ``job_id`` whose ``item`` starts with ``prefix``, in order of ``item``; strongly consistent."""
        ...

    def due(self) -> Iterator[dict[str, Any]]:
        """The items with ``due``, in order of ``next_check_at``; a moment old."""
        ...
