"""What one would write without Batchdrop: the official SDK, one batch, nothing checked, nothing recorded.

Served by ``local.size.worker`` like a function; each event is one step.
"""

from __future__ import annotations

import functools
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from openai import OpenAI

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_FOLDER = Path(tempfile.gettempdir())
_INPUT, _OUTPUT = _FOLDER / "input.jsonl", _FOLDER / "output.jsonl"
_made: dict[str, str] = {}


@functools.cache
def _openai() -> OpenAI:
    return OpenAI(base_url=os.environ["OPENAI_BASE_URL"], api_key="sk-local")


@functools.cache
def _s3() -> S3Client:
    return boto3.client("s3")


def handler(event: dict[str, Any], context: object) -> None:  # noqa: ARG001 - as Lambda calls it
    steps = {"get": _get, "submit": _submit, "collect": _collect, "put": _put}
    steps[event["step"]](event["key"])


def _get(key: str) -> None:
    _s3().download_file(os.environ["INPUT_BUCKET"], key, str(_INPUT))


def _submit(_: str) -> None:
    with _INPUT.open("rb") as file:
        uploaded = _openai().files.create(file=file, purpose="batch")
    batch = _openai().batches.create(
        input_file_id=uploaded.id, endpoint="/v1/chat/completions", completion_window="24h"
    )
    _made["batch"] = batch.id
    _openai().batches.retrieve(batch.id)


def _collect(_: str) -> None:
    batch = _openai().batches.retrieve(_made["batch"])
    content = _openai().files.content(batch.output_file_id or "").content
    answers = {json.loads(line)["custom_id"]: line for line in content.splitlines(keepends=True)}
    with _INPUT.open("rb") as asked, _OUTPUT.open("wb") as results:
        results.writelines(answers[json.loads(line)["custom_id"]] for line in asked)


def _put(key: str) -> None:
    _s3().upload_file(str(_OUTPUT), os.environ["OUTPUT_BUCKET"], f"bare/{key}")
