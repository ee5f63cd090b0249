"""Random files: nothing is raised, every line is accounted for, and no batch fails for what could have been seen.

``FUZZED_FILES`` of about eight lines each; ``make fuzz`` takes many.
"""

from __future__ import annotations

import gzip
import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchdrop.core import limits
from batchdrop.core.codes import FILES
from batchdrop.core.states import JobState
from local.openai.settings import Settings
from local.openai.validation import validate
from tests.simulation.campaign import knob
from tests.usecases.planning_stack import PlanningStack

PROVIDER = Settings()
#: What only the provider can know.
THEIRS = {"model_not_found"}
CODES = {name.partition(".")[0] for name in FILES}
WORDS = ["a", "b", "日本", "\u2028", "\x7f", "bd.000001", "", "x" * 64, "x" * 65, '"', "\\", "[{", "\ud83c\udf89"]

_keys = st.sampled_from(["custom_id", "method", "url", "body", "model", "messages", "stream", "request", "reason", "x"])
_scalars = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([0.5, -0.0, 1e5, float("inf")])
    | st.sampled_from(WORDS)
)
_json = st.recursive(_scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=3))
_messages: st.SearchStrategy[Any] = (
    st.just([]) | st.lists(st.fixed_dictionaries({"role": st.just("user"), "content": _json}), max_size=2) | _json
)
_bodies = st.fixed_dictionaries(
    {"model": st.sampled_from(["gpt-5-mini"] * 5 + ["gpt-5", "nobody's"]), "messages": _messages, "input": _messages},
    optional={"stream": _json, "prompt": _messages, "dimensions": _json, "n": _scalars},
)
_urls = st.sampled_from([*["/v1/chat/completions"] * 9, *limits.ENDPOINTS, "/v1/files", "//x", "HTTP://y"])
_requests = st.fixed_dictionaries(
    {
        "custom_id": st.sampled_from(WORDS) | st.text(max_size=3) | _json,
        "method": st.sampled_from(["POST"] * 9 + ["post", "GET", "PoSt"]),
        "url": _urls,
        "body": st.one_of(*[_bodies] * 5, _json),
    },
    optional={"x": _json},
)


@st.composite
def _lines(draw: st.DrawFn) -> bytes:
    """A request, whole or with bytes changed; any JSON; anything."""
    kind = draw(st.integers(0, 11))
    if kind == 0:
        return draw(st.binary(max_size=60)).replace(b"\n", b"")
    value = draw(_json if kind == 1 else _requests)
    line = bytearray(_written(value, draw))
    for _ in range(draw(st.integers(1, 3)) if kind < 5 else 0):
        _change(line, draw)
    return bytes(line).replace(b"\n", b"")


def _written(value: Any, draw: st.DrawFn) -> bytes:
    text = json.dumps(value, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, None, None, 0])))
    line = text.replace("\n", " ").encode(errors="surrogatepass")
    if draw(st.integers(0, 9)) == 0:
        member = json.dumps({draw(_keys): draw(_scalars)}).encode()[1:-1]
        line = line.replace(b"{", b"{" + member + b", ", draw(st.integers(1, 2)))
    return line


def _change(line: bytearray, draw: st.DrawFn) -> None:
    at, size = draw(st.integers(0, len(line))), draw(st.integers(0, 4))
    new = draw(
        st.sampled_from([b"", b"{", b"}", b"[", b"]", b'"', b",", b":", b"\\", b"\\ud800", b"\xff", b"\0", b"\r"])
    )
    line[at : at + size] = new


@st.composite
def _files(draw: st.DrawFn) -> tuple[str, bytes]:
    lines = draw(st.lists(_lines(), min_size=6, max_size=10))
    if draw(st.integers(0, 3)) == 0:
        lines.insert(draw(st.integers(0, len(lines))), draw(st.sampled_from([b"", b" ", b"\r", b"\t\r"])))
    data = draw(st.sampled_from([b"", b"", b"\xef\xbb\xbf"]))
    data += draw(st.sampled_from([b"\n", b"\n", b"\r\n"])).join(lines) + draw(st.sampled_from([b"", b"\n"]))
    return ("a.jsonl.gz", gzip.compress(data, 1, mtime=0)) if draw(st.integers(0, 5)) == 0 else ("a.jsonl", data)


@settings(
    max_examples=knob("FUZZED_FILES", 150), deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)
@given(_files())
def test_whatever_is_dropped_every_line_is_accounted_for_and_no_batch_fails_for_what_can_be_seen(
    file: tuple[str, bytes],
) -> None:
    key, data = file
    stack = PlanningStack()
    job = stack.drop(data, key)
    if job.state is JobState.FAILED:
        assert job.code in CODES
        assert (job.reason or "").endswith(".")
        return
    assert job.state is JobState.RUNNING
    content = gzip.decompress(data) if key.endswith(".gz") else data
    texts = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    expected = [number for number, text in enumerate(texts, 1) if text.strip(b" \t\r\n")]
    fates = list(stack.fates(job))
    assert [line for line, _ in fates] == expected
    assert job.counts.requests == len(expected)
    assert job.counts.invalid == sum(not fate.startswith("{") for _, fate in fates)
    for batch in stack.batches(job):
        with tempfile.NamedTemporaryFile() as upload:
            Path(upload.name).write_bytes(stack.bytes_of(batch.source))
            found = validate(Path(upload.name), batch.endpoint, PROVIDER)
        assert found.requests == batch.requests
        assert {error["code"] for error in found.errors} <= THEIRS, (found.errors, stack.bytes_of(batch.source))
