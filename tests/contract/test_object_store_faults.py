"""How S3's faults come through: cuts are resumed, refusals say who must act."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from batchdrop.adapters.s3 import S3Objects
from batchdrop.adapters.s3_range import CUTS_IN_A_ROW
from batchdrop.core.errors import BatchdropError, Misconfigured, Rejected, RetryLater
from batchdrop.ports import IfAbsent, IfMatch
from tests.contract.stores import source
from tests.fakes import FakeDeadline

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DATA = bytes(index % 251 for index in range(300_000))


@dataclass
class Flaky:
    """An object store of one object. Each answer stops after the next number in ``cuts``; then they come whole.

    ``deaf``: it does not hear which range it is asked for.
    """

    cuts: list[int] = field(default_factory=list)
    deaf: bool = False
    etags: list[str] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)
    held: list[str | None] = field(default_factory=list)
    url: str = ""

    def store(self) -> S3Objects:
        client: S3Client = boto3.client("s3", endpoint_url=self.url, config=Config(retries={"total_max_attempts": 1}))
        return S3Objects(client)


@contextmanager
def flaky(**how: Any) -> Iterator[Flaky]:
    state = Flaky(**how)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.ranges.append(self.headers["Range"])
            state.held.append(self.headers["If-Match"])
            first, last = map(int, self.headers["Range"].removeprefix("bytes=").split("-"))
            body = DATA if state.deaf else DATA[first : last + 1]
            self.send_response(200 if state.deaf else 206)
            self.send_header("Content-Length", str(len(body)))
            if not state.deaf:
                self.send_header("Content-Range", f"bytes {first}-{last}/{len(DATA)}")
            self.send_header("ETag", '"e1"')
            self.end_headers()
            self.wfile.write(body[: state.cuts.pop(0)] if state.cuts else body)
            self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it so
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield state
        server.shutdown()
        thread.join()


def test_a_cut_is_resumed_at_its_byte_and_at_the_same_object() -> None:
    with flaky(cuts=[100_000, 50_000]) as server, server.store().open(source("a", 1_000, 200_000)) as stream:
        assert b"".join(iter(lambda: stream.read(7_000), b"")) == DATA[1_000:200_000]
    starts = [int(asked.removeprefix("bytes=").split("-")[0]) for asked in server.ranges]
    assert starts[0] == 1_000
    assert 1_000 < starts[1] <= 101_000
    assert starts[1] < starts[2] <= 151_000
    assert server.held == [None, '"e1"', '"e1"']


def test_a_replayed_body_survives_cuts_each_time() -> None:
    with flaky(cuts=[10, 20]) as server:
        body = server.store().replayable(source("a", 0, 5_000))
        for _ in range(2):
            assert body.seek(0) == 0
            assert b"".join(iter(lambda: body.read(100), b"")) == DATA[:5_000]


def test_a_store_that_never_gets_further_is_left_to_the_queue() -> None:
    with flaky(cuts=[0] * 100) as server:
        body = server.store().replayable(source("a", 0, 5_000))
        with pytest.raises(RetryLater):
            body.read(100)
    assert len(server.ranges) == CUTS_IN_A_ROW


def test_other_bytes_than_those_asked_for_are_not_taken() -> None:
    with flaky(deaf=True) as server, pytest.raises(RuntimeError), server.store().open(source("a", 100, 200)):
        pytest.fail("took the start of the object for its middle")


@pytest.fixture
def client(s3: S3Client) -> S3Client:
    return s3


Call = Callable[[S3Objects], object]


def read(store: S3Objects) -> object:
    return store.replayable(source("a", 0, 10)).read(10)


def head(store: S3Objects) -> object:
    return store.head("input", "a")


def write(store: S3Objects) -> object:
    return store.write("work", "a", [b"x"])


@pytest.mark.parametrize(
    ("operation", "call", "error", "kind", "code"),
    [
        ("head_object", head, ("403", 403), Rejected, "access_denied"),
        ("get_object", read, ("AccessDenied", 403), Rejected, "access_denied"),
        ("get_object", read, ("KMS.DisabledException", 400), Rejected, "access_denied"),
        ("get_object", read, ("InvalidObjectState", 403), Rejected, "not_readable"),
        ("get_object", read, ("NoSuchVersion", 404), Rejected, "input_gone"),
        ("get_object", read, ("MethodNotAllowed", 405), Rejected, "input_gone"),
        ("get_object", read, ("PreconditionFailed", 412), Rejected, "input_gone"),
        ("get_object", read, ("SlowDown", 503), RetryLater, "busy"),
        ("head_object", head, ("500", 500), RetryLater, "busy"),
        ("put_object", write, ("AccessDenied", 403), Misconfigured, "access_denied"),
        ("put_object", write, ("KMS.NotFoundException", 400), Misconfigured, "access_denied"),
        ("put_object", write, ("InternalError", 500), RetryLater, "busy"),
        ("put_object", write, ("RequestTimeout", 400), RetryLater, "busy"),
        ("put_object", write, ("NoSuchBucket", 404), Misconfigured, "no_such_bucket"),
    ],
)
def test_a_refusal_of_s3_says_who_must_act(
    client: S3Client, operation: str, call: Call, error: tuple[str, int], kind: type[BatchdropError], code: str
) -> None:
    with Stubber(client) as stub:
        stub.add_client_error(operation, service_error_code=error[0], http_status_code=error[1])
        with pytest.raises(kind) as caught:
            call(S3Objects(client))
    assert getattr(caught.value, "code", None) == code


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("AccessDenied", "User: arn:aws:sts::1:role is not authorized to perform: kms:Decrypt on resource: {} because"),
        ("KMS.DisabledException", "{} is disabled."),
    ],
)
def test_a_key_that_may_not_be_used_is_named(client: S3Client, code: str, message: str) -> None:
    key = "arn:aws-cn:kms:cn-north-1:123456789012:key/mrk-12ab"
    with Stubber(client) as stub:
        stub.add_client_error("get_object", service_error_code=code, service_message=message.format(key))
        with pytest.raises(Rejected) as caught:
            read(S3Objects(client))
    assert caught.value.code == "access_denied"
    assert f": {key}. Enable the key" in str(caught.value)


@pytest.mark.parametrize(("operation", "call"), [("put_object", write), ("head_object", head), ("get_object", read)])
def test_an_error_that_nobody_foresaw_is_not_hidden(client: S3Client, operation: str, call: Call) -> None:
    with Stubber(client) as stub:
        stub.add_client_error(operation, service_error_code="InvalidRequest", http_status_code=400)
        with pytest.raises(ClientError):
            call(S3Objects(client))


def test_a_store_that_is_not_there_is_for_later() -> None:
    client: S3Client = boto3.client(
        "s3", endpoint_url="http://127.0.0.1:9", config=Config(retries={"total_max_attempts": 1})
    )
    for call in (head, read, write):
        with pytest.raises(RetryLater):
            call(S3Objects(client))


@pytest.mark.parametrize("only", [IfAbsent(), IfMatch("e1")])
def test_a_conflict_with_another_writer_is_tried_again_and_then_lost(
    client: S3Client, only: IfAbsent | IfMatch
) -> None:
    with Stubber(client) as stub:
        stub.add_client_error("put_object", service_error_code="ConditionalRequestConflict", http_status_code=409)
        stub.add_response("put_object", {"ETag": '"e2"'})
        assert S3Objects(client).write("work", "a", [b"x"], only=only) is not None
    with Stubber(client) as stub:
        for _ in range(3):
            stub.add_client_error("put_object", service_error_code="ConditionalRequestConflict", http_status_code=409)
        assert S3Objects(client).write("work", "a", [b"x"], only=only) is None
        stub.assert_no_pending_responses()


def test_removing_a_prefix_names_the_version_null_too(client: S3Client) -> None:
    """Where versioning is suspended, S3 puts a marker more for a deletion that names none."""
    held = {"Key": "p/1", "VersionId": "null"}
    with Stubber(client) as stub:
        stub.add_response(
            "list_object_versions", {"Versions": [held], "DeleteMarkers": [held | {"Key": "p/2"}], "IsTruncated": False}
        )
        named = {"Bucket": "output", "Delete": {"Objects": [held, held | {"Key": "p/2"}], "Quiet": True}}
        stub.add_response("delete_objects", {}, named)
        assert S3Objects(client).delete_prefix("output", "p/", FakeDeadline())
        stub.assert_no_pending_responses()


def test_objects_that_s3_kept_in_a_deletion_are_for_later(client: S3Client) -> None:
    with Stubber(client) as stub:
        versions = [{"Key": "p/1", "VersionId": "null"}]
        stub.add_response("list_object_versions", {"Versions": versions, "IsTruncated": False})
        stub.add_response("delete_objects", {"Errors": [{"Key": "p/1", "Code": "InternalError"}]})
        with pytest.raises(RetryLater):
            S3Objects(client).delete_prefix("work", "p/", FakeDeadline())
