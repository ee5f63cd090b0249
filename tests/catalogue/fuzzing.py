"""Random files of requests, made anew from a seed: some lines whole, some changed, some anything.

Plain random numbers: Hypothesis draws are biased to the simple, which here is junk that is refused at once, and take
ten times as long. atheris would help little: it is led by coverage, and sees none in the parser, which is compiled.
"""

from __future__ import annotations

import gzip
import json
import random
from typing import Any, NamedTuple

from batchdrop.core import limits

WORDS = ["a", "b", "日本", "\u2028", "\x7f", "bd.000001", "", "x" * 64, "x" * 65, '"', "\\", "[{", "\ud83c\udf89"]
KEYS = [
    "custom_id",
    "method",
    "url",
    "body",
    "model",
    "messages",
    "stream",
    "background",
    "request",
    "reason",
    "raw",
    "x",
]
ENDPOINTS = list(limits.ENDPOINTS)
PIECES = [
    *(b"", b"{", b"}", b"[", b"]", b'"', b",", b":", b"\\", b"\\ud800", b"\xff", b"\0", b"\r", b"\t", b"\xef\xbb\xbf"),
    *(b"null", b'"POST"', b"NaN", b"-", b"1e5", b"9" * 5_000, b"[" * 130, b'"model":"m",', b'"custom_id":"a",'),
]


class File(NamedTuple):
    key: str
    data: bytes
    content: bytes  #: without gzip


class Fuzzer(random.Random):
    """The same files for the same seed."""

    def file(self) -> File:
        most = self.choice([2, 10, 10, 10, 40])
        lines = [self.line() for _ in range(self.randint(1, most))]
        if self.once_in(4):
            lines.insert(self.randint(0, len(lines)), self.choice([b"", b" ", b"\r", b"\t\r"]))
        bom = b"\xef\xbb\xbf" if self.once_in(6) else b""
        end = b"\r\n" if self.once_in(5) else b"\n"
        content = bom + end.join(lines) + self.choice([b"", b"\n"])
        if self.once_in(6):
            return File("a.jsonl.gz", gzip.compress(content, 1, mtime=0), content)
        return File("a.jsonl", content, content)

    def line(self) -> bytes:
        kind = self.random()
        if kind < 0.03:
            return self.randbytes(self.randint(0, 60)).replace(b"\n", b"")
        line = bytearray(self.written(self.value() if kind < 0.06 else self.request()))
        for _ in range(self.randint(1, 2) if kind < 0.2 else 0):
            at = self.randint(0, len(line))
            line[at : at + self.randint(0, 4)] = self.choice(PIECES)
        return bytes(line).replace(b"\n", b"")

    def request(self) -> Any:
        """As OpenAI takes it, but for one thing in it at times."""
        url = self.choice(ENDPOINTS) if self.once_in(5) else "/v1/chat/completions"
        body = {"model": "gpt-5-mini", "messages": self.messages(), "input": "x", "prompt": "x"}
        request = {"custom_id": str(self.getrandbits(40)), "method": "POST", "url": url, "body": body}
        unusual = {"custom_id": self.word(), "method": self.choice(["post", "GET", "PoSt"])}
        while self.once_in(3):
            where = request if self.once_in(2) else body
            key = self.choice([*where, *KEYS])
            if self.once_in(4):
                where.pop(key, None)
            else:
                where[key] = unusual.get(key, self.value())
        if self.once_in(8):
            body["model"] = self.choice(["gpt-5", "nobody's", ""])
        shapes = [body, {"params": body}, {"raw": "x", "reason": "r"}, {"line": 7, "reason": "r", "request": request}]
        return self.choice(shapes) if self.once_in(12) else request

    def messages(self) -> list[Any]:
        return [{"role": "user", "content": self.value() if self.once_in(3) else self.word()} for _ in range(2)]

    def value(self, depth: int = 0) -> Any:
        """Any JSON."""
        kind = self.randrange(6 if depth < 3 else 4)
        if kind == 4:
            return [self.value(depth + 1) for _ in range(self.randint(0, 3))]
        if kind == 5:
            return {self.choice(KEYS): self.value(depth + 1) for _ in range(self.randint(0, 3))}
        return self.word() if kind else self.choice([None, True, False, 0, -3, 0.5, -0.0, 1e5, 2**70, float("inf")])

    def word(self) -> str:
        return self.choice(WORDS) if self.once_in(2) else "".join(map(chr, self.choices(range(0xD800), k=3)))

    def written(self, value: Any) -> bytes:
        """As somebody's library may write it; at times with one key too many."""
        text = json.dumps(value, ensure_ascii=self.once_in(2), indent=0 if self.once_in(4) else None)
        line = text.replace("\n", " ").encode(errors="surrogatepass")
        if self.once_in(20):
            member = json.dumps({self.choice(KEYS): self.word()}).encode(errors="surrogatepass")[1:-1]
            line = line.replace(b"{", b"{" + member + b", ", self.randint(1, 2))
        return line

    def once_in(self, times: int) -> bool:
        return self.randrange(times) == 0
