"""The scripted faults: what each kind can say. An unknown field is an error, so that a typo is not a passing test."""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class RequestFault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What happens to HTTP requests of a route (CONTRACT X1-X7, X10, X11).

    ``route`` is a name of the route table ("batches.create") or a prefix with a star ("files.*"). Of the requests that
    match after the rule was added, the ``nth`` (from 1) and the ones after it are hit, ``times`` in all (null: for
    ever), each with probability ``rate`` by seed. ``id`` limits the rule to one file or batch id in the path,
    ``above`` to contents of more bytes.
    """

    route: str
    do: Literal[
        "status",  # answer with ``status`` and do nothing
        "status_after",  # do the work, then answer with ``status``
        "reset_before",  # reset the connection and do nothing
        "reset_after",  # do the work, then reset before replying
        "hang",  # do nothing for ``seconds``, then reset
        "hang_after",  # do the work, keep silent for ``seconds``, then reset
        "late",  # reset at once, do the work ``seconds`` later, on the server's clock; not for uploads
        "delay",  # answer normally, ``seconds`` later
        "cut",  # announce the whole content, stop after ``at`` bytes, by FIN or RST (``how``)
        "short",  # answer completely, but with only the first ``at`` bytes
        "patch",  # answer normally, with the fields of ``patch`` changed in each object that has the fields ``when``
        "stale",  # answer with the body that the same path had ``back`` different answers ago
    ]
    nth: int = 1
    times: int | None = 1
    rate: float = 1.0
    id: str | None = None
    above: int | None = None

    status: int = 500
    code: str | None = None
    message: str = "The server had an error while processing your request. Sorry about that!"
    type: str | None = None
    param: str | None = None
    headers: dict[str, str] = {}
    retry_after: float | None = None
    retry_after_ms: int | None = None
    html: bool = False
    body: Any = None  #: a JSON body instead of the error envelope
    seconds: float = 3_600.0
    at: int = 0
    how: Literal["fin", "rst"] = "fin"
    patch: dict[str, Any] = {}
    when: dict[str, Any] = {}
    back: int = 1

    seen: int = 0  #: matching requests so far
    applied: int = 0


class LineFault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What happens to requests of batches (CONTRACT B6, B13).

    ``custom_id`` is exact, or a prefix with a star; "*" is every request. The rule hits the first ``times`` executions
    of each such custom id (null: every one), with probability ``rate`` by seed.
    """

    custom_id: str = "*"
    do: Literal[
        "status",  # answered with ``status``; in the error file unless it is 200
        "zero",  # a line with status_code 0 in the output file, counted as completed
        "missing",  # executed, but in neither file
        "duplicate",  # its line comes twice
        "foreign",  # a line with a custom id that nobody sent comes too
        "separators",  # the answer holds raw U+2028, U+2029, U+0085
        "unrun",  # left as in an expired batch: ``batch_expired``, never executed, not counted
    ] = "status"
    status: int = 500
    code: str | None = None
    message: str = "The server had an error while processing your request."
    times: int | None = None
    rate: float = 1.0

    applied: int = 0


class BatchFault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What happens to whole batches (CONTRACT B8, X9, X11).

    Of the batches created after the rule was added whose metadata has the pairs ``metadata``, the ``nth`` (from 1)
    and the ones after it are hit, ``times`` in all (null: for ever).
    """

    nth: int = 1
    times: int | None = 1
    metadata: dict[str, str] = {}

    expire_at_share: float | None = None  #: expires once this share (0..1) of its requests is executed
    never_expires: bool = False
    pace: dict[str, float] = {}  #: fields of ``Pace`` that differ
    ids_late_seconds: float = 0.0  #: an ended batch shows its file ids only after these seconds
    ids_late_as: str | None = None  #: what it shows until then: null or ""
    fail_code: str | None = None  #: validation ends with this error
    fail_message: str = "The batch failed."
    fail_line: int | None = None
    fail_param: str | None = None
    show: dict[str, Any] = {}  #: fields shown instead of the true ones, from the start

    seen: int = 0
    applied: int = 0


class WebhookFault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What happens to the delivery of an event (CONTRACT W2, W3, W6).

    ``event`` is a type ("batch.completed") or a prefix with a star. Of the events that match after the rule was added,
    the ``nth`` (from 1) and the ones after it are hit, ``times`` in all (null: for ever).
    """

    event: str = "*"
    do: Literal[
        "duplicate",  # delivered ``copies`` times in all, ``seconds`` apart, under one webhook-id
        "late",  # delivered ``seconds`` later than it happened
        "early",  # delivered when the batch is finalizing or cancelling; one that fails or expires tells it on time
        "never",
        "bad_signature",  # signed with a secret that nobody has
        "old_timestamp",  # signed rightly, ``seconds`` ago
    ]
    nth: int = 1
    times: int | None = 1
    copies: int = 2
    seconds: float = 0.0

    seen: int = 0
    applied: int = 0


class FaultPlan(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """All rules; the first that matches counts. This is also the format of ``--faults FILE.json``."""

    requests: list[RequestFault] = []
    lines: list[LineFault] = []
    batches: list[BatchFault] = []
    webhooks: list[WebhookFault] = []
