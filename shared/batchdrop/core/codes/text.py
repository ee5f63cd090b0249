"""The shape of a text that users meet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Text:
    """``wrong`` and ``mend`` are templates; ``example`` are values for them."""

    wrong: str
    mend: str
    example: Mapping[str, object]


def text(wrong: str, mend: str, /, **example: object) -> Text:
    return Text(wrong, mend, example)
