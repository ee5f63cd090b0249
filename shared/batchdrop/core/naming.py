"""Every name that Batchdrop gives: jobs, items, objects, files. The same input always gets the same name."""

from __future__ import annotations

import hashlib
import re

_SUFFIX = re.compile(r"\.(jsonl|ndjson)(\.gz)?$", re.IGNORECASE)
_IGNORED = re.compile(r"(/|\.tmp|\.part|\.partial|\.crc|(^|/)\._[^/]*|(^|/)_SUCCESS|(^|/)\.DS_Store|\.cancel)$")

#: Dropping ``<key>.cancel`` cancels the jobs of a key.
CANCEL = ".cancel"

#: Ids that we put in place of those that the API cannot take. Distinct enough to be found again in a result line.
MAPPED_ID = "bd.{:06d}"


def job_id(bucket: str, key: str, version_id: str) -> str:
    """Slug of the key plus a hash of this very version: a redelivered event meets the job that it started."""
    slug = re.sub(r"[^a-z0-9]+", "-", stem(key).lower()).strip("-")[-40:].strip("-") or "job"
    digest = hashlib.sha256(f"{bucket}\0{key}\0{version_id}".encode()).hexdigest()[:12]
    return f"{slug}-{digest}"


def stem(key: str) -> str:
    """The key without its extension; the outputs stand under it.

    >>> stem("reviews/2026-11.jsonl.gz")
    'reviews/2026-11'
    """
    return _SUFFIX.sub("", key)


def is_input(key: str) -> bool:
    """Whether the extension is one that we take: ``.jsonl``, ``.ndjson``, each also with ``.gz``."""
    return _SUFFIX.search(key) is not None


def is_ignored(key: str) -> bool:
    """Whether the object is no input at all: a folder, a temporary or hidden file of a tool."""
    return _IGNORED.search(key) is not None


def to_cancel(key: str) -> str | None:
    """The input key whose job a dropped object cancels; None if it cancels nothing.

    >>> to_cancel("reviews/2026-11.jsonl.cancel")
    'reviews/2026-11.jsonl'
    """
    target = key.removesuffix(CANCEL)
    return target if target != key and is_input(target) else None


def chunk_item(number: int) -> str:
    """``chunk#000001``, for instance."""
    return f"chunk#{number:06d}"


def batch_item(chunk: int, batch: str) -> str:
    """``chunk#000001#batch#0001.r``, for instance."""
    return f"{chunk_item(chunk)}#batch#{batch}"


def batch_number(ordinal: int) -> str:
    """Name of a chunk's ``ordinal``-th batch, from 1; what is made of it later adds ``.r`` (repeat), ``.a``, ``.b``."""
    return f"{ordinal:04d}"


def upload_name(job: str, item: str, claim: int) -> str:
    """File name at the provider: whose it is, under which claim. Ends in ``.jsonl``: the API insists."""
    return f"{job}.{item.replace('#', '-')}.{claim}.jsonl"


def chunk_prefix(job: str, chunk: int) -> str:
    """Where all that is made for a chunk lies in the work bucket."""
    return f"{job}/chunk-{chunk:06d}/"


def staged_key(job: str, chunk: int) -> str:
    """The chunk's requests as they go to the provider, grouped by (model, endpoint)."""
    return f"{chunk_prefix(job, chunk)}requests.jsonl"


def manifest_key(job: str, chunk: int) -> str:
    """What each line of a staged chunk became (``batchdrop.core.manifest``)."""
    return f"{job}/chunk-{chunk:06d}/manifest.jsonl"


def wave_key(job: str, chunk: int, batch: str) -> str:
    """The requests of a batch that go again."""
    return f"{job}/chunk-{chunk:06d}/{batch}.repeat.jsonl"


def answers_key(job: str, chunk: int, batch: str) -> str:
    """The final records of a batch: at most one line per request."""
    return f"{job}/chunk-{chunk:06d}/{batch}.answers.jsonl"


def parts_prefix(stem_: str, job: str) -> str:
    """Where the finished chunks of a running job stand in the output bucket."""
    return f"{stem_}.parts/{job}/"


def part_key(stem_: str, job: str, chunk: int, kind: str) -> str:
    """A finished chunk; ``kind`` is ``results`` or ``errors``."""
    return f"{parts_prefix(stem_, job)}{chunk:06d}.{kind}.jsonl"


def output_key(name: str, kind: str) -> str:
    """``reviews/2026-11.results.jsonl``, for instance."""
    return f"{name}.{kind}.json" if kind == "status" else f"{name}.{kind}.jsonl"


def explanation_key(stem_: str, job: str) -> str:
    """Where the errors of a file stand that was not run: its own name, for it takes nobody's place."""
    return output_key(f"{stem_}.{job}", "errors")
