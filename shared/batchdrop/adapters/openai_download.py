"""The content of a file, all of it or ``RetryLater``; taken up where it was cut, where the provider gives out parts.

OpenAI cuts downloads of more than some 200 MB, each time anew: what began again at its first byte would never end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from batchdrop.core.errors import Rejected, RetryLater

if TYPE_CHECKING:
    from openai._response import APIResponse

    #: The answer to a request with these headers; None where there is no such file.
    Ask = Callable[[Mapping[str, str]], APIResponse[bytes] | None]

BLOCK = 2**20
#: No part is asked for later than that: one that falls silent takes another minute, and the function has fifteen.
RESUME_SECONDS = 240.0
#: A coding would hide whether all of the announced bytes came.
PLAIN = {"Accept-Encoding": "identity"}
_PARTIAL = 206


def whole(first: APIResponse[bytes], ask: Ask, clock: Callable[[], float] = time.monotonic) -> Iterator[bytes]:
    """The body of ``first`` in blocks. ``ask`` is for what a cut left, while each part brings a block and it is early.

    ``clock``: seconds.
    """
    import httpx2  # noqa: PLC0415 - comes with the SDK

    came, total, trouble, latest = 0, _announced(first), "", clock() + RESUME_SECONDS
    answer: APIResponse[bytes] | None = first
    while answer is not None:
        begun = came
        try:
            for block in answer.iter_bytes(BLOCK):
                came += len(block)
                yield block
            if total is None or begun + answer.http_response.num_bytes_downloaded == total:
                return
            trouble = f"a download ended after {came} of {total} bytes"
        except (httpx2.HTTPError, httpx2.StreamError, OSError) as error:
            # Past its headers the SDK lets these through as they are.
            trouble = f"a download was cut at byte {came}: {type(error).__name__}"
        answer = _rest(first, came, total, ask) if came > begun and clock() < latest else None
    raise RetryLater(trouble)


def _announced(answer: APIResponse[bytes]) -> int | None:
    length = answer.headers.get("content-length", "")
    return int(length) if length.isdecimal() else None


def _rest(first: APIResponse[bytes], came: int, total: int | None, ask: Ask) -> APIResponse[bytes] | None:
    """The bytes of the same file from ``came`` on; None where the provider does not give just those."""
    if total is None or came >= total or _is_coded(first):
        return None
    # A file's content never changes; where it is named, it is asked for by its name all the same.
    tag = first.headers.get("etag", "")
    same = {"If-Range": tag} if tag.startswith('"') else {}
    try:
        answer = ask({**PLAIN, "Range": f"bytes={came}-", **same})
    except Rejected:
        return None
    if answer is None or answer.status_code != _PARTIAL or _is_coded(answer):
        return None
    return answer if answer.headers.get("content-range") == f"bytes {came}-{total - 1}/{total}" else None


def _is_coded(answer: APIResponse[bytes]) -> bool:
    return answer.headers.get("content-encoding", "identity") != "identity"
