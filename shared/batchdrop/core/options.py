"""A job's options: what the object's metadata says, over the stack's parameters. The list is closed."""

from __future__ import annotations

import re
from decimal import Decimal
from difflib import get_close_matches
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from batchdrop.core import limits
from batchdrop.core.codes import said
from batchdrop.core.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

APIS = ("default",)
MOST_ATTEMPTS = 100
NO_CAP = "none"
#: How like an option a key is that was meant to be one: those of other tools are less so.
_NEAR = 0.8
_SHORT = 4  #: letters
_WINDOW = re.compile(r"[1-9]\d{0,3}[mhd]")


class InvalidLines(StrEnum):
    """What to do about a line that is no request."""

    REPORT = "report"  #: report it, run the rest
    REJECT = "reject"  #: run nothing


class Priority(StrEnum):
    """Whose batches go first where there is not room for all (``core.admission.SHARES``)."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What a user may choose per job; frozen when the job is planned."""

    invalid_lines: InvalidLines = InvalidLines.REPORT
    max_attempts: int = 3
    completion_window: str = limits.COMPLETION_WINDOWS[0]
    api: str = "default"
    priority: Priority = Priority.NORMAL
    max_cost_usd: Decimal | None = None


def windows(host: str) -> tuple[str, ...]:
    """The completion windows that a provider takes; empty where only it knows."""
    is_known = any(host == name or host.endswith("." + name) for name in limits.COMPLETION_WINDOW_HOSTS)
    return limits.COMPLETION_WINDOWS if is_known else ()


def options(metadata: Mapping[str, str], defaults: Options, windows: Collection[str] = ()) -> Options:
    """``metadata``: the object's own, keys in lower case; keys that are not options are other tools' and ignored.

    ``windows``: the completion windows that the provider takes, where that is known.

    ``Rejected("invalid_option")`` for a value that an option cannot have, and for a key that is nearly one, such as
    ``MaxCostUSD`` or ``max-cost``: a cap that is ignored costs money.
    """
    for key in sorted(metadata.keys() - _READERS.keys()):
        if meant := _meant(_letters(key)):
            raise Rejected(*said("invalid_option.name", given=key, name=meant))
    given = {name: read(name, metadata[name].strip()) for name, read in _READERS.items() if name in metadata}
    asked = given.get("completion-window")
    if asked and windows and asked not in windows:
        raise _wrong("completion-window", f"{' or '.join(windows)}, which is all that the provider takes")
    return msgspec.structs.replace(defaults, **{name.replace("-", "_"): value for name, value in given.items()})


def _invalid_lines(name: str, value: str) -> InvalidLines:
    try:
        return InvalidLines(value.lower())
    except ValueError:
        raise _wrong(name, "report or reject") from None


def _max_attempts(name: str, value: str) -> int:
    if re.fullmatch(r"[0-9]{1,3}", value) and 1 <= int(value) <= MOST_ATTEMPTS:
        return int(value)
    raise _wrong(name, f"a number from 1 to {MOST_ATTEMPTS}")


def _completion_window(name: str, value: str) -> str:
    if _WINDOW.fullmatch(value):
        return value
    raise _wrong(name, "a time such as 24h")


def _api(name: str, value: str) -> str:
    if value in APIS:
        return value
    raise _wrong(name, " or ".join(APIS))


def _priority(name: str, value: str) -> Priority:
    try:
        return Priority(value.lower())
    except ValueError:
        raise _wrong(name, "high, normal or low") from None


def cap(value: str) -> Decimal | None:
    """US dollars, as digits with at most six decimals; None for no cap. ``ValueError`` for anything else."""
    if value.lower() == NO_CAP:
        return None
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", value):
        raise ValueError(f"a number of US dollars such as 12.50, or {NO_CAP}")
    return Decimal(value)


def _max_cost_usd(name: str, value: str) -> Decimal | None:
    try:
        return cap(value)
    except ValueError as error:
        raise _wrong(name, str(error)) from None


def _letters(name: str) -> str:
    return re.sub(r"[-_. ]", "", name.lower())


def _meant(letters: str) -> str | None:
    """The option that has these letters, or nearly; of a short name, each letter counts."""
    near = [letters] if letters in _LETTERS else get_close_matches(letters, filter(_is_long, _LETTERS), 1, _NEAR)
    return _LETTERS[near[0]] if near else None


def _is_long(letters: str) -> bool:
    return len(letters) > _SHORT


def _wrong(name: str, accepted: str) -> Rejected:
    return Rejected(*said("invalid_option", name=name, accepted=accepted))


_READERS: dict[str, Callable[[str, str], Any]] = {
    "invalid-lines": _invalid_lines,
    "max-attempts": _max_attempts,
    "completion-window": _completion_window,
    "api": _api,
    "priority": _priority,
    "max-cost-usd": _max_cost_usd,
}
_LETTERS = {_letters(name): name for name in _READERS}
