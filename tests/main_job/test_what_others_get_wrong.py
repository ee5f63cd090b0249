"""What the API really does to a batch, and that nothing is lost, doubled or bought twice by it."""

from __future__ import annotations

import json

import pytest

from batchdrop.core.codes import said
from batchdrop.core.errors import Rejected, RetryLater
from batchdrop.core.states import JobState
from tests.fakes.answers import answer, unexecuted
from tests.fakes.batch_api import InMemoryBatchApi, Method
from tests.main_job.service import IN, OUT, Service, once, request, requests


def test_completed_while_the_output_file_id_is_still_missing(service: Service) -> None:
    looks = 0
    done: dict[str, object] = {}

    def provider(api: InMemoryBatchApi, batch_id: str) -> None:
        done["batch"] = api.finish(batch_id)
        api.change(batch_id, output_file_id="" if looks else None)

    service.drop("a.jsonl", requests(3))
    service.deliver()
    service.tick()
    (batch_id,) = service.api.open_batches()
    provider(service.api, batch_id)
    for _ in range(3):
        looks += 1
        service.ports.clock.advance(minutes=1)
        service.tick()
        assert service.job(service.ports.ledger.newest_job(IN, "a.jsonl") or "").state is JobState.RUNNING
    service.api.change(batch_id, output_file_id=done["batch"].output_file_id)  # type: ignore[attr-defined]
    service.run()
    assert service.ids("a.results.jsonl") == ["r-1", "r-2", "r-3"]
    assert service.api.executed == {"r-1": 1, "r-2": 1, "r-3": 1}


@pytest.mark.parametrize("status", ["expired", "cancelled"])
def test_of_a_batch_that_ended_early_the_finished_part_is_kept_and_only_the_rest_bought_again(
    service: Service, status: str
) -> None:
    job_id = service.drop("a.jsonl", requests(100))
    service.run(once(lambda api, batch: api.expire(batch, done=0.9, status=status)))  # type: ignore[arg-type]
    assert service.ids("a.results.jsonl") == [f"r-{number}" for number in range(1, 101)]
    assert set(service.api.executed.values()) == {1}
    assert [batch.requests for batch in service.batches(job_id)] == [100, 10]
    counts = service.status("a")["counts"]
    assert (counts["completed"], counts["failed"], counts["retried"]) == (100, 0, 10)
    assert service.status("a")["usage"]["gpt-5-mini"]["requests"] == 100


def test_a_request_that_fails_for_ever_is_executed_as_often_as_it_may(service: Service) -> None:
    service.api.respond = lambda one: (500 if one["custom_id"] == "r-2" else 200, {"usage": {}})
    service.drop("a.jsonl", requests(3), {"max-attempts": "2"})
    service.run()
    assert service.api.executed == {"r-1": 1, "r-2": 2, "r-3": 1}
    assert [line["response"]["status_code"] for line in service.lines("a.results.jsonl")] == [200, 500, 200]
    assert [error["code"] for error in service.lines("a.errors.jsonl")] == ["http_500"]


def test_all_requests_failed_and_there_is_no_output_file(service: Service) -> None:
    service.api.respond = lambda _: (400, {"error": {"code": "bad", "message": "This is bad."}})
    service.drop("a.jsonl", requests(3))
    service.run()
    status = service.status("a")
    assert (status["state"], status["counts"]["completed"], status["counts"]["failed"]) == ("completed", 0, 3)
    assert service.ids("a.results.jsonl") == ["r-1", "r-2", "r-3"]
    assert [(error["line"], error["code"]) for error in service.lines("a.errors.jsonl")] == [
        (1, "bad"),
        (2, "bad"),
        (3, "bad"),
    ]
    assert service.api.executed == {"r-1": 1, "r-2": 1, "r-3": 1}


@pytest.mark.parametrize("call", ["upload", "create"])
@pytest.mark.parametrize("code", ["http_400", "invalid_json_line"])
def test_a_number_that_no_double_holds_is_found_where_the_refusal_names_no_line(
    service: Service, call: Method, code: str
) -> None:
    infinite = request("r-2", temperature=1).replace(b'"temperature": 1', b'"temperature": 1e400')
    service.api.script(call, Rejected(code, "Line 2 is not valid JSON."))
    service.drop("a.jsonl", [request("r-1"), infinite, request("r-3")])
    service.run()
    assert service.ids("a.results.jsonl") == ["r-1", "r-2", "r-3"]
    assert service.api.executed == {"r-1": 1, "r-3": 1}
    (error,) = service.lines("a.errors.jsonl")
    assert (error["line"], error["code"], error["reason"]) == (2, *said("invalid_json_line.double"))


def test_line_separators_of_unicode_stand_raw_in_a_result(service: Service) -> None:
    text = "one\u2028two\u2029three\u0085four\x0bfive"
    raw = json.dumps(answer("r-1", 200, {"text": text}), ensure_ascii=False).replace("\\u000b", "\\u000b").encode()
    service.drop("a.jsonl", requests(2))
    service.run(lambda api, batch: api.finish(batch, [raw, answer("r-2")]))
    lines = service.raw("a.results.jsonl").split(b"\n")
    assert lines[0] == raw
    assert len(lines) == 3


