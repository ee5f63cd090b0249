"""Servers of the standard library that run beside the work of a block."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator
    from socketserver import BaseServer

    Served = TypeVar("Served", bound=BaseServer)


@contextmanager
def running(server: Served) -> Iterator[Served]:
    """The server, in a thread of its own, for as long as the block runs."""
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
