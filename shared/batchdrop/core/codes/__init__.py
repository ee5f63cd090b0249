"""Every code of ours that users meet, as data: what is wrong, what to do, an example. docs/errors.md is made of it.

A name is a code, or a code and what tells several texts of it apart: ``invalid_request.model``.
"""

from __future__ import annotations

from batchdrop.core.codes.files import FILES
from batchdrop.core.codes.lines import LINES
from batchdrop.core.codes.running import BLOCKED, REQUESTS

__all__ = ["ALL", "BLOCKED", "FILES", "LINES", "REQUESTS", "said"]

ALL = {**FILES, **LINES, **REQUESTS, **BLOCKED}


def said(name: str, /, **values: object) -> tuple[str, str]:
    """Code and reason: what is wrong, and what to do."""
    text = ALL[name]
    return name.partition(".")[0], f"{text.wrong} {text.mend}".format(**values)
