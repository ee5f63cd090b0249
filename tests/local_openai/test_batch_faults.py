from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.local_openai.driving import counts, create, errors, ids, lines, results, start, upload

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types import Batch

    from local.openai import Admin

ALL = [f"q-{number}" for number in range(5)]


def run(client: OpenAI, admin: Admin, **options: Any) -> tuple[Batch, list[dict[str, Any]], list[dict[str, Any]]]:
    """The finished batch of five requests, its output and its errors."""
    batch = start(client, lines(5), **options)
    admin.advance(1_000)
    done = client.batches.retrieve(batch.id)
    return done, results(client, done.output_file_id), results(client, done.error_file_id)


@pytest.mark.parametrize("status", [400, 404, 429, 500])
def test_a_failed_request_is_in_the_error_file_alone(client: OpenAI, admin: Admin, status: int) -> None:
    admin.line_fault("q-3", status=status, code="why", message="Because.")
    done, output, failed = run(client, admin)
    assert counts(done) == (5, 4, 1)
    assert (ids(output), ids(failed)) == (["q-0", "q-1", "q-2", "q-4"], ["q-3"])
    assert failed[0]["response"]["status_code"] == status
    assert failed[0]["response"]["body"]["error"] | {"type": None} == {
        "message": "Because.",
        "code": "why",
        "param": None,
        "type": None,
    }
    assert failed[0]["error"] is None


def test_a_line_of_status_zero_counts_as_completed(client: OpenAI, admin: Admin) -> None:
    admin.line_fault("q-1", "zero")
    done, output, failed = run(client, admin)
    assert counts(done) == (5, 5, 0)
    assert failed == []
    assert [row["custom_id"] for row in output if row["response"]["status_code"] == 0] == ["q-1"]


def test_a_line_may_be_missing_from_both_files_though_it_was_executed(client: OpenAI, admin: Admin) -> None:
    admin.line_fault("q-1", "missing")
    done, output, failed = run(client, admin)
    assert counts(done) == (5, 5, 0)
    assert ids(output + failed) == ["q-0", "q-2", "q-3", "q-4"]
    assert admin.executions()["q-1"] == 1


def test_a_line_may_come_twice_though_it_was_executed_once(client: OpenAI, admin: Admin) -> None:
    admin.line_fault("q-1", "duplicate")
    _, output, _ = run(client, admin)
    assert ids(output) == ["q-0", "q-1", "q-1", "q-2", "q-3", "q-4"]
    twice = [row for row in output if row["custom_id"] == "q-1"]
    assert twice[0]["id"] != twice[1]["id"]
    assert admin.executions() == dict.fromkeys(ALL, 1)


def test_a_line_that_nobody_asked_for_may_come_along(client: OpenAI, admin: Admin) -> None:
    admin.line_fault("q-1", "foreign")
    _, output, _ = run(client, admin)
    assert ids(output) == ["foreign-q-1", *ALL]


def test_an_answer_may_hold_raw_separators_that_are_no_line_ends(client: OpenAI, admin: Admin) -> None:
    admin.line_fault("q-1", "separators")
    done, output, _ = run(client, admin)
    assert ids(output) == ALL
    raw = client.files.content(done.output_file_id or "").content
    for character in "\u2028\u2029\u0085":
        assert character.encode() in raw
    assert len(raw.decode().splitlines()) > 5


def test_an_unrun_request_makes_the_batch_expire(client: OpenAI, admin: Admin) -> None:
    admin.line_fault("q-1", "unrun", times=1)
    done, output, failed = run(client, admin)
    assert (done.status, counts(done), len(output)) == ("expired", (5, 4, 0), 4)
    assert failed[0]["error"]["code"] == "batch_expired"
    assert "q-1" not in admin.executions()


def test_a_request_may_fail_its_first_executions_only(client: OpenAI, admin: Admin) -> None:
    admin.line_fault("q-*", status=429, times=1)
    admin.line_fault("q-2", status=500)
    assert counts(run(client, admin)[0]) == (5, 0, 5)
    done, _, failed = run(client, admin)
    assert counts(done) == (5, 4, 1)
    assert ids(failed) == ["q-2"]
    assert admin.executions() == dict.fromkeys(ALL, 2)
    assert admin.executions(ok_only=True) == dict.fromkeys(["q-0", "q-1", "q-3", "q-4"], 1)
    assert admin.executions(batch=done.id) == dict.fromkeys(ALL, 1)


def test_a_rate_of_requests_fails_by_seed(client: OpenAI, admin: Admin) -> None:
    admin.line_fault(status=500, rate=0.3)
    batch = start(client, lines(200))
    admin.advance(1_000)
    failed = counts(client.batches.retrieve(batch.id))[2]
    assert 30 <= failed <= 90


@pytest.mark.parametrize("shown", [None, ""])
def test_a_completed_batch_may_show_its_files_late(client: OpenAI, admin: Admin, shown: str | None) -> None:
    admin.batch_fault(ids_late_seconds=30, ids_late_as=shown)
    batch = start(client, lines(1))
    admin.advance(618)
    early = client.batches.retrieve(batch.id)
    assert (early.status, early.output_file_id) == ("completed", shown)
    assert client.batches.list().data[0].output_file_id == shown
    admin.advance(30)
    assert client.batches.retrieve(batch.id).output_file_id


def test_a_batch_may_be_stuck_beyond_its_day(client: OpenAI, admin: Admin) -> None:
    admin.batch_fault(never_expires=True, pace={"in_progress": 400_000})
    batch = start(client, lines(1))
    admin.advance(300_000)
    assert client.batches.retrieve(batch.id).status == "in_progress"
    admin.advance(101_000)
    assert client.batches.retrieve(batch.id).status == "completed"


def test_a_batch_may_fail_with_any_code_on_any_line(client: OpenAI, admin: Admin) -> None:
    admin.batch_fault(fail_code="brand_new_code", fail_message="Never seen.", fail_line=2, fail_param="body.x")
    done, output, failed = run(client, admin)
    assert (done.status, output + failed) == ("failed", [])
    assert errors(done) == [("brand_new_code", 2, "body.x")]
    assert run(client, admin)[0].status == "completed"


def test_a_batch_may_show_a_status_that_nobody_knows(client: OpenAI, admin: Admin) -> None:
    admin.batch_fault(show={"status": "reticulating", "extra": [1]})
    done: Any = run(client, admin)[0]
    assert (done.status, done.extra) == ("reticulating", [1])
    assert admin.batches()[0]["status"] == "completed"


def test_the_rules_of_batches_go_by_number_and_metadata(client: OpenAI, admin: Admin) -> None:
    admin.batch_fault(nth=2, times=1, metadata={"kind": "x"}, fail_code="hit")
    file_id = upload(client, lines(1))
    made = [create(client, file_id, metadata={"kind": kind, "more": "m"}).id for kind in "xyxx"]
    admin.advance(1_000)
    assert [client.batches.retrieve(batch_id).status == "failed" for batch_id in made] == [False, False, True, False]
