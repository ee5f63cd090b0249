"""Judging many lines at once: one call of the parser for all of them, where they are as usual."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from batchdrop.core import limits
from batchdrop.core.ids import MAPPED_PREFIX
from batchdrop.core.request import USUAL, Pair, Usual, Weight, embedded, is_model
from batchdrop.core.text import count_flat_lines, is_utf8

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_ids = attrgetter("custom_id")
_models = attrgetter("body.model")
_streams = attrgetter("body.stream")
_endpoints = attrgetter("url")


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
    if crlf := b"\r" in data:
        data = data.replace(b"\r\n", b"\n")
        if b"\r" in data:
            return None
    count = count_flat_lines(data) if is_utf8(data) else None
    if count is None:
        return None
    try:
        rows = USUAL.decode_lines(data)
    except (msgspec.DecodeError, RecursionError):
        return None
    ids = set(map(_ids, rows))
    if not len(rows) == len(ids) == count or True in set(map(_streams, rows)) or not _can_be_kept(ids):
        return None
    weights = _weights(data, rows)
    return None if weights is None else Survey(count, ids, weights, crlf)


def _can_be_kept(ids: set[str]) -> bool:
    if "" in ids or max(map(len, ids)) > limits.CUSTOM_ID_CHARACTERS:
        return False
    return "\n" + MAPPED_PREFIX not in "\n" + "\n".join(ids)


def _weights(data: bytes | bytearray, rows: Sequence[Usual]) -> dict[Pair, Weight] | None:
    pairs = list(zip(map(_models, rows), map(_endpoints, rows), strict=True))
    distinct = set(pairs)
    if not all(is_model(model) for model, _ in distinct):
        return None
    if len(distinct) == 1:
        size = len(data) + (not data.endswith(b"\n"))
        sums = _sums(Pair(*pairs[0]), rows)
        return None if sums is None else {Pair(*pairs[0]): Weight(len(rows), size, *sums)}
    return _each(zip(pairs, map(len, data.split(b"\n")), rows, strict=False))


def _each(lines: Iterable[tuple[tuple[str, str], int, Usual]]) -> dict[Pair, Weight] | None:
    groups: dict[tuple[str, str], tuple[list[int], list[Usual]]] = {}
    for pair, size, row in lines:
        sizes, rows = groups.setdefault(pair, ([], []))
        sizes.append(size + 1)
        rows.append(row)
    weights: dict[Pair, Weight] = {}
    for found, (sizes, rows) in groups.items():
        pair = Pair(*found)
        sums = _sums(pair, rows)
        if sums is None:
            return None
        weights[pair] = Weight(len(rows), sum(sizes), *sums)
    return weights


def _sums(pair: Pair, rows: Sequence[Usual]) -> tuple[int, int] | None:
    """(texts to embed, projected bytes of answers); None if a line has too many texts."""
    endpoint = limits.ENDPOINTS[pair.endpoint]
    if not endpoint.embeds:
        return 0, endpoint.answer_bytes * len(rows)
    inputs, sizes = zip(*(embedded(endpoint, row.body) for row in rows), strict=True)
    return None if max(inputs) > limits.EMBEDDING_INPUTS_PER_BATCH else (sum(inputs), sum(sizes))
