"""``ports.BatchApi`` on the official SDK."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from batchdrop.adapters import openai_download, openai_shapes
from batchdrop.adapters.openai_client import Client
from batchdrop.adapters.openai_errors import refusal_of, translated
from batchdrop.core import limits
from batchdrop.core.errors import OutcomeUnknown, Rejected, RetryLater
from batchdrop.ports import BatchPage, RemoteBatch, Replayable

if TYPE_CHECKING:
    from openai import OpenAI
    from openai._legacy_response import LegacyAPIResponse
    from openai._response import APIResponse

CREATE_SECONDS = 55.0
UPLOAD_SECONDS = 600.0
_NOT_FOUND, _CONFLICT = 404, 409

T = TypeVar("T")


class Key(Protocol):
    """The provider's key, as ``adapters.secrets.ApiKey`` keeps it."""

    def current(self) -> str:
        """The key of the moment."""
        ...

    def version(self) -> str:
        """Which one it is, without telling it."""
        ...

    def renewed(self) -> bool:
        """Look again after it was refused; whether there is another one."""
        ...


class OpenAIBatches:
    """The Batch API at ``base_url``. Bodies appear in no error: messages are the provider's own, cut short."""

    def __init__(self, base_url: str, key: Key) -> None:
        self._key = key
        self._client = Client(base_url, key.current)

    def close(self) -> None:
        """Let go of the connections. A function keeps them for its next invocation."""
        self._client.close()

    # the two calls that make something
    def upload(self, name: str, body: Replayable) -> str:
        def send(client: OpenAI) -> LegacyAPIResponse[Any]:
            return client.files.with_raw_response.create(
                file=(name, body),  # type: ignore[arg-type]  # read, seek and tell are all that it uses
                purpose="batch",
                expires_after={"anchor": "created_at", "seconds": limits.UPLOAD_SECONDS_TO_LIVE},
            )

        answer = self._once(send, UPLOAD_SECONDS, creating=False)
        file_id = openai_shapes.as_object(answer.content).get("id")
        if not isinstance(file_id, str) or not file_id:
            # If a file was made it expires by itself: another one costs nothing.
            raise RetryLater("the provider's answer to an upload has no file id")
        return file_id

    def create(
        self, *, file_id: str, endpoint: str, completion_window: str, metadata: Mapping[str, str]
    ) -> RemoteBatch:
        def send(client: OpenAI) -> LegacyAPIResponse[Any]:
            return client.batches.with_raw_response.create(
                input_file_id=file_id,
                endpoint=endpoint,  # type: ignore[arg-type]  # compatible providers have endpoints of their own
                completion_window=completion_window,  # type: ignore[arg-type]  # and windows
                metadata=dict(metadata),
            )

        answer = self._once(send, CREATE_SECONDS, creating=True)
        made = openai_shapes.batch(openai_shapes.as_object(answer.content))
        if made is None:
            raise OutcomeUnknown(f"the provider's answer to a create has no batch id (HTTP {answer.status_code})")
        return made

    # calls that may be repeated
    def page(self, cursor: str | None = None) -> BatchPage:
        from openai import omit  # noqa: PLC0415 - an API call follows

        after = cursor or omit
        answer = self._ask(lambda client: client.batches.with_raw_response.list(limit=openai_shapes.PAGE, after=after))
        page = openai_shapes.page(openai_shapes.as_object(answer.content))
        if page is None:
            raise RetryLater("the provider's list of batches cannot be read")
        return page

    def retrieve(self, batch_id: str) -> RemoteBatch | None:
        answer = self._ask_unless(_NOT_FOUND, lambda client: client.batches.with_raw_response.retrieve(batch_id))
        if answer is None:
            return None
        found = openai_shapes.batch(openai_shapes.as_object(answer.content))
        if found is None:
            raise RetryLater("the provider's answer about a batch cannot be read")
        return found

    def cancel(self, batch_id: str) -> None:
        self._ask_unless(_CONFLICT, lambda client: client.batches.with_raw_response.cancel(batch_id))

    @contextmanager
    def download(self, file_id: str) -> Iterator[Iterator[bytes]]:
        with ExitStack() as stack:

            def ask(headers: Mapping[str, str]) -> APIResponse[bytes] | None:
                stack.close()  # of what was cut
                return self._ask_unless(
                    _NOT_FOUND,
                    lambda client: stack.enter_context(
                        client.files.with_streaming_response.content(file_id, extra_headers=headers)
                    ),
                )

            answer = ask(openai_download.PLAIN)
            if answer is None:
                raise Rejected("file_gone", "the provider has no such file (any more)")
            yield openai_download.whole(answer, ask)

    def delete_file(self, file_id: str) -> bool:
        answer = self._ask_unless(_NOT_FOUND, lambda client: client.files.with_raw_response.delete(file_id))
        return answer is not None and openai_shapes.as_object(answer.content).get("deleted") is not False

    def key_version(self) -> str:
        return self._key.version()

    # inside
    def _once(self, send: Callable[[OpenAI], T], seconds: float, *, creating: bool) -> T:
        """The only way to the two calls that are not idempotent: an upload is sent again where its key was refused.

        Not so a create: its intent names the key's version.
        """

        def call() -> T:
            with self._client.once(seconds) as client:
                return send(client)

        with translated(creating=creating):
            return self._under_a_valid_key(call, again=not creating)

    def _ask(self, send: Callable[[OpenAI], T]) -> T:
        with translated():
            return self._under_a_valid_key(lambda: send(self._client.shared))

    def _ask_unless(self, status: int, send: Callable[[OpenAI], T]) -> T | None:
        """The answer; None where the API itself answered ``status``."""
        from openai import APIStatusError  # noqa: PLC0415 - an API call follows

        with translated():
            try:
                return self._under_a_valid_key(lambda: send(self._client.shared))
            except APIStatusError as error:
                if error.status_code == status and not refusal_of(error).is_of_another_server:
                    return None
                raise

    def _under_a_valid_key(self, call: Callable[[], T], *, again: bool = True) -> T:
        from openai import AuthenticationError  # noqa: PLC0415 - an API call follows

        try:
            return call()
        except AuthenticationError as error:
            refused = error
        # Out here, so that no other error carries this one along: its text may hold the key.
        if not self._key.renewed():
            raise refused
        if not again:
            raise RetryLater("the key was replaced between the upload and the create", code="key_replaced", after=0)
        return call()
