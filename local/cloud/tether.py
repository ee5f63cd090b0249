"""Run a command that the kernel ends when its parent dies: ``tether.py PARENT_PID COMMAND...``.

On Linux; elsewhere it only runs it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    parent, *command = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != int(parent):
            sys.exit("the parent is gone already")
    os.execvp(command[0], command)  # noqa: S606 - replacing this process is the point
