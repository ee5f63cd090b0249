"""Run MiniStack with five things set that it has no settings for. Runs in MiniStack's own environment.

- Functions run under an interpreter of our choice: MiniStack starts them with ``sys.executable``, whatever their
  runtime says; ``lambda-python.sh`` is put there.
- Schedules are looked at every second instead of every ten.
- Requests count as made over TLS: MiniStack judges by the address's scheme, and loopback needs no cipher. So the
  template's policies stay as they are deployed.
- A byte range of a named version is that range: MiniStack answers with the whole version.
- What the functions' roles are used for is written down: each role's action and resource once, as lines of JSON.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from ministack import app
from ministack.core import iam_evaluator
from ministack.services import eventbridge, s3, scheduler

_WHOLE, _PART = 200, 206
_resolve = iam_evaluator._resolve_condition_key  # noqa: SLF001 - no setting for it


def _resolve_as_over_tls(key: str, context: object) -> object:
    return "true" if key.lower() == "aws:securetransport" else _resolve(key, context)


_get_object = s3._get_object  # noqa: SLF001


def _get_range(
    bucket: str, key: str, headers: dict[str, str], query: dict[str, Any] | None = None
) -> tuple[int, dict[str, str], Any]:
    status, answered, body = _get_object(bucket, key, headers, query)
    if status != _WHOLE or "range" not in headers:
        return status, answered, body
    found = s3._parse_range(headers["range"], len(body))  # noqa: SLF001
    if found is None:
        return status, answered, body
    start, end = found
    plain = {name: value for name, value in answered.items() if not name.lower().startswith("x-amz-checksum")}
    described = {"Content-Length": str(end - start + 1), "Content-Range": f"bytes {start}-{end}/{len(body)}"}
    return _PART, plain | described, body[start : end + 1]


_evaluate = iam_evaluator.evaluate
_access = Path(os.environ["LOCAL_ACCESS_LOG"])
_seen: set[tuple[str, str, str]] = set()


def _evaluate_and_note(context: Any, *policies: Any) -> Any:  # noqa: ANN401 - the emulator has no types
    result = _evaluate(context, *policies)
    use = (context.principal_arn, context.action, context.resource_arn)
    if result.decision == "Allow" and use not in _seen:
        _seen.add(use)
        with _access.open("a") as log:
            log.write(json.dumps(use) + "\n")
    return result


if __name__ == "__main__":
    iam_evaluator.evaluate = _evaluate_and_note
    sys.executable = os.environ.pop("LOCAL_LAMBDA_PYTHON")
    scheduler._SCHEDULE_TICK_INTERVAL = eventbridge._SCHEDULER_TICK_INTERVAL = 1.0  # noqa: SLF001
    s3._get_object = _get_range  # noqa: SLF001
    iam_evaluator._resolve_condition_key = _resolve_as_over_tls  # noqa: SLF001
    sys.argv = ["ministack"]
    app.main()
