"""A provider that does what the test says, when it says it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from batchdrop.core.errors import Rejected, RetryLater
from batchdrop.ports import BatchPage, Clock, LineError, RemoteBatch, Replayable
from tests.fakes.answers import Json, answer, as_line, respond_to, unexecuted

Method = Literal["upload", "create", "page", "retrieve", "cancel", "download", "delete_file"]
Lines = Iterable[Mapping[str, Any] | bytes | str]
ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
BLOCK = 64 * 1024
OK, FIRST_ERROR = 200, 400


@dataclass
class Fault:
    """An error waiting for its call. ``after``: the call does its work first, and its answer is lost."""

    error: Exception
    call: int
    after: bool = False


@dataclass
class RemoteFile:
    """A file at the provider; ``name`` is empty for those that it made itself."""

    name: str
    data: bytes


@dataclass
class InMemoryBatchApi:
    """``ports.BatchApi`` in dicts. Batches stay ``validating`` until a helper moves them.

    ``calls`` counts the port's calls by method. ``executed`` counts how often each custom id was run, which is what is
    paid for. ``list_lag``: seconds until a new batch shows up in the list.
    """

    clock: Clock
    page_size: int = 100
    list_lag: float = 0
    key: str = "1"  #: its version
    files: dict[str, RemoteFile] = field(default_factory=dict)
    batches: dict[str, RemoteBatch] = field(default_factory=dict)
    calls: Counter[Method] = field(default_factory=Counter)
    executed: Counter[str] = field(default_factory=Counter)
    respond: Callable[[Json], tuple[int, Json]] = respond_to
    _faults: dict[Method, list[Fault]] = field(default_factory=dict)
    _named: int = 0  #: ids given out so far

    # what tests ask for
    def script(self, method: Method, error: Exception, *, call: int = 1, after: bool = False) -> None:
        """Raise ``error`` at the n-th call of ``method`` from now; ``after``: once its work is done.

        A download has handed out half of its bytes by then.
        """
        self._faults.setdefault(method, []).append(Fault(error, self.calls[method] + call, after))

    def requests(self, batch_id: str) -> list[Json]:
        """The requests that a batch was created with."""
        data = self.files[self.batches[batch_id].input_file_id].data
        return [json.loads(line) for line in data.split(b"\n") if line.strip()]

    def open_batches(self) -> list[str]:
        """Ids of the batches that have not ended, oldest first."""
        return [batch.id for batch in self.batches.values() if batch.status not in ENDED]

    def finish(self, batch_id: str, output: Lines | None = None, errors: Lines = ()) -> RemoteBatch:
        """Complete a batch with these lines; without ``output``, every request that no error line names is answered.

        Answers come in reverse order, those of a status above 399 as error lines.
        """
        wrong = [as_line(line) for line in errors]
        named = {line.get("custom_id") for line in map(_parsed, wrong)}
        if output is not None:
            return self._end(batch_id, "completed", [as_line(line) for line in output], wrong)
        right, failed = self._run(one for one in self.requests(batch_id) if one["custom_id"] not in named)
        return self._end(batch_id, "completed", right, failed + wrong)

    def finish_all(self) -> None:
        """Complete every open batch."""
        for batch_id in self.open_batches():
            self.finish(batch_id)

    def expire(self, batch_id: str, done: float = 0.5, status: str = "expired") -> RemoteBatch:
        """Run out of time: the first ``done`` of the requests is answered, the rest was never run nor counted."""
        requests = self.requests(batch_id)
        ready = round(len(requests) * done)
        right, failed = self._run(requests[:ready])
        left = [as_line(unexecuted(one["custom_id"], f"batch_{status}")) for one in requests[ready:]]
        return self._end(batch_id, status, right, failed + left)

    def fail(self, batch_id: str, *errors: LineError) -> RemoteBatch:
        """Refuse a batch in validation: nothing was executed."""
        return self.change(batch_id, status="failed", errors=errors)

    def change(self, batch_id: str, **fields: Any) -> RemoteBatch:
        """Show a batch differently: ``change(id, status="finalizing")``."""
        self.batches[batch_id] = replace(self.batches[batch_id], **fields)
        return self.batches[batch_id]

    # the port
    def upload(self, name: str, body: Replayable) -> str:
        with self._call("upload"):
            size = body.seek(0, 2)
            body.seek(0)
            data = b"".join(iter(lambda: body.read(BLOCK), b""))
            assert len(data) == size, "a body must be as long as it says"
            return self._file(data, name)

    def create(
        self, *, file_id: str, endpoint: str, completion_window: str, metadata: Mapping[str, str]
    ) -> RemoteBatch:
        with self._call("create"):
            if not self._has(file_id):
                raise RetryLater(f"cannot find file {file_id}", code="file_not_found")
            batch = RemoteBatch(
                id=self._id("batch"),
                status="validating",
                input_file_id=file_id,
                created_at=int(self.clock.now().timestamp()),
                metadata=dict(metadata),
            )
            self.batches[batch.id] = batch
            return batch

    def page(self, cursor: str | None = None) -> BatchPage:
        with self._call("page"):
            horizon = self.clock.now().timestamp() - self.list_lag
            newest_first = list(reversed(self.batches.values()))
            start = 0 if cursor is None else [batch.id for batch in newest_first].index(cursor) + 1
            listed = [batch for batch in newest_first[start:] if batch.created_at <= horizon]
            shown = tuple(listed[: self.page_size])
            more = self.page_size < len(listed)
            return BatchPage(shown, shown[-1].id if more else None)

    def retrieve(self, batch_id: str) -> RemoteBatch | None:
        with self._call("retrieve"):
            return self.batches.get(batch_id)

    def cancel(self, batch_id: str) -> None:
        with self._call("cancel"):
            if batch_id not in self.batches:
                raise Rejected("not_found", f"there is no batch {batch_id}")
            if self.batches[batch_id].status not in ENDED:
                self.change(batch_id, status="cancelling")

    @contextmanager
    def download(self, file_id: str) -> Iterator[Iterator[bytes]]:
        self._enter("download")
        if file_id not in self.files:
            raise Rejected("file_gone", f"there is no file {file_id}")
        yield _blocks(self.files[file_id].data, self._due("download", after=True))

    def delete_file(self, file_id: str) -> bool:
        with self._call("delete_file"):
            return self._has(file_id) and self.files.pop(file_id, None) is not None

    def key_version(self) -> str:
        return self.key

    # inside
    @contextmanager
    def _call(self, method: Method) -> Iterator[None]:
        self._enter(method)
        yield
        if error := self._due(method, after=True):
            raise error

    def _enter(self, method: Method) -> None:
        self.calls[method] += 1
        if error := self._due(method, after=False):
            raise error

    def _due(self, method: Method, *, after: bool) -> Exception | None:
        for fault in self._faults.get(method, []):
            if (fault.call, fault.after) == (self.calls[method], after):
                return fault.error
        return None

    def _has(self, file_id: str) -> bool:
        return file_id in self.files

    def _id(self, kind: str) -> str:
        self._named += 1
        return f"{kind}-{self._named:06d}"

    def _file(self, data: bytes, name: str = "") -> str:
        file_id = self._id("file")
        self.files[file_id] = RemoteFile(name, data)
        return file_id

    def _run(self, requests: Iterable[Json]) -> tuple[list[bytes], list[bytes]]:
        lines = [answer(one["custom_id"], *self.respond(one)) for one in requests]
        right = [as_line(line) for line in reversed(lines) if line["response"]["status_code"] < FIRST_ERROR]
        wrong = [as_line(line) for line in reversed(lines) if line["response"]["status_code"] >= FIRST_ERROR]
        return right, wrong

    def _end(self, batch_id: str, status: str, output: list[bytes], errors: list[bytes]) -> RemoteBatch:
        ran = [line for line in map(_parsed, output + errors) if line.get("response")]
        self.executed.update(str(line.get("custom_id")) for line in ran)
        good = sum(1 for line in ran if line["response"].get("status_code") == OK)
        return self.change(
            batch_id,
            status=status,
            completed=good,
            failed=len(ran) - good,
            output_file_id=self._file(b"".join(output)) if output else None,
            error_file_id=self._file(b"".join(errors)) if errors else None,
        )


def _parsed(line: bytes) -> Json:
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _blocks(data: bytes, cut: Exception | None) -> Iterator[bytes]:
    end = len(data) if cut is None else len(data) // 2
    for start in range(0, end, BLOCK):
        yield data[start : min(start + BLOCK, end)]
    if cut is not None:
        raise cut
