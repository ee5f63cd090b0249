"""The SDK's client: made at the first call, because importing it takes longer than most of our invocations.

It never retries by itself (a retried POST buys twice, a retried GET sleeps in a function that is paid for), never
follows a redirect with the key, and never logs.
"""

from __future__ import annotations

import functools
import logging
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import ssl

    import httpx2
    from openai import OpenAI

CONNECT_SECONDS = 5.0
SILENCE_SECONDS = 60.0  #: longest wait for the next bytes
_CONNECTED = frozenset({"connection.connect_tcp.complete", "connection.start_tls.complete"})
_TALKATIVE = ("openai", "httpx2", "httpcore2")


class Client:
    """The API at ``base_url``. ``key`` gives the key of the moment, and is asked before every call."""

    def __init__(self, base_url: str, key: Callable[[], str]) -> None:
        self._base_url = base_url
        self._key = key

    @functools.cached_property
    def shared(self) -> OpenAI:
        """For calls that may be repeated: connections are kept."""
        from openai import OpenAI  # noqa: PLC0415 - half a second; only where an API call follows

        for name in _TALKATIVE:
            # Their debug logs show options and headers; nothing of a request belongs in a log.
            logging.getLogger(name).setLevel(logging.WARNING)
        http = _http(SILENCE_SECONDS)
        return OpenAI(base_url=self._base_url, api_key=self._key, max_retries=0, timeout=http.timeout, http_client=http)

    def close(self) -> None:
        """Let go of the kept connections, if any were made."""
        if "shared" in vars(self):
            self.shared.close()

    @contextmanager
    def once(self, seconds: float) -> Iterator[OpenAI]:
        """For a call that must not be repeated: one attempt on a connection of its own, ended after ``seconds``.

        A kept connection that the other side has closed would make us doubt whether the request arrived.
        """
        with Cutoff(seconds) as cutoff, _http(seconds, hook=cutoff.watch) as http:
            yield self.shared.with_options(max_retries=0, timeout=http.timeout, http_client=http)


class Cutoff:
    """Shuts the connection when time is over: the SDK's timeouts start anew with every byte that trickles in."""

    def __init__(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self._shut)
        self._timer.daemon = True
        self._socket: socket.socket | None = None
        self._over = False

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def watch(self, request: httpx2.Request) -> None:
        request.extensions["trace"] = self._connected

    def _connected(self, event: str, info: Mapping[str, Any]) -> None:
        if event in _CONNECTED:
            self._socket = info["return_value"].get_extra_info("socket")
            if self._over:
                self._shut()

    def _shut(self) -> None:
        self._over = True
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)


def _http(seconds: float, hook: Callable[[httpx2.Request], None] | None = None) -> httpx2.Client:
    import httpx2  # noqa: PLC0415 - comes with the SDK

    return httpx2.Client(
        timeout=httpx2.Timeout(seconds, connect=CONNECT_SECONDS),
        follow_redirects=False,
        verify=_trust(),
        event_hooks={"request": [hook] if hook else []},
    )


@functools.cache
def _trust() -> ssl.SSLContext:
    """Whom every connection trusts. Reading the certificates takes 50 ms, more than a small upload."""
    import httpx2  # noqa: PLC0415 - comes with the SDK

    return httpx2.create_ssl_context()
