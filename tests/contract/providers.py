"""The providers that the contract of ``ports.BatchApi`` is held against, with the levers that its tests need."""

from __future__ import annotations

import io
import json
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from batchdrop.adapters.openai_batches import OpenAIBatches
from batchdrop.ports import BatchApi, RemoteBatch
from local.openai import Server, serve
from tests.fakes import InMemoryBatchApi


class Provider(Protocol):
    """A provider under test."""

    @property
    def api(self) -> BatchApi: ...

    def finish(self) -> None:
        """Let every batch come to its end."""
        ...

    def creates(self) -> int:
        """How many creates arrived."""
        ...


@dataclass
class InMemory:
    api: InMemoryBatchApi

    def finish(self) -> None:
        self.api.finish_all()

    def creates(self) -> int:
        return self.api.calls["create"]


@dataclass
class FixedKey:
    """A key that is replaced by the next of ``others`` each time that it is refused."""

    key: str = "sk-local-1"
    others: list[str] = field(default_factory=list)

    def current(self) -> str:
        return self.key

    def version(self) -> str:
        return self.key

    def renewed(self) -> bool:
        if self.others:
            self.key = self.others.pop(0)
            return True
        return False


@dataclass
class Local:
    api: OpenAIBatches
    server: Server
    key: FixedKey

    def finish(self) -> None:
        self.server.admin.wait_until_idle()

    def creates(self) -> int:
        return self.server.admin.count("batches.create")


@contextmanager
def local(**settings: object) -> Iterator[Local]:
    with serve(settings={"unknown_file_at_create": True} | settings) as server:
        key = FixedKey()
        api = OpenAIBatches(server.base_url, key)
        try:
            yield Local(api, server, key)
        finally:
            api.close()


def request(custom_id: str, text: str = "hello") -> dict[str, object]:
    body = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": text}]}
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": body}


def requests(custom_ids: Iterable[str] = ("r-1", "r-2", "r-3")) -> bytes:
    return b"".join(json.dumps(request(custom_id)).encode() + b"\n" for custom_id in custom_ids)


def upload(api: BatchApi, data: bytes | None = None, name: str = "job.chunk-000001.1.jsonl") -> str:
    return api.upload(name, io.BytesIO(requests() if data is None else data))


def create(api: BatchApi, file_id: str, **metadata: str) -> RemoteBatch:
    endpoint = "/v1/chat/completions"
    return api.create(file_id=file_id, endpoint=endpoint, completion_window="24h", metadata=metadata)


def download(api: BatchApi, file_id: str | None) -> bytes:
    assert file_id is not None
    with api.download(file_id) as blocks:
        return b"".join(blocks)


@contextmanager
def one_answer(pieces: Iterator[bytes]) -> Iterator[tuple[str, list[bytes]]]:
    """A server that answers every connection with ``pieces``; its base URL, and what it was sent."""
    sent: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            connection, _ = listener.accept()
            with connection:
                sent.append(connection.recv(65536))
                try:
                    for piece in pieces:
                        connection.sendall(piece)
                except OSError:
                    return

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1", sent
        thread.join(5)


@contextmanager
def api_at(url: str) -> Iterator[OpenAIBatches]:
    api = OpenAIBatches(url, FixedKey())
    try:
        yield api
    finally:
        api.close()
