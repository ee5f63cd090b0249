"""Lambda, as far as the functions call it: that the poller be invoked is heard, and done by the bench."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from local.serving import running

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

_ACCEPTED = 202


class Pokes(ThreadingHTTPServer):
    """Counts asynchronous invocations."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self._waiting = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def add(self) -> None:
        self._waiting += 1

    def take(self) -> int:
        """How many came since this was asked last."""
        taken, self._waiting = self._waiting, 0
        return taken


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Pokes

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.add()
        self.send_response(_ACCEPTED)
        self.send_header("Content-Length", "0")
        self.end_headers()


def listening() -> AbstractContextManager[Pokes]:
    """A server for as long as the block runs."""
    return running(Pokes())
