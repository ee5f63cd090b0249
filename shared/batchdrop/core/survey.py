"""Judging many lines at once: one call of the parser for all of them, where they are as usual and alike."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from batchdrop.core import limits
from batchdrop.core.ids import MAPPED_PREFIX
from batchdrop.core.request import USUAL, Pair, Usual, embedded, is_model
from batchdrop.core.text import count_flat_lines, is_utf8

if TYPE_CHECKING:
    from collections.abc import Sequence

_ids = attrgetter("custom_id")
_models = attrgetter("body.model")
_streams = attrgetter("body.stream")
_endpoints = attrgetter("url")


class Survey(NamedTuple):
    """Lines that are all valid requests for one pair, with ids that the API takes, no two the same."""

    pair: Pair
    ids: set[str]
    inputs: int
    answer_bytes: int

    @property
    def requests(self) -> int:
        return len(self.ids)


def survey(data: bytes | bytearray) -> Survey | None:
    """What the lines have in common. None: look at them one by one, there may be nothing wrong with them."""
    if b"\r" in data or not is_utf8(data):
        return None
    count = count_flat_lines(data)
    if count is None:
        return None
    try:
        rows = USUAL.decode_lines(data)
    except (msgspec.DecodeError, RecursionError):
        return None
    pairs = set(zip(map(_models, rows), map(_endpoints, rows), strict=True))
    if len(rows) != count or len(pairs) != 1 or True in set(map(_streams, rows)):
        return None
    pair = Pair(*pairs.pop())
    ids = set(map(_ids, rows))
    if len(ids) != count or not is_model(pair.model) or not _can_be_kept(ids):
        return None
    sums = _sums(limits.ENDPOINTS[pair.endpoint], rows)
    return Survey(pair, ids, *sums) if sums else None


def _can_be_kept(ids: set[str]) -> bool:
    if "" in ids or max(map(len, ids)) > limits.CUSTOM_ID_CHARACTERS:
        return False
    return "\n" + MAPPED_PREFIX not in "\n" + "\n".join(ids)


def _sums(endpoint: limits.Endpoint, rows: Sequence[Usual]) -> tuple[int, int] | None:
    if not endpoint.embeds:
        return 0, endpoint.answer_bytes * len(rows)
    inputs, sizes = zip(*(embedded(endpoint, row.body) for row in rows), strict=True)
    return None if max(inputs) > limits.EMBEDDING_INPUTS_PER_BATCH else (sum(inputs), sum(sizes))
