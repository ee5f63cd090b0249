from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local.openai import Admin, serve
from tests.local_openai.driving import CHAT, counts, create, line, lines, start, upload

if TYPE_CHECKING:
    from collections.abc import Iterator

    import openai

ROOT = Path(__file__).parents[2]
MEGABYTE = 1024 * 1024


@contextmanager
def process(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The server as a process of its own, and the line that it prints."""
    command = [sys.executable, "-m", "local.openai", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            yield child, child.stdout.readline().strip()
        finally:
            child.send_signal(signal.SIGTERM)
            assert child.wait(10) == 0


def test_it_runs_as_a_process_and_is_driven_through_http(sdk: openai.OpenAI, tmp_path: Path) -> None:
    faults, settings, data = tmp_path / "faults.json", tmp_path / "settings.json", tmp_path / "data"
    faults.write_text(json.dumps({"lines": [{"custom_id": "q-1", "status": 429}]}))
    settings.write_text(json.dumps({"missing_file_id": ""}))
    options = [f"--{name}={path}" for name, path in (("faults", faults), ("settings", settings), ("data", data))]
    with process(*options, "--speed=virtual", "--seed=3") as (_, url):
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/v1", url)
        client, admin = sdk.with_options(base_url=url), Admin(url)
        batch = start(client, lines(2))
        assert batch.output_file_id is None
        admin.advance(1_000)
        assert counts(client.batches.retrieve(batch.id)) == (2, 1, 1)
        assert admin.count("batches.create") == 1
        assert admin.executions() == {"q-0": 1, "q-1": 1}
        assert (data / "files" / batch.input_file_id).read_bytes() == lines(2)


def test_it_starts_in_less_than_a_second_of_work() -> None:
    with process() as (child, _):
        stat = Path(f"/proc/{child.pid}/stat")
        if not stat.exists():
            pytest.skip("needs Linux's /proc")
        user, system = stat.read_text().rpartition(")")[2].split()[11:13]
        assert (int(user) + int(system)) / os.sysconf("SC_CLK_TCK") < 1


def test_in_real_time_the_counts_move_and_the_batch_ends_by_itself(sdk: openai.OpenAI) -> None:
    pace = {"validating": 0.1, "in_progress": 0.6, "finalizing": 0.1, "spread": 0}
    with serve(speed="fast", settings={"pace": pace}) as server:
        client = sdk.with_options(base_url=server.base_url)
        batch = start(client, lines(10))
        seen: list[tuple[str, int]] = []
        deadline = time.monotonic() + 10
        while not seen or seen[-1][0] != "completed":
            assert time.monotonic() < deadline
            now = client.batches.retrieve(batch.id)
            seen.append((now.status, counts(now)[1]))
            time.sleep(0.02)
        assert [status for status, _ in dict.fromkeys((status, 0) for status, _ in seen)] == [
            "validating",
            "in_progress",
            "finalizing",
            "completed",
        ]
        moving = [completed for status, completed in seen if status == "in_progress"]
        assert len(set(moving)) >= 4
        assert moving == sorted(moving)


def test_a_reset_forgets_everything_and_starts_the_ids_again(sdk: openai.OpenAI) -> None:
    with serve() as server:
        client = sdk.with_options(base_url=server.base_url)
        first = start(client, lines(1)).id
        server.admin.fault("batches.list", "status", times=None)
        server.admin.wait_until_idle()
        server.admin.reset()
        assert client.batches.list().data == []
        assert server.admin.executions() == {}
        assert start(client, lines(1)).id == first
        server.admin.wait_until_idle()
        assert server.admin.executions() == {"q-0": 1}


def test_a_data_directory_of_a_former_run_is_taken_over_empty(sdk: openai.OpenAI, tmp_path: Path) -> None:
    for _ in range(2):
        with serve(data=tmp_path) as server:
            client = sdk.with_options(base_url=server.base_url)
            assert client.files.list().data == []
            batch = start(client, lines(3))
            server.admin.wait_until_idle()
            assert counts(client.batches.retrieve(batch.id)) == (3, 3, 0)
            upload(client, lines(1))
            (tmp_path / "files" / "scratch-2").write_bytes(b"left over")


def test_a_server_may_stop_while_batches_run(sdk: openai.OpenAI) -> None:
    for _ in range(5):
        with serve() as server:
            client = sdk.with_options(base_url=server.base_url)
            file_id = upload(client, lines(50))
            for _ in range(3):
                create(client, file_id)


def test_settings_that_do_not_exist_are_refused() -> None:
    with pytest.raises(ValueError, match="lag"), serve(settings={"lag": 1}):
        pass
    with serve() as server, pytest.raises(ValueError, match="backwards"):
        server.admin.advance(-1)


def test_memory_stays_flat_over_an_upload_and_a_batch_of_a_hundred_megabytes(
    sdk: openai.OpenAI, tmp_path: Path
) -> None:
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "x" * 50_000}]}
    path = tmp_path / "big.jsonl"
    with path.open("wb") as file:
        for number in range(2_000):
            file.write(line(f"q-{number}", url=CHAT, body=body))
    with process("--speed=virtual") as (child, url):
        client, admin = sdk.with_options(base_url=url), Admin(url)
        before = peak(child.pid)
        with path.open("rb") as file:
            file_id = client.files.create(file=file, purpose="batch").id
        batch = create(client, file_id)
        admin.advance(1_000)
        done = client.batches.retrieve(batch.id)
        assert counts(done) == (2_000, 2_000, 0)
        assert peak(child.pid) - before < 32 * MEGABYTE


def peak(pid: int) -> int:
    """The most memory that a process has held, in bytes."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        pytest.skip("needs Linux's /proc")
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
    assert found
    return int(found[1]) * 1024
