"""Run MiniStack with three things set that it has no settings for. Runs in MiniStack's own environment.

- Functions run under an interpreter of our choice: MiniStack starts them with ``sys.executable``, whatever their
  runtime says; ``lambda-python.sh`` is put there.
- Schedules are looked at every second instead of every ten.
- Requests count as made over TLS: MiniStack judges by the address's scheme, and loopback needs no cipher. So the
  template's policies stay as they are deployed.
"""

from __future__ import annotations

import os
import sys

from ministack import app
from ministack.core import iam_evaluator
from ministack.services import eventbridge, scheduler

_resolve = iam_evaluator._resolve_condition_key  # noqa: SLF001 - no setting for it


def _resolve_as_over_tls(key: str, context: object) -> object:
    return "true" if key.lower() == "aws:securetransport" else _resolve(key, context)


if __name__ == "__main__":
    sys.executable = os.environ.pop("LOCAL_LAMBDA_PYTHON")
    scheduler._SCHEDULE_TICK_INTERVAL = eventbridge._SCHEDULER_TICK_INTERVAL = 1.0  # noqa: SLF001
    iam_evaluator._resolve_condition_key = _resolve_as_over_tls  # noqa: SLF001
    sys.argv = ["ministack"]
    app.main()
