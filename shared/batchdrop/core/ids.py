"""Which custom ids go out as they are."""

from __future__ import annotations

import re

from batchdrop.core import limits, naming

MAPPED_PREFIX = naming.MAPPED_ID.partition("{")[0]
_MAPPED = re.compile(re.escape(MAPPED_PREFIX) + r"\d{6,}")


def can_be_kept(custom_id: str | None) -> bool:
    """Whether the API takes it, and nobody could take it for one of ours."""
    return (
        custom_id is not None and 0 < len(custom_id) <= limits.CUSTOM_ID_CHARACTERS and not _MAPPED.fullmatch(custom_id)
    )
