"""What "never paid twice" assumes about the API. Each test says what to do where it fails on a real one."""

from __future__ import annotations

import time
import uuid
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import openai
import pytest

from local.openai import serve
from tests.live.bench import Bench

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The default of ``SettleSeconds``.
SETTLE_SECONDS = 1800
CREATES = 3
LOOKS = 5


@pytest.fixture
def local_bench() -> Iterator[Any]:
    """Benches on local servers that are set to break an assumption."""
    with ExitStack() as opened:

        def make(**settings: Any) -> Bench:
            server = opened.enter_context(serve(settings=settings))
            client = opened.enter_context(openai.OpenAI(base_url=server.base_url, api_key="sk-local", max_retries=0))
            made = Bench(client, lambda _: None, seconds=30)
            opened.callback(made.clean)
            return made

        yield make


def lag(bench: Bench, *, most: float) -> float:
    """Seconds from the answer to a create until the list shows the batch, and keeps showing it."""
    file_id = bench.upload()
    batch = bench.create(file_id)
    begun = time.monotonic()
    while bench.listed(file_id) != [batch.id]:
        assert time.monotonic() - begun < most, f"{batch.id} is not listed after {most} s"
        time.sleep(0.05)
    seconds = time.monotonic() - begun
    shown = [bench.listed(file_id) for _ in range(LOOKS)]
    assert shown == [[batch.id]] * LOOKS, "the list shows a batch and loses it again"
    return seconds


def batches_of_one_key(bench: Bench) -> int:
    """How many batches two equal creates with one Idempotency-Key make."""
    file_id, key = bench.upload(), {"Idempotency-Key": str(uuid.uuid4())}
    return len({bench.create(file_id, key).id for _ in range(2)})


def test_a_new_batch_is_listed_by_its_input_file_within_settle_seconds(bench: Bench) -> None:
    """A create whose answer was lost is found by its file in the list, for ``SettleSeconds``.

    If this fails: set ``SettleSeconds`` above the lag that you see. A batch that the list loses again may be bought
    twice; tell us.
    """
    seconds = [lag(bench, most=SETTLE_SECONDS) for _ in range(CREATES)]
    bench.tell(f"listed after {max(seconds):.2f} s at the most, of {CREATES} creates")


def test_the_input_file_of_a_running_batch_can_be_deleted(bench: Bench) -> None:
    """The fence deletes the input file of a create that no list shows, and its batch may be running.

    If the delete is refused: no fence will count there; a create whose answer was lost stays ``creating``, nothing is
    bought twice, and the job waits. If the batch does not end: ``MaxJobHours`` ends its job.
    """
    file_id = bench.upload()
    batch = bench.reach(bench.create(file_id).id, "in_progress", "finalizing")
    assert bench.client.files.delete(file_id).deleted
    found = bench.reach(batch.id)
    bench.tell(f"input deleted when the batch was {batch.status}; it ended as {found.status}")
    assert found.status in {"completed", "failed"}


def test_nothing_can_be_bought_of_a_deleted_file(bench: Bench) -> None:
    """Behind the fence a create that is still under way fails, or becomes a batch that costs nothing.

    If this fails: a create that arrives after the fence is paid for. The audit reports it, and cancels it if it still
    runs; raise ``SettleSeconds``, so that no create is under way any more.
    """
    file_id = bench.upload()
    assert bench.client.files.delete(file_id).deleted
    try:
        batch = bench.create(file_id)
    except (openai.BadRequestError, openai.NotFoundError) as refusal:
        bench.tell(f"a create of a deleted file is refused: {refusal.status_code}")
        return
    found = bench.reach(batch.id)
    bench.tell(f"a create of a deleted file makes a batch that ends as {found.status}")
    assert (found.status, found.output_file_id or None) == ("failed", None)
    assert not (found.request_counts and found.request_counts.completed)


def test_an_idempotency_key_does_not_join_two_creates(bench: Bench) -> None:
    """Nothing relies on the key, and the SDK sends none.

    If this fails, the news is good: two creates with one key made one batch. Send the claim as the key, and a create
    may be repeated as long as the provider remembers it.
    """
    made = batches_of_one_key(bench)
    bench.tell(f"two creates with one Idempotency-Key make {made} batches")
    assert made == 2


def test_a_list_that_lags_is_measured(local_bench: Any) -> None:
    assert lag(local_bench(list_lag_seconds=0.4), most=10) >= 0.3
    with pytest.raises(AssertionError, match="is not listed after"):
        lag(local_bench(list_lag_seconds=60), most=0.2)


def test_a_key_that_joins_two_creates_is_seen(local_bench: Any) -> None:
    assert batches_of_one_key(local_bench(idempotency=True)) == 1


def test_the_suite_leaves_no_file_and_no_running_batch() -> None:
    with serve() as server, openai.OpenAI(base_url=server.base_url, api_key="x", max_retries=0) as client:
        bench = Bench(client, lambda _: None, seconds=30)
        bench.create(bench.upload())
        bench.reach(bench.create(bench.upload()).id)
        bench.clean()
        state = server.admin.state()
    assert state["files"] == []
    assert {batch["status"] for batch in state["batches"]} <= {"completed", "cancelled"}
