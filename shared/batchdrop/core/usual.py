"""Valid requests as nearly everybody writes them, read without their bodies.

A line that differs is no error yet: it is looked at again, slowly. Lines must be UTF-8 and not deep.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from batchdrop.core import limits
from batchdrop.core.request import Body, Pair, is_model, is_nothing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Lines = Iterable[bytes | bytearray]


class _Id:
    """A text; the parser shows it to us wherever it stands, so what stands twice is seen twice."""


class _Model:
    """The same."""


class _No:
    """False or null."""


class _Array(msgspec.Struct, array_like=True, gc=False):
    """Any list, left unread. ``Raw`` would keep its line in memory."""


class _Body(Body, gc=False, kw_only=True):
    model: _Model
    stream: _No | None = None
    background: _No | None = None


class Usual(NamedTuple):
    """The k-th line has the k-th id, pair and body."""

    ids: Sequence[str]
    pairs: Sequence[Pair]
    bodies: Sequence[Body]


class _Reader:
    """Reads lines of any of ``urls`` whose body is a ``body``. Not for two threads at once."""

    def __init__(self, urls: tuple[str, ...], body: type) -> None:
        url: Any = Literal[urls]
        fields: list[Any] = [("custom_id", _Id), ("method", Literal["POST"]), ("url", url), ("body", body)]
        self._decode = msgspec.json.Decoder(msgspec.defstruct("_Line", fields, gc=False), dec_hook=self._see).decode
        self.ids: list[str] = []
        self.models: list[str] = []

    def rows(self, lines: Lines) -> list[Any]:
        """Their rows; ``ids`` and ``models`` are what stands in them. ``DecodeError`` if one is not as it must be."""
        self.ids, self.models = [], []
        rows = list(map(self._decode, lines))
        if len(self.ids) != len(rows):
            raise msgspec.DecodeError("an id stands twice")
        return rows

    def _see(self, kind: type, value: object) -> object:
        if kind is _Id and isinstance(value, str):
            self.ids.append(value)
            return _ID
        if kind is _Model and isinstance(value, str):
            self.models.append(value)
            return _MODEL
        if kind is _No and value is False:
            return _NO
        raise ValueError("not as usual")


#: What tells of a stream, or of answers that are larger than usual, with the values that do not.
_TELLING: list[Any] = [
    *((name, _No | None, None) for name in ("stream", "background", "logprobs")),
    ("n", Literal[1] | None, None),
    ("top_logprobs", None, None),
]
_ID, _MODEL, _NO = _Id(), _Model(), _No()
_ANY = _Reader(tuple(limits.ENDPOINTS), _Body)
_urls = attrgetter("url")
_bodies = attrgetter("body")


def usual(lines: Lines) -> Usual:
    """``DecodeError`` if one of them is not as usual."""
    rows = _ANY.rows(lines)
    if len(_ANY.models) != len(rows):
        raise msgspec.DecodeError("a model stands twice")
    pairs = list(map(Pair, _ANY.models, map(_urls, rows)))
    bodies = list(map(_bodies, rows))
    if not all(map(_is_whole, pairs, bodies)):
        raise msgspec.DecodeError("something is missing")
    return Usual(_ANY.ids, pairs, bodies)


def _is_whole(pair: Pair, body: Body) -> bool:
    prompt = limits.ENDPOINTS[pair.endpoint].prompt
    return is_model(pair.model) and not (prompt and is_nothing(getattr(body, prompt)))


class Alike:
    """The same for lines of one pair alone, faster."""

    def __init__(self, pair: Pair) -> None:
        fields: list[Any] = [("model", _Model)]
        if prompt := limits.ENDPOINTS[pair.endpoint].prompt:
            fields.append((prompt, _Array if prompt == "messages" else _Array | str))
        fields += _TELLING
        self._model = pair.model
        self._reader = _Reader((pair.endpoint,), msgspec.defstruct("_Alike", fields, gc=False))

    def ids(self, lines: Lines) -> Sequence[str]:
        """``DecodeError`` if one of them is not as usual, or of another pair."""
        rows = self._reader.rows(lines)
        models = self._reader.models
        if len(models) != len(rows) or models.count(self._model) != len(rows):
            raise msgspec.DecodeError("another model, or one that stands twice")
        return self._reader.ids
