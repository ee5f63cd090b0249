"""What a file or a line is that holds no request, and what to do: of more help than fifty thousand errors."""

from __future__ import annotations

import re
from typing import NamedTuple

from batchdrop.core.lines import BOM

HEAD_BYTES = 4_096  #: how much of a file's start is enough to tell


class Kind(NamedTuple):
    """``name`` goes behind "it is"."""

    name: str
    mend: str


_CONVERT = "Write one request per line as JSON, in UTF-8, and drop that."
_UNPACK = "Unpack it, and drop the .jsonl file in it, plain or as gzip."
_UTF8 = "Save it as UTF-8."
_FLATTEN = "Write each of its objects on a line of its own: jq -c '.[]'."


def _example(do: str, url: str) -> str:
    return f'{do}: {{"custom_id": ..., "method": "POST", "url": "{url}", "body": {{...}}}}.'


_TRANSLATE = _example("Translate each to OpenAI's batch format", "/v1/chat/completions")
_WRAP_MESSAGES = _example("Wrap each", "/v1/chat/completions")
_WRAP_PROMPT = _example("Wrap each", "/v1/completions")
_WRAP_INPUT = _example("Wrap each", "/v1/responses") + ' For embeddings the url is "/v1/embeddings".'

_MAGIC = {
    b"PK\x03\x04": Kind("a zip archive (or an Office document, such as .xlsx)", _UNPACK),
    b"PAR1": Kind("a Parquet file", _CONVERT),
    b"%PDF": Kind("a PDF document", _CONVERT),
    b"\xd0\xcf\x11\xe0": Kind("an old Office document (such as .xls)", _CONVERT),
    b"\x28\xb5\x2f\xfd": Kind("a zstd archive", _UNPACK),
    b"BZh": Kind("a bzip2 archive", _UNPACK),
    b"\xfd7zXZ\0": Kind("an xz archive", _UNPACK),
    b"7z\xbc\xaf\x27\x1c": Kind("a 7z archive", _UNPACK),
    b"\x1f\x8b": Kind("gzip packed twice", _UNPACK),
    b"\xff\xfe\0\0": Kind("text in UTF-32", _UTF8),
    b"\0\0\xfe\xff": Kind("text in UTF-32", _UTF8),
    b"\xff\xfe": Kind("text in UTF-16", _UTF8),
    b"\xfe\xff": Kind("text in UTF-16", _UTF8),
    b"{\0\0\0": Kind("text in UTF-32", _UTF8),
    b"{\0": Kind("text in UTF-16", _UTF8),
    b"\0{": Kind("text in UTF-16", _UTF8),
    b"\0\0\0{": Kind("text in UTF-32", _UTF8),
    b"SQLite format 3": Kind("an SQLite database", _CONVERT),
    b"Obj\x01": Kind("an Avro file", _CONVERT),
}
_ARRAY = Kind("one JSON array", _FLATTEN)
_OPENED = re.compile(rb"\s*\[[ \t]*\r?\n")
_TAR_AT, _TAR = 257, b"ustar"
_TEXTS = (
    (
        re.compile(rb"\s*(<\?xml[^>]*>\s*)?<error>", re.IGNORECASE),
        Kind("an error of S3 (XML), not the file", "Fetch the file again where it came from, and drop that."),
    ),
    (
        re.compile(rb"\s*<(!doctype|html|\?xml)", re.IGNORECASE),
        Kind("a page of HTML or XML", "Fetch the file again where it came from: this is what a server said instead."),
    ),
    (re.compile(rb"\s*\[\s*[\n{\]]"), _ARRAY),
    (re.compile(rb"\s*\{[ \t]*\r?\n"), Kind("pretty-printed JSON", "Write each request on one line: jq -c .")),
    (
        re.compile(rb"\s*\{\s*'"),
        Kind("Python's notation, not JSON", "Write it with json.dumps: JSON has double quotes, true, false and null."),
    ),
    (
        re.compile(rb"[^\n\r]*\r[^\n]"),
        Kind("text with old Macintosh line ends", "End each line with a newline."),
    ),
    (
        re.compile(rb"[^\n{]*[,;\t][^\n{]*\r?\n[^\n{]*[,;\t]"),
        Kind("a table (CSV)", "Make a request of each of its rows: one JSON object per line."),
    ),
)
_BINARY = Kind("binary data", _CONVERT)

#: By the key that tells: lines that are JSON objects, yet requests of nobody or of somebody else.
SHAPES = {
    "params": Kind("a request for Anthropic's batches ('params')", _TRANSLATE),
    "modelInput": Kind("a request for Amazon Bedrock's batches ('modelInput')", _TRANSLATE),
    "request": Kind("a request for Gemini's batches ('request')", _TRANSLATE),
    "response": Kind("a result, not a request", "Drop the requests that it came from instead."),
    "error": Kind("a result, not a request", "Drop the requests that it came from instead."),
    "messages": Kind("a body alone ('messages')", _WRAP_MESSAGES),
    "contents": Kind("a body for Gemini ('contents')", _TRANSLATE),
    "prompt": Kind("a body alone ('prompt')", _WRAP_PROMPT),
    "input": Kind("a body alone ('input')", _WRAP_INPUT),
}


def binary(head: bytes) -> Kind | None:
    """What the file is, if its first bytes say for certain that it holds no lines."""
    if head.startswith(_TAR, _TAR_AT):
        return Kind("a tar archive", _UNPACK)
    return next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), None)


def array(head: bytes) -> Kind | None:
    """What the file is, if its first line opens an array: its last object, without a comma, passes for a request."""
    return _ARRAY if _OPENED.match(head.removeprefix(BOM)) else None


def guess(head: bytes) -> Kind | None:
    """What a file without a valid line looks like; None if nothing comes to mind."""
    text = head.removeprefix(BOM)
    found = binary(head) or next((kind for pattern, kind in _TEXTS if pattern.match(text)), None)
    return found or (_BINARY if b"\0" in head else None)
