"""Runs in the checkers' environment, once for all: what to judge on standard input, findings on standard output.

parliament reads policies, checkov the files. checkov's own command imports the checks of everything else as well.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from checkov.cloudformation.runner import Runner
from checkov.runner_filter import RunnerFilter
from parliament import analyze_policy_string


def of_policies(policies: list[dict[str, Any]]) -> list[str]:
    """What parliament finds in them."""
    found = (one for policy in policies for one in analyze_policy_string(json.dumps(policy)).findings)
    return [f"{one.issue} {one.detail}" for one in found]


def of_files(paths: list[str]) -> dict[str, Any]:
    """The ids of the checks that fail, by the file's name without its ending; how many passed."""
    report = Runner().run(None, files=paths, runner_filter=RunnerFilter(framework=["cloudformation"]))
    missed = defaultdict(set)
    for failed in report.failed_checks:
        missed[Path(failed.file_path).stem].add(failed.check_id)
    passed, unread = len(report.passed_checks), len(report.parsing_errors)
    return {"missed": {name: sorted(ids) for name, ids in missed.items()}, "passed": passed, "unread": unread}


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    policies = {name: of_policies(some) for name, some in asked["policies"].items()}
    json.dump({"policies": policies, **of_files(asked["files"])}, sys.stdout)
