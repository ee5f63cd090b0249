"""What every provider promises: the one in memory, and the adapter on the local OpenAI server."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from batchdrop.adapters import openai_shapes
from batchdrop.core.errors import Rejected, RetryLater
from batchdrop.ports import BatchApi
from tests.contract.providers import InMemory, Provider, create, download, local, requests, upload
from tests.fakes import FakeClock, InMemoryBatchApi

PAGE = 2


@pytest.fixture(scope="module")
def server() -> Iterator[Provider]:
    with local() as provider:
        yield provider


@pytest.fixture(params=["memory", "openai"])
def provider(request: pytest.FixtureRequest, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Provider:
    if request.param == "memory":
        return InMemory(InMemoryBatchApi(clock, page_size=PAGE))
    monkeypatch.setattr(openai_shapes, "PAGE", PAGE)
    found: Provider = request.getfixturevalue("server")
    return found


@pytest.fixture
def api(provider: Provider) -> BatchApi:
    return provider.api


def lines(data: bytes) -> list[str]:
    return sorted(json.loads(line)["custom_id"] for line in data.split(b"\n") if line)


def test_an_uploaded_file_holds_the_bytes_that_were_read(api: BatchApi) -> None:
    data = requests(f"r-{number}" for number in range(2_000))
    assert len(data) > 128 * 1024
    assert download(api, upload(api, data)) == data


def test_uploading_twice_makes_two_files(api: BatchApi) -> None:
    assert upload(api) != upload(api)


def test_a_created_batch_is_shown_as_it_was_bought(api: BatchApi) -> None:
    file_id = upload(api)
    made = create(api, file_id, stack="s", claim="3")
    shown = api.retrieve(made.id)
    assert shown is not None
    for batch in (made, shown):
        assert (batch.id, batch.input_file_id) == (made.id, file_id)
        assert dict(batch.metadata) == {"stack": "s", "claim": "3"}
        assert batch.created_at == made.created_at > 1_700_000_000
    assert (made.status, made.output_file_id, made.error_file_id, made.errors) == ("validating", None, None, ())


def test_creating_twice_buys_two_batches(api: BatchApi, provider: Provider) -> None:
    before, file_id = provider.creates(), upload(api)
    assert create(api, file_id).id != create(api, file_id).id
    assert provider.creates() == before + 2


def test_a_batch_of_a_file_that_is_not_there_is_refused_for_now(api: BatchApi) -> None:
    file_id = upload(api)
    api.delete_file(file_id)
    with pytest.raises(RetryLater) as caught:
        create(api, file_id)
    assert caught.value.code == "file_not_found"


def test_pages_show_every_batch_once_the_newest_first(api: BatchApi) -> None:
    file_id = upload(api)
    made = [create(api, file_id).id for _ in range(2 * PAGE + 1)]
    seen: list[str] = []
    page = api.page()
    while set(made) - set(seen):
        assert 0 < len(page.batches) <= PAGE
        seen += [batch.id for batch in page.batches]
        page = api.page(page.cursor) if page.cursor else page
    assert [batch_id for batch_id in seen if batch_id in made] == made[::-1]


def test_the_last_page_has_no_cursor(api: BatchApi) -> None:
    create(api, upload(api))
    page, pages = api.page(), 1
    while page.cursor:
        page, pages = api.page(page.cursor), pages + 1
    assert pages < 50


def test_a_finished_batch_names_a_file_with_an_answer_to_each_request(api: BatchApi, provider: Provider) -> None:
    batch = create(api, upload(api))
    provider.finish()
    done = api.retrieve(batch.id)
    assert done is not None
    assert (done.status, done.completed, done.failed, done.error_file_id) == ("completed", 3, 0, None)
    assert lines(download(api, done.output_file_id)) == ["r-1", "r-2", "r-3"]


def test_an_unknown_batch_is_none(api: BatchApi) -> None:
    assert api.retrieve("batch_unknown") is None


def test_cancelling_stops_an_open_batch_and_leaves_an_ended_one_alone(api: BatchApi, provider: Provider) -> None:
    ended = create(api, upload(api))
    provider.finish()
    stopped = create(api, upload(api))
    for batch in (stopped, stopped, ended, ended):
        api.cancel(batch.id)
    statuses = [shown.status for batch in (stopped, ended) if (shown := api.retrieve(batch.id))]
    assert statuses[0] in {"cancelling", "cancelled"}
    assert statuses[1] == "completed"


def test_cancelling_what_the_provider_does_not_know_is_rejected(api: BatchApi) -> None:
    with pytest.raises(Rejected):
        api.cancel("batch_unknown")


def test_a_file_is_deleted_once(api: BatchApi) -> None:
    file_id = upload(api)
    assert api.delete_file(file_id)
    assert not api.delete_file(file_id)
    assert not api.delete_file("file-unknown")


def test_a_file_that_is_gone_is_rejected_before_the_first_block(api: BatchApi) -> None:
    with pytest.raises(Rejected) as caught, api.download("file-unknown"):
        pytest.fail("opened what is not there")
    assert caught.value.code == "file_gone"


def test_an_error_of_whoever_reads_a_download_passes_through(api: BatchApi) -> None:
    file_id = upload(api)
    with pytest.raises(ZeroDivisionError), api.download(file_id) as blocks:
        raise ZeroDivisionError(next(blocks))
