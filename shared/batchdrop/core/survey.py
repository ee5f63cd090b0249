"""Judging many lines at once, where all are as usual."""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from batchdrop.core import limits
from batchdrop.core.ids import MAPPED_PREFIX
from batchdrop.core.request import Pair, Weight, embedded
from batchdrop.core.text import any_is_deep, has_long_number, is_utf8
from batchdrop.core.usual import Alike, usual

if TYPE_CHECKING:
    from collections.abc import Sequence

    #: The custom ids, and what the lines of each pair weigh.
    Found = tuple[Sequence[str], dict[Pair, Weight]]

#: A reader takes some 100 µs to make, and no job has more pairs.
_alike = lru_cache(limits.PAIRS_PER_JOB)(Alike)


class Survey(NamedTuple):
    """Lines that are all valid requests, with ids that the API takes, no two the same.

    ``weights``: of each pair's lines, in order of its first. ``crlf``: whether a carriage return is to be left out.
    """

    requests: int
    ids: set[str]
    weights: dict[Pair, Weight]
    crlf: bool


def survey(data: bytes | bytearray) -> Survey | None:
    """What the lines are, all together. None: look at them one by one, there may be nothing wrong with them."""
    crlf = False
    if b"\r" in data:
        size = len(data)
        data = data.replace(b"\r\n", b"\n")
        crlf = len(data) < size
        if data.endswith(b"\r"):
            return None
    if not is_utf8(data) or any_is_deep(data) or has_long_number(data):
        return None
    try:
        found, weights = _of_one_pair(data) or _of_several(data)
    except msgspec.DecodeError:
        return None
    ids = set(found)
    if len(ids) < len(found) or not _can_be_kept(ids):
        return None
    return Survey(len(found), ids, weights, crlf)


def _of_one_pair(data: bytes | bytearray) -> Found | None:
    """What most files are: the first line tells the pair, the parser that all others have it. None if they have not."""
    first = usual([data[: data.find(b"\n") + 1 or len(data)]])
    [pair] = first.pairs
    endpoint = limits.ENDPOINTS[pair.endpoint]
    if endpoint.embeds:
        return None
    try:
        ids = _alike(pair).ids(BytesIO(data))
    except msgspec.DecodeError:
        return None
    size = len(data) + (not data.endswith(b"\n"))
    return ids, {pair: Weight(len(ids), size, 0, endpoint.answer_bytes * len(ids))}


def _of_several(data: bytes | bytearray) -> Found:
    found = usual(BytesIO(data))
    sums: dict[Pair, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for pair, body, line in zip(found.pairs, found.bodies, BytesIO(data), strict=True):
        inputs, answer_bytes = embedded(limits.ENDPOINTS[pair.endpoint], body)
        if inputs > limits.EMBEDDING_INPUTS_PER_BATCH:
            raise msgspec.DecodeError("too many inputs")
        of = sums[pair]
        of[0] += 1
        of[1] += len(line)
        of[2] += inputs
        of[3] += answer_bytes
    if not data.endswith(b"\n"):
        sums[found.pairs[-1]][1] += 1
    return found.ids, {pair: Weight(*of) for pair, of in sums.items()}


def _can_be_kept(ids: set[str]) -> bool:
    if "" in ids or max(map(len, ids)) > limits.CUSTOM_ID_CHARACTERS:
        return False
    return "\n" + MAPPED_PREFIX not in "\n" + "\n".join(ids)
