from __future__ import annotations

import asyncio
import json
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from local.openai import Admin, UpstreamOptions, serve
from local.openai.question import Question
from local.openai.upstream import Upstream
from tests.local_openai.driving import counts, line, lines, results, start

if TYPE_CHECKING:
    from collections.abc import Iterator

    import openai
    from openai.types import Batch


@dataclass
class Model:
    """A model server of somebody: it answers with an echo, or as ``answers`` says for a question."""

    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    answers: dict[str, list[tuple[int, bytes]]] = field(default_factory=dict)
    seconds: float = 0.0  #: that each answer takes, but for the first ``quick`` ones
    quick: int = 0
    at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, path: str, headers: Any, body: dict[str, Any]) -> tuple[int, bytes]:
        with self.lock:
            self.asked.append({"path": path, "key": headers.get("Authorization"), "body": body})
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            seconds = self.seconds if len(self.asked) > self.quick else 0.0
        time.sleep(seconds)
        with self.lock:
            self.at_once -= 1
        text = body["messages"][-1]["content"]
        if self.answers.get(text):
            return self.answers[text].pop(0)
        usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
        reply = {"id": "x", "object": "chat.completion", "model": body["model"], "usage": usage, "choices": [text]}
        return 200, json.dumps(reply).encode()


@contextmanager
def listening(here: Model) -> Iterator[Model]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, reply = here.answer(self.path, self.headers, body)
            if status == 0:
                return
            self.send_response(status)
            self.send_header("Retry-After", "0")
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, *_: object) -> None:
            return

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that went away is what one test is about."""

    with Quiet(("127.0.0.1", 0), Handler) as server:
        here.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield here
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def model() -> Iterator[Model]:
    with listening(Model()) as here:
        yield here


def run(sdk: openai.OpenAI, content: bytes, options: UpstreamOptions) -> tuple[Batch, dict[str, dict[str, Any]], Admin]:
    """The ended batch, its lines by custom id, and what the journal counts by then."""
    with serve(upstream=options) as server:
        client = sdk.with_options(base_url=server.base_url)
        batch = start(client, content)
        server.admin.wait_until_idle()
        done = client.batches.retrieve(batch.id)
        rows = results(client, done.output_file_id) + results(client, done.error_file_id)
        assert server.admin.executions() == dict.fromkeys([row["custom_id"] for row in rows], 1)
        return done, {row["custom_id"]: row["response"] for row in rows}, server.admin


def test_every_request_is_answered_by_the_upstream_with_its_usage(sdk: openai.OpenAI, model: Model) -> None:
    options = UpstreamOptions(model.url, key="sk-theirs", model="llama-3")
    done, rows, _ = run(sdk, lines(20), options)
    assert (done.status, counts(done)) == ("completed", (20, 20, 0))
    assert {row["body"]["model"] for row in rows.values()} == {"llama-3"}
    assert rows["q-7"]["body"]["choices"] == ["Question q-7"]
    assert {(asked["path"], asked["key"]) for asked in model.asked} == {("/v1/chat/completions", "Bearer sk-theirs")}
    assert done.usage is not None
    assert (done.usage.input_tokens, done.usage.output_tokens) == (140, 60)


def test_any_model_name_is_taken_and_passed_on(sdk: openai.OpenAI, model: Model) -> None:
    body = {"model": "qwen3:4b", "messages": [{"role": "user", "content": "Hello"}], "temperature": 0}
    done, _, _ = run(sdk, line("a", body=body), UpstreamOptions(model.url))
    assert counts(done) == (1, 1, 0)
    assert [(asked["body"], asked["key"]) for asked in model.asked] == [(body, None)]


def test_what_may_pass_is_tried_again_and_what_may_not_keeps_its_status(sdk: openai.OpenAI, model: Model) -> None:
    error = b'{"error": {"message": "No.", "type": "x", "param": null, "code": "y"}}'
    model.answers = {
        "Question q-0": [(429, error), (503, b"<html>busy</html>"), (0, b"")],
        "Question q-1": [(400, error)],
        "Question q-2": [(404, b"no such page")],
        "Question q-3": [(500, error)] * 4,
    }
    done, rows, _ = run(sdk, lines(5), UpstreamOptions(model.url))
    assert {custom_id: row["status_code"] for custom_id, row in rows.items()} == {
        "q-0": 200,
        "q-1": 400,
        "q-2": 404,
        "q-3": 500,
        "q-4": 200,
    }
    assert rows["q-1"]["body"] == json.loads(error)
    assert rows["q-2"]["body"]["error"]["message"] == "no such page"
    assert (done.status, counts(done)) == ("completed", (5, 2, 3))
    asked = [asked["body"]["messages"][-1]["content"] for asked in model.asked]
    assert [asked.count(f"Question q-{number}") for number in range(5)] == [4, 1, 1, 4, 1]


def test_where_nothing_listens_the_requests_fail_with_502(sdk: openai.OpenAI) -> None:
    done, rows, _ = run(sdk, lines(1), UpstreamOptions("http://127.0.0.1:9/v1", attempts=1))
    assert (done.status, rows["q-0"]["status_code"]) == ("completed", 502)
    assert rows["q-0"]["body"]["error"]["code"] == "upstream_error"


def test_no_more_requests_are_under_way_than_allowed_over_all_batches(sdk: openai.OpenAI, model: Model) -> None:
    model.seconds = 0.03
    with serve(upstream=UpstreamOptions(model.url, concurrency=3)) as server:
        client = sdk.with_options(base_url=server.base_url)
        for _ in range(2):
            start(client, lines(12))
        server.admin.wait_until_idle()
    assert (len(model.asked), model.most_at_once) == (24, 3)


def test_a_cancel_breaks_off_what_is_under_way_and_names_it(sdk: openai.OpenAI, model: Model) -> None:
    model.quick, model.seconds = 3, 2
    with serve(upstream=UpstreamOptions(model.url, concurrency=2)) as server:
        client = sdk.with_options(base_url=server.base_url)
        batch = start(client, lines(10))
        while len(model.asked) < 5:
            time.sleep(0.01)
        client.batches.cancel(batch.id)
        began = time.monotonic()
        server.admin.wait_until_idle()
        assert time.monotonic() - began < 1
        done = client.batches.retrieve(batch.id)
        finished, left = results(client, done.output_file_id), results(client, done.error_file_id)
    assert done.status == "cancelled"
    assert (len(finished), len(left)) == (3, 7)
    assert {row["error"]["code"] for row in left} == {"batch_cancelled"}
    assert counts(done) == (10, len(finished), 0)


def test_faults_of_lines_come_before_the_upstream(sdk: openai.OpenAI, model: Model) -> None:
    with serve(upstream=UpstreamOptions(model.url)) as server:
        client = sdk.with_options(base_url=server.base_url)
        server.admin.line_fault("q-1", status=429)
        server.admin.line_fault("q-2", "unrun")
        batch = start(client, lines(4))
        server.admin.wait_until_idle()
        done = client.batches.retrieve(batch.id)
        assert (done.status, counts(done)) == ("expired", (4, 2, 1))
        happened = {(entry["do"], entry["subject"]) for entry in server.admin.happenings("line")}
        assert happened == {("status", "q-1"), ("unrun", "q-2")}
    assert len(model.asked) == 2


def test_a_failure_of_the_server_itself_is_not_swallowed(
    sdk: openai.OpenAI, monkeypatch: pytest.MonkeyPatch, model: Model
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("broken")

    def use() -> None:
        with serve(upstream=UpstreamOptions(model.url)) as server:
            start(sdk.with_options(base_url=server.base_url), lines(1))
            while not server.admin.batches()[0]["in_progress_at"]:
                time.sleep(0.01)
            time.sleep(0.1)

    monkeypatch.setattr(Upstream, "ask", broken)
    with pytest.raises(ExceptionGroup) as caught:
        use()
    assert caught.group_contains(RuntimeError, match="broken")


def test_the_key_is_in_no_representation() -> None:
    assert "secret" not in repr(UpstreamOptions("http://127.0.0.1:9/v1", key="secret"))


def test_an_upstream_waits_as_long_as_it_is_told_to(model: Model) -> None:
    model.answers = {"Hello": [(429, b"{}")]}

    async def ask() -> int:
        upstream = Upstream(UpstreamOptions(model.url))
        body = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}
        try:
            return (await upstream.ask(Question("/v1/chat/completions", body, "m", 0, 0))).status
        finally:
            await upstream.close()

    began = time.monotonic()
    assert asyncio.run(ask()) == 200
    assert time.monotonic() - began < 0.3  # Retry-After: 0, and not the half second of its own
