"""How long a function's first import takes: with and without bytecode in the layer, with and without the SDK.

Fresh interpreters of the functions' environment, isolated (``-I``), the files in the page cache.
"""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from local.bench.figure import Figure, figure, tell
from local.build import compile_all
from local.cloud.place import LAMBDA_PYTHON, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_HANDLER = "import poller"
_SDK = f"{_HANDLER}; from openai import OpenAI; client = OpenAI(api_key='none'); client.batches, client.files"
#: What the Lambda runtime brings, compiled as it is: only the layer's own files differ.
_RUNTIME = frozenset({"boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six.py", "urllib3"})


def figures(folder: Path, *, rounds: int = 9) -> Iterator[Figure]:
    """Seconds, the shortest of several rounds in turns."""
    tell("cold start: the layer, with and without bytecode")
    source, compiled = (_layer(folder / name) for name in ("source", "bytecode"))
    compile_all([compiled], LAMBDA_PYTHON)
    runs = {(layer, what): float("inf") for layer in (source, compiled) for what in (_HANDLER, _SDK)}
    tell(f"cold start: {rounds} rounds of four imports")
    for _ in range(rounds):
        for (layer, what), best in list(runs.items()):
            runs[layer, what] = min(best, _seconds(layer, what))
    for title, baseline, target in (
        ("from source alone", (source, _HANDLER), 1.2),
        ("with the SDK", (compiled, _SDK), 1.5),
        ("from source alone and with the SDK", (source, _SDK), None),
    ):
        name = f"import of a function as shipped vs {title}"
        yield figure(name, runs[compiled, _HANDLER], runs[baseline], "s", target=target, rounds=rounds)


def _layer(folder: Path) -> Path:
    """Layer and functions from the source alone."""
    folder.mkdir()
    (packages,) = (LAMBDA_PYTHON.parents[1] / "lib").glob("python*/site-packages")
    found = [path for path in packages.iterdir() if path.name not in _RUNTIME and path.suffix != ".dist-info"]
    for path in [*found, ROOT / "shared" / "batchdrop", *(ROOT / "functions").glob("*.py")]:
        if path.is_file():
            shutil.copy(path, folder)
        elif path.name != "__pycache__":
            shutil.copytree(path, folder / path.name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def _seconds(layer: Path, what: str) -> float:
    code = (
        f"import sys, time; sys.path.insert(0, {str(layer)!r}); begun = time.perf_counter(); {what}; "
        "print(time.perf_counter() - begun)"
    )
    done = subprocess.run([LAMBDA_PYTHON, "-I", "-B", "-c", code], capture_output=True, text=True, check=True, env={})
    return float(done.stdout)
