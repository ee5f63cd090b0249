"""What a file looks like that holds no valid line: a word that helps the uploader more than fifty thousand errors."""

from __future__ import annotations

import re

HEAD_BYTES = 4_096  #: how much of a file's start is enough to tell

_MAGIC = {
    b"PK\x03\x04": "a zip archive (or an Office document)",
    b"PAR1": "a Parquet file",
    b"%PDF": "a PDF document",
    b"\x28\xb5\x2f\xfd": "a zstd archive",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ\0": "an xz archive",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"\x1f\x8b": "gzip packed twice",
    b"\xff\xfe": "text in UTF-16",
    b"\xfe\xff": "text in UTF-16",
    b"SQLite format 3": "an SQLite database",
    b"Obj\x01": "an Avro file",
}
_TEXTS = (
    (re.compile(rb"\s*<(!doctype|html|\?xml|error)", re.IGNORECASE), "a page of HTML or XML"),
    (re.compile(rb"\s*\[\s*\{"), "one JSON array. Write each of its objects on a line of its own"),
    (re.compile(rb"\s*\[\s*\n"), "one JSON array. Write each of its objects on a line of its own"),
    (re.compile(rb"\s*\{[ \t]*\r?\n"), "pretty-printed JSON. Write each request on one line"),
    (re.compile(rb'[^\n]*"response"\s*:\s*(\{|null)'), "a file of results. Drop the requests"),
    (
        re.compile(rb'[^\n]*"messages"\s*:\s*\['),
        "bodies alone. Wrap each: custom_id, method, url, body",
    ),
    (re.compile(rb"[^\n\r{]*\r[^\n]"), "text with old Macintosh line ends. End each line with a newline"),
    (re.compile(rb"[^\n{]*[,;\t][^\n{]*\r?\n[^\n{]*[,;\t]"), "a table (CSV)"),
)


def binary(head: bytes) -> str | None:
    """What the file is, if its first bytes say for certain that it holds no lines."""
    return next((name for magic, name in _MAGIC.items() if head.startswith(magic)), None)


def guess(head: bytes) -> str | None:
    """What a file without a valid line looks like; None if nothing comes to mind."""
    found = binary(head) or next((name for pattern, name in _TEXTS if pattern.match(head)), None)
    return found or ("binary data" if b"\0" in head else None)
