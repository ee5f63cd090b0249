from __future__ import annotations

from typing import TYPE_CHECKING

import openai
import pytest

from local.openai import serve
from tests.local_openai.driving import counts, create, ids, lines, results, start, upload

if TYPE_CHECKING:
    from local.openai import Admin

HALF_WAY = 8 + 300


def test_a_batch_goes_through_every_status_on_the_clock(client: openai.OpenAI, admin: Admin) -> None:
    batch = start(client, lines(20), metadata={"job": "a"})
    assert (batch.status, counts(batch), batch.errors, batch.model) == ("validating", (0, 0, 0), None, None)
    assert batch.expires_at == batch.created_at + 86_400
    assert batch.metadata == {"job": "a"}
    seen = []
    for seconds in (7, 1, 300, 299, 1, 10):
        admin.advance(seconds)
        now = client.batches.retrieve(batch.id)
        seen.append((now.status, counts(now)))
        assert bool(now.output_file_id) == (now.status == "completed")
    assert seen == [
        ("validating", (0, 0, 0)),
        ("in_progress", (20, 0, 0)),
        ("in_progress", (20, 10, 0)),
        ("in_progress", (20, 18, 0)),
        ("finalizing", (20, 20, 0)),
        ("completed", (20, 20, 0)),
    ]


def test_times_and_model_and_usage_are_filled_in(client: openai.OpenAI, admin: Admin) -> None:
    batch = start(client, lines(4))
    admin.advance(1_000)
    done = client.batches.retrieve(batch.id)
    start_time = done.created_at
    assert [done.in_progress_at, done.finalizing_at, done.completed_at] == [start_time + s for s in (8, 608, 618)]
    assert done.model == "gpt-4o-mini-2024-07-18"
    rows = results(client, done.output_file_id)
    used = [row["response"]["body"]["usage"] for row in rows]
    assert done.usage is not None
    assert done.usage.input_tokens == sum(usage["prompt_tokens"] for usage in used) > 0
    assert done.usage.output_tokens == sum(usage["completion_tokens"] for usage in used) > 0
    assert done.usage.total_tokens == done.usage.input_tokens + done.usage.output_tokens


def test_each_request_is_answered_once_in_an_order_that_is_not_the_input(client: openai.OpenAI, admin: Admin) -> None:
    batch = start(client, lines(50))
    admin.advance(1_000)
    rows = results(client, client.batches.retrieve(batch.id).output_file_id)
    order = [row["custom_id"] for row in rows]
    assert sorted(order) == sorted(f"q-{number}" for number in range(50))
    assert order != [f"q-{number}" for number in range(50)]
    assert admin.executions() == dict.fromkeys(order, 1)
    assert all(row["response"]["status_code"] == 200 and row["error"] is None for row in rows)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    def run(seed: int) -> tuple[str, bytes]:
        with (
            serve(speed="virtual", seed=seed) as server,
            openai.OpenAI(base_url=server.base_url, api_key="k", max_retries=0) as client,
        ):
            batch = start(client, lines(30))
            server.admin.advance(1_000)
            output = client.batches.retrieve(batch.id).output_file_id
            assert output
            return output, client.files.content(output).content

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_a_missing_file_is_null_or_an_empty_string_by_switch(client: openai.OpenAI, admin: Admin) -> None:
    batch = start(client, lines(1))
    admin.advance(1_000)
    assert client.batches.retrieve(batch.id).error_file_id is None
    admin.configure(missing_file_id="")
    assert client.batches.retrieve(batch.id).error_file_id == ""


def test_when_every_request_failed_there_is_no_output_file(client: openai.OpenAI, admin: Admin) -> None:
    admin.line_fault("*", status=500)
    batch = start(client, lines(5))
    admin.advance(1_000)
    done = client.batches.retrieve(batch.id)
    assert (done.status, counts(done), done.output_file_id) == ("completed", (5, 0, 5), None)
    assert len(results(client, done.error_file_id)) == 5


def test_an_expired_batch_keeps_what_was_done_and_names_the_rest(client: openai.OpenAI, admin: Admin) -> None:
    admin.batch_fault(pace={"in_progress": 2 * 86_400})
    batch = start(client, lines(40))
    admin.advance(86_399)
    assert client.batches.retrieve(batch.id).status == "in_progress"
    admin.advance(1)
    done = client.batches.retrieve(batch.id)
    assert (done.status, done.expired_at) == ("expired", done.expires_at)
    assert counts(done) == (40, 16, 0)
    finished, left = results(client, done.output_file_id), results(client, done.error_file_id)
    assert (len(finished), len(left)) == (16, 24)
    assert ids(finished + left) == sorted(f"q-{number}" for number in range(40))
    assert {row["error"]["code"] for row in left} == {"batch_expired"}
    assert all(row["response"] is None for row in left)
    assert admin.executions().keys() == {row["custom_id"] for row in finished}


@pytest.mark.parametrize(("share", "completed"), [(0.0, 0), (0.5, 10), (0.99, 19)])
def test_a_batch_expires_on_demand_after_a_share_of_its_requests(
    client: openai.OpenAI, admin: Admin, share: float, completed: int
) -> None:
    admin.batch_fault(expire_at_share=share)
    batch = start(client, lines(20))
    admin.advance(1_000)
    done = client.batches.retrieve(batch.id)
    assert (done.status, counts(done)) == ("expired", (20, completed, 0))
    assert bool(done.output_file_id) == bool(completed)
    assert len(results(client, done.error_file_id)) == 20 - completed


