"""What is dropped."""

from __future__ import annotations

from tests.main_job.service import request
from tests.simulation.provider import CROWDED, FLAKY, LOCKED, PLAIN, PUZZLED, SLOW, STRICT, TIRELESS, UNKNOWN_MODEL

QUIET = 3  #: minutes that a tick is waited for when nothing moves; no multiple of them is five minutes


def _lines(*requests: bytes) -> bytes:
    return b"".join(line + b"\n" for line in requests)


def _some(model: str, *names: str) -> list[bytes]:
    return [request(name, model=model) for name in names]


#: Two chunks, the second staged with mixed models: a retry wave, an expired batch, the token limit, an invalid line.
WHOLE = _lines(
    *_some(FLAKY, "f1", "f2", "f3"),
    *_some(SLOW, "s1", "s2"),
    b"oops",
    *_some(CROWDED, "c1"),
)
#: Refused lines, a batch refused for nobody knows what, a model that is not there, a key that is refused at first.
REFUSED = _lines(
    *_some(STRICT, "t1", "t-wrong"),
    *_some(PUZZLED, "p1", "p2"),
    *_some(UNKNOWN_MODEL, "u1"),
    *_some(LOCKED, "k1", "k1"),
)
#: One chunk, one batch, one wave.
SMALL = _lines(*_some(FLAKY, "f1", "f2"))
TINY = _lines(*_some(FLAKY, "f1"))
#: One batch, and no wave.
SINGLE = _lines(*_some(PLAIN, "p1"))
#: Chunks of a request each: their parts are too small to be copied one by one.
MANY = _lines(*_some(FLAKY, "m1", "m2"), b"oops", *_some(PLAIN, "m3"))
#: Some run, some wait, of one it is not known.
CANCELLED = _lines(*_some(SLOW, "s1"), *_some(PLAIN, "p1", "p2"), *_some(STRICT, "w1", "w2"))
#: More tokens in a batch than the provider takes.
SPLIT = _lines(*_some(PLAIN, "p1", "p2", "p3", "p4"))
#: A batch that is on its way while another is uploaded, which is split where the limit is known; a staged chunk, whose
#: batch ends by a cancel only.
BESIDE = _lines(*_some(FLAKY, "f1"), *_some(PLAIN, "p1", "p2", "p3", "p4"), *_some(TIRELESS, "e1"), b"oops")
#: Two batches under a key that is refused.
LOCKED_OUT = _lines(*_some(LOCKED, "k1", "k2"))
#: The same as a tiny one, and a batch that is refused at first.
REFUSED_ONCE = _lines(*_some(FLAKY, "f1"), *_some(LOCKED, "k1"))
NOTHING_VALID = _lines(b"oops")
BROKEN = _lines(*_some(PLAIN, "p1"), b"oops")
