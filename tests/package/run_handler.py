"""Run under ``python -I``: import a handler from the built artifact alone, call it, and print what came of it as JSON.

``run_handler.py FUNCTION_FOLDER LAYER_FOLDER RUNTIME_FOLDER MODULE EVENT_FILE VARIABLES_FILE``. The path is set as
Lambda sets it: the function, the layer, then what the runtime brings. DynamoDB is answered for: it has nothing but the
record of the poller's rounds, which are not due.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

NOTHING_FOUND = b'{"Items": [], "Count": 0, "ScannedCount": 0}'
NOT_DUE = b'{"Item": {"claim": {"N": "1"}, "sweep": {"M": {"next_at": {"S": "2999-01-01T00:00:00Z"}}}}}'


def main(function: str, layer: str, runtime: str, module: str, event: str, variables: str) -> None:
    os.environ.clear()
    os.environ.update(json.loads(Path(variables).read_text()))
    sys.path[:0] = [function, layer, runtime]
    before = set(sys.modules)
    handler = importlib.import_module(module).handler
    imported = {name: _file(name) for name in sorted(set(sys.modules) - before)}
    calls = _answer_every_call()
    context = SimpleNamespace(
        function_name=module,
        memory_limit_in_mb=512,
        invoked_function_arn=f"arn:aws:lambda:eu-central-1:123456789012:function:{module}",
        aws_request_id="0",
        get_remaining_time_in_millis=lambda: 60_000,
    )
    result = handler(json.loads(Path(event).read_text()), context)
    seen = {"result": result, "imported": imported, "calls": calls, "loaded": sorted(sys.modules)}
    sys.stdout.write("\n" + json.dumps(seen) + "\n")


def _file(name: str) -> str:
    return getattr(sys.modules.get(name), "__file__", None) or ""


def _answer_every_call() -> list[str]:
    from botocore.awsrequest import AWSResponse
    from botocore.compat import HTTPHeaders
    from botocore.httpsession import URLLib3Session

    calls: list[str] = []

    class Raw:
        def __init__(self, body: bytes) -> None:
            self._body = body

        def stream(self, **_: Any) -> list[bytes]:
            return [self._body]

    def send(_: object, request: Any) -> AWSResponse:
        target = request.headers.get("X-Amz-Target", b"")
        calls.append(target.decode() if isinstance(target, bytes) else target)
        body = NOT_DUE if calls[-1].endswith(".GetItem") else NOTHING_FOUND
        return AWSResponse(request.url, 200, HTTPHeaders(), Raw(body))

    URLLib3Session.send = send  # type: ignore[assignment, method-assign]
    return calls


if __name__ == "__main__":
    main(*sys.argv[1:])
