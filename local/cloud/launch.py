"""Run MiniStack so that functions run under an interpreter of our choice, and schedules are looked at every second.

Runs in MiniStack's own environment. MiniStack starts a function's process with ``sys.executable``, whatever the
function's runtime says; ``local/cloud/lambda-python.sh`` is put there.
"""

from __future__ import annotations

import os
import sys

from ministack import app
from ministack.services import eventbridge, scheduler

if __name__ == "__main__":
    sys.executable = os.environ.pop("LOCAL_LAMBDA_PYTHON")
    scheduler._SCHEDULE_TICK_INTERVAL = eventbridge._SCHEDULER_TICK_INTERVAL = 1.0  # noqa: SLF001 - no setting for it
    sys.argv = ["ministack"]
    app.main()