def test_rows_in_any_order_missing_twice_and_of_foreign_ids(service: Service) -> None:
    def mess(api: InMemoryBatchApi, batch_id: str) -> object:
        rows = [answer("r-4"), answer("stranger"), answer("r-1"), answer("r-4"), answer("r-3")]
        return api.finish(batch_id, rows)

    service.drop("a.jsonl", requests(4))
    service.run(once(mess))  # type: ignore[arg-type]
    assert service.ids("a.results.jsonl") == ["r-1", "r-2", "r-3", "r-4"]
    assert service.api.executed["r-2"] == 1, "the missing one was sent again, alone"
    assert service.api.executed["r-1"] == 1


def test_a_failure_inside_the_output_file_is_a_failure(service: Service) -> None:
    def provider(api: InMemoryBatchApi, batch_id: str) -> object:
        body = {"error": {"code": "context_length_exceeded", "message": "Too long."}}
        return api.finish(batch_id, [answer("r-1"), answer("r-2", 400, body)])

    service.drop("a.jsonl", requests(2))
    service.run(provider)
    assert [(e["line"], e["code"]) for e in service.lines("a.errors.jsonl")] == [(2, "context_length_exceeded")]
    assert service.status("a")["counts"]["failed"] == 1


def test_a_download_that_is_cut_in_the_middle_is_made_again(service: Service) -> None:
    service.drop("a.jsonl", requests(5))
    service.deliver()
    service.tick()
    service.api.script("download", RetryLater("cut"), after=True)
    service.run()
    assert service.ids("a.results.jsonl") == [f"r-{number}" for number in range(1, 6)]
    assert set(service.api.executed.values()) == {1}


def test_two_versions_of_one_key_the_older_one_finishing_last(service: Service) -> None:
    old = service.drop("a.jsonl", requests(2, "old"))
    service.deliver()
    service.tick()
    service.ports.clock.advance(minutes=1)
    new = service.drop("a.jsonl", requests(3, "new"))

    def newest_first(api: InMemoryBatchApi, batch_id: str) -> None:
        if api.requests(batch_id)[0]["custom_id"].startswith("new") or service.ended(new):
            api.finish(batch_id)

    service.run(newest_first)
    assert service.ids("a.results.jsonl") == ["new-1", "new-2", "new-3"]
    assert service.ids(f"a.{old}.results.jsonl") == ["old-1", "old-2"]
    assert service.status("a")["job_id"] == new
    assert service.status(f"a.{old}")["outputs"]["results"]["key"] == f"a.{old}.results.jsonl"


def test_a_file_and_its_gzip_at_once_do_not_overwrite_each_other(service: Service) -> None:
    plain = service.drop("a.jsonl", requests(1, "plain"))
    packed = service.drop("a.jsonl.gz", requests(1, "gz"))
    service.run()
    names = {job: service.job(job).outputs["results"]["key"] for job in (plain, packed)}
    assert sorted(names.values()) == sorted(
        ["a.results.jsonl", next(f"a.{job}.results.jsonl" for job, name in names.items() if name != "a.results.jsonl")]
    )
    assert service.ids(names[plain]) == ["plain-1"]
    assert service.ids(names[packed]) == ["gz-1"]


def test_a_clean_second_run_removes_the_errors_of_the_first(service: Service) -> None:
    service.drop("a.jsonl", [request("a"), b"broken"])
    service.run()
    assert "a.errors.jsonl" in service.outputs()
    service.ports.clock.advance(minutes=1)
    service.drop("a.jsonl", [request("a"), request("b")])
    service.run()
    assert "a.errors.jsonl" not in service.outputs()
    assert service.ids("a.results.jsonl") == ["a", "b"]


def test_a_request_that_was_never_run_has_the_providers_word_for_it(service: Service) -> None:
    service.drop("a.jsonl", requests(2), {"max-attempts": "1"})
    service.run(lambda api, batch: api.finish(batch, [answer("r-1")], [unexecuted("r-2")]))
    assert service.lines("a.results.jsonl")[1]["error"]["code"] == "batch_expired"


def test_outputs_say_which_input_they_are_of(service: Service) -> None:
    job_id = service.drop("ü b.jsonl", requests(1))
    service.run()
    info = service.ports.objects.head(OUT, "ü b.results.jsonl")
    assert info
    assert info.metadata["job-id"] == job_id
    assert info.metadata["input-key"] == "ü b.jsonl"
    assert info.metadata["input-version"] == service.job(job_id).version_id


def test_what_is_not_ours_is_never_overwritten(service: Service) -> None:
    service.ports.objects.put(OUT, "a.results.jsonl", b"somebody's own")
    job_id = service.drop("a.jsonl", requests(1))
    service.run()
    assert service.raw("a.results.jsonl") == b"somebody's own"
    assert service.ids(f"a.{job_id}.results.jsonl") == ["r-1"]
