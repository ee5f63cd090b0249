"""Runs in the checkers' environment: policies on standard input, parliament's findings on standard output."""

from __future__ import annotations

import json
import sys

from parliament import analyze_policy_string

if __name__ == "__main__":
    findings = [
        f"{found.issue} {found.detail}"
        for policy in json.load(sys.stdin)
        for found in analyze_policy_string(json.dumps(policy)).findings
    ]
    json.dump(findings, sys.stdout)
