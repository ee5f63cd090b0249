"""A byte range that is looked up when it is read, not when it is asked for."""

from __future__ import annotations

import io
from collections.abc import Callable


class Late:
    """``ports.Replayable`` over bytes that ``find`` gives, at the first read after a seek."""

    def __init__(self, find: Callable[[], bytes], size: int) -> None:
        self._find = find
        self._size = size
        self._position = 0
        self._stream: io.BytesIO | None = None

    def read(self, size: int = -1, /) -> bytes:
        if self._stream is None and self._position < self._size:
            self._stream = io.BytesIO(self._find())
            self._stream.seek(self._position)
        block = self._stream.read(size) if self._stream else b""
        self._position += len(block)
        return block

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        self._position = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._stream = None
        return self._position

    def tell(self) -> int:
        return self._position