def test_a_cancelled_batch_keeps_what_was_done_and_names_the_rest(client: openai.OpenAI, admin: Admin) -> None:
    batch = start(client, lines(20))
    admin.advance(HALF_WAY + 30)  # the next requests would be done in 30 s
    assert client.batches.cancel(batch.id).status == "cancelling"
    assert client.batches.cancel(batch.id).status == "cancelling"
    admin.advance(59)
    assert client.batches.retrieve(batch.id).status == "cancelling"
    admin.advance(1)
    done = client.batches.retrieve(batch.id)
    assert (done.status, counts(done)) == ("cancelled", (20, 10, 0))
    assert len(results(client, done.output_file_id)) == 10
    assert {row["error"]["code"] for row in results(client, done.error_file_id)} == {"batch_cancelled"}
    assert client.batches.cancel(batch.id).status == "cancelled"
    admin.advance(10_000)
    assert len(admin.executions()) == 10


def test_a_batch_cancelled_while_validating_has_run_nothing(client: openai.OpenAI, admin: Admin) -> None:
    batch = start(client, lines(3))
    client.batches.cancel(batch.id)
    admin.advance(1_000)
    done = client.batches.retrieve(batch.id)
    assert (done.status, done.output_file_id, admin.executions()) == ("cancelled", None, {})


def test_what_has_ended_cannot_be_cancelled(client: openai.OpenAI, admin: Admin) -> None:
    completed, failed = start(client, lines(1)), start(client, b"{}\n")
    admin.advance(1_000)
    for batch, status in ((completed, "completed"), (failed, "failed")):
        with pytest.raises(openai.ConflictError, match=f"Cannot cancel a batch with status '{status}'"):
            client.batches.cancel(batch.id)


def test_an_unknown_or_forgotten_batch_is_404(client: openai.OpenAI, admin: Admin) -> None:
    batch = start(client, lines(1))
    admin.forget(batch.id)
    for call in (client.batches.retrieve, client.batches.cancel):
        with pytest.raises(openai.NotFoundError):
            call(batch.id)


def test_two_equal_creates_make_two_batches(client: openai.OpenAI, admin: Admin) -> None:
    file_id = upload(client, lines(2))
    same = {"extra_headers": {"Idempotency-Key": "one"}}
    assert create(client, file_id, **same).id != create(client, file_id, **same).id
    admin.advance(1_000)
    assert admin.executions() == {"q-0": 2, "q-1": 2}
    assert len(admin.executions(by="body")) == 2


def test_the_list_is_newest_first_and_pages(client: openai.OpenAI) -> None:
    file_id = upload(client, lines(1))
    made = [create(client, file_id).id for _ in range(25)]
    page = client.batches.list()
    assert ([batch.id for batch in page.data], page.has_more) == (made[:4:-1], True)
    assert [batch.id for batch in client.batches.list(limit=7)] == made[::-1]
    last = client.batches.list(after=made[1])
    assert ([batch.id for batch in last.data], last.has_more) == (made[:1], False)
    with pytest.raises(openai.BadRequestError):
        client.batches.list(limit=101)


def test_a_new_batch_may_be_absent_from_the_list_for_a_while(client: openai.OpenAI, admin: Admin) -> None:
    admin.configure(list_lag_seconds=30)
    batch = start(client, lines(1))
    assert client.batches.list().data == []
    assert client.batches.retrieve(batch.id).id == batch.id
    admin.advance(30)
    assert [item.id for item in client.batches.list()] == [batch.id]


def test_creates_above_the_hourly_rate_are_429(client: openai.OpenAI, admin: Admin) -> None:
    admin.configure(creates_per_hour=2)
    file_id = upload(client, lines(1))
    create(client, file_id)
    create(client, file_id)
    with pytest.raises(openai.RateLimitError):
        create(client, file_id)
    admin.advance(3_601)
    assert create(client, file_id).status == "validating"


def test_a_batch_runs_on_when_its_input_file_is_deleted(client: openai.OpenAI, admin: Admin) -> None:
    batch = start(client, lines(10))
    admin.advance(9)
    client.files.delete(batch.input_file_id)
    admin.advance(1_000)
    assert counts(client.batches.retrieve(batch.id)) == (10, 10, 0)


def test_result_files_expire_when_they_were_asked_to(client: openai.OpenAI, admin: Admin) -> None:
    batch = start(client, lines(1), output_expires_after={"anchor": "created_at", "seconds": 7_200})
    admin.advance(618)
    output = client.batches.retrieve(batch.id).output_file_id
    assert output
    stored = client.files.retrieve(output)
    assert (stored.purpose, stored.expires_at) == ("batch_output", stored.created_at + 7_200)
    admin.advance(7_200)
    with pytest.raises(openai.NotFoundError):
        client.files.content(output)


def test_many_batches_advance_side_by_side(client: openai.OpenAI, admin: Admin) -> None:
    file_id = upload(client, lines(2))
    for _ in range(60):
        create(client, file_id)
    admin.advance(HALF_WAY)
    assert {batch["status"] for batch in admin.batches()} == {"in_progress"}
    admin.advance(1_000)
    assert {batch["status"] for batch in admin.batches()} == {"completed"}
    assert admin.executions() == {"q-0": 60, "q-1": 60}
