"""A file without a single request: what it is, or what its first line lacks."""

from __future__ import annotations

from batchdrop.core import appearance, limits
from batchdrop.core.codes import said
from batchdrop.core.errors import Rejected
from batchdrop.core.judging import judge
from batchdrop.core.lines import BOM
from batchdrop.core.request import Refusal
from batchdrop.core.stream import BLOCK

INVALID_URL = "invalid_url"  #: the one refusal that quotes


def refusal(lines: int, start: bytes, errors: str) -> Rejected:
    """``lines``: how many there are that are not blank. ``start``: the content's first block.

    ``errors``: where what is wrong with each will stand; where it is known what the file is, that says more.
    """
    if not lines:
        return Rejected(*said("empty_file"))
    if kind := appearance.guess(start[: appearance.HEAD_BYTES]):
        return Rejected(*said("no_valid_requests.kind", lines=lines, kind=kind.name, mend=kind.mend))
    verdict = _first(start.removeprefix(BOM))
    if isinstance(verdict, Refusal):
        return Rejected(*said("no_valid_requests.lines", lines=lines, why=_unquoted(verdict), errors=errors))
    return Rejected(*said("no_valid_requests", lines=lines, errors=errors))


def _unquoted(refusal: Refusal) -> str:
    """Its reason without the user's words: this one goes to the table, the status and the event."""
    if refusal.code != INVALID_URL:
        return refusal.reason
    return said(INVALID_URL, url="one", accepted=", ".join(limits.ENDPOINTS))[1]


def _first(start: bytes) -> object:
    """The verdict on the first line; None if it is not there as a whole."""
    whole, newline, _ = start.lstrip(b" \t\r\n").partition(b"\n")
    return judge(whole.removesuffix(b"\r")) if newline or len(start) < BLOCK else None
