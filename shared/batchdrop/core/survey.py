"""Judging many lines at once: one call of the parser for all of them, where they are as usual."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from batchdrop.core import limits
from batchdrop.core.ids import MAPPED_PREFIX
from batchdrop.core.request import USUAL, Pair, Weight, alike, embedded, is_model
from batchdrop.core.text import flat

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batchdrop.core.request import Body

#: The custom ids, and what the lines of each pair weigh.
_Found = tuple[set[str], dict[Pair, Weight]]

_ids = attrgetter("custom_id")
_kinds = attrgetter("body.model", "url", "body.stream")
#: A decoder takes some 100 µs to make, and no job has more pairs.
_alike = lru_cache(limits.PAIRS_PER_JOB)(alike)


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
    lines = flat(data)
    if lines is None:
        return None
    try:
        found = _of_one_pair(lines.data) or _of_several(lines.data)
    except (msgspec.DecodeError, RecursionError):
        return None
    if found is None or _looks_like_ours(found[0]):
        return None
    ids, weights = found
    requests = sum(weight.requests for weight in weights.values())
    return Survey(requests, ids, weights, lines.crlf) if len(ids) == requests == lines.lines else None


def _of_one_pair(data: bytes | bytearray) -> _Found | None:
    """What most files are: the first line tells the pair, the parser that all others have it. None if they have not."""
    first = USUAL.decode(data[: data.find(b"\n") + 1 or len(data)])
    pair = Pair(first.body.model, first.url)
    endpoint = limits.ENDPOINTS[pair.endpoint]
    if endpoint.embeds or not is_model(pair.model):
        return None
    try:
        rows = _alike(pair).decode_lines(data)
    except msgspec.ValidationError:
        return None
    size = len(data) + (not data.endswith(b"\n"))
    return set(map(_ids, rows)), {pair: Weight(len(rows), size, 0, endpoint.answer_bytes * len(rows))}


def _of_several(data: bytes | bytearray) -> _Found | None:
    rows = USUAL.decode_lines(data)
    kinds = list(map(_kinds, rows))
    if any(stream or not is_model(model) for model, _, stream in set(kinds)):
        return None
    sizes = dict.fromkeys(kinds, 0)
    for kind, line in zip(kinds, data.split(b"\n"), strict=False):
        sizes[kind] += len(line) + 1
    weights: dict[Pair, Weight] = {}
    for kind, requests in Counter(kinds).items():
        bodies = (row.body for row, of in zip(rows, kinds, strict=True) if of == kind)
        weight = _weight(limits.ENDPOINTS[kind[1]], requests, sizes[kind], bodies)
        if weight is None:
            return None
        pair = Pair(*kind[:2])
        weights[pair] = _sum(weights[pair], weight) if pair in weights else weight
    ids = set(map(_ids, rows))
    can_be_kept = "" not in ids and max(map(len, ids)) <= limits.CUSTOM_ID_CHARACTERS
    return (ids, weights) if can_be_kept else None


def _weight(endpoint: limits.Endpoint, requests: int, size: int, bodies: Iterable[Body]) -> Weight | None:
    if not endpoint.embeds:
        return Weight(requests, size, 0, endpoint.answer_bytes * requests)
    inputs, answers = zip(*(embedded(endpoint, body) for body in bodies), strict=True)
    if max(inputs) > limits.EMBEDDING_INPUTS_PER_BATCH:
        return None
    return Weight(requests, size, sum(inputs), sum(answers))


def _sum(one: Weight, other: Weight) -> Weight:
    return Weight(*map(sum, zip(one, other, strict=True)))


def _looks_like_ours(ids: set[str]) -> bool:
    return "\n" + MAPPED_PREFIX in "\n" + "\n".join(ids)
