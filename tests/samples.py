"""Nouns to start a test from: valid, small, the same every time."""

from __future__ import annotations

import datetime as dt
from typing import Any

from batchdrop.core import naming
from batchdrop.core.model import Batch, Chunk, Cursor, Job, Source, Usage
from batchdrop.core.options import Options
from batchdrop.core.states import BatchState, ChunkState, JobState

NOW = dt.datetime(2026, 11, 22, 12, 0, 0, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(minutes=20)
JOB_ID = "reviews-000000000000"


def job(**changes: Any) -> Job:
    values: dict[str, Any] = {
        "job_id": JOB_ID,
        "item": "job",
        "state": JobState.PLANNING,
        "bucket": "input",
        "input_key": "reviews.jsonl",
        "version_id": "v1",
        "etag": "e1",
        "bytes": 100,
        "last_modified": NOW,
        "stem": "reviews",
        "options": Options(),
        "created_at": NOW,
        "month": "2026-11",
        "due": "open",
        "next_check_at": NOW,
    }
    return Job(**values | changes)


def source(**changes: Any) -> Source:
    values: dict[str, Any] = {
        "bucket": "input",
        "key": "reviews.jsonl",
        "version_id": "v1",
        "first_byte": 0,
        "end_byte": 100,
    }
    return Source(**values | changes)


def chunk(number: int = 1, **changes: Any) -> Chunk:
    values: dict[str, Any] = {
        "job_id": JOB_ID,
        "item": naming.chunk_item(number),
        "state": ChunkState.OPEN,
        "source": source(),
        "first_line": 1,
        "requests": 2,
        "batches": 1,
        "due": "open",
        "next_check_at": NOW,
    }
    return Chunk(**values | changes)


def batch(number: int = 1, chunk: int = 1, **changes: Any) -> Batch:
    values: dict[str, Any] = {
        "job_id": JOB_ID,
        "item": naming.batch_item(chunk, naming.batch_number(number)),
        "state": BatchState.QUEUED,
        "source": source(),
        "model": "gpt-5-mini",
        "endpoint": "/v1/responses",
        "requests": 2,
        "estimated_tokens": 25,
        "due": "open",
        "next_check_at": NOW,
    }
    return Batch(**values | changes)


def running(**changes: Any) -> Job:
    """A job that may spend: planned, one chunk open."""
    values: dict[str, Any] = {
        "state": JobState.RUNNING,
        "chunks": 1,
        "open_chunks": 1,
        "cursor": Cursor(offset=100, lines=2, requests=2, chunks=1),
        "usage": {"gpt-5-mini": Usage()},
    }
    return job(**values | changes)
