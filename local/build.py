"""``sam build``, then bytecode: what ``sam deploy`` takes. ``python -m local.build [Name=value ...]``."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from local import interpreters
from local.cloud.place import ROOT, TEMPLATE
from local.cloud.trouble import Trouble

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

VERSION = "3.13"
"""Of Python, as the template's runtime says."""

_SAM = ROOT / ".local/sam/bin/sam"
_BUILD = ROOT / ".aws-sam/build"


def build(into: Path, parameters: Sequence[str], *, version: str = VERSION, template: Path = TEMPLATE) -> None:
    """Build functions and layer into the folder ``into``; ``Trouble`` if no such Python runs, or if SAM fails.

    ``parameters``: "Name=value", the template's. ``template`` may lie elsewhere; its paths are the repository's.
    """
    folder = interpreters.folder_of(version)
    if folder is None:
        raise Trouble(f"sam build needs python{version}, and none runs: set PYTHON to one.")
    command: list[str | Path] = [_SAM, "build", "--template-file", template, "--base-dir", ROOT, "--build-dir", into]
    if into != _BUILD:
        command.append("--no-cached")
    if parameters:
        command += ["--parameter-overrides", *parameters]
    env = os.environ | {"PATH": f"{folder}{os.pathsep}{os.environ.get('PATH', '')}", "SAM_CLI_TELEMETRY": "0"}
    built = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    if built.returncode:
        raise Trouble(f"sam build failed.\n{built.stderr}")
    compile_all([path for path in sorted(into.iterdir()) if path.is_dir()], folder / f"python{version}")


def compile_all(folders: Sequence[Path], python: Path) -> None:
    """Bytecode that is used without a look at its source: half of the import time of the layer."""
    compiling = ["-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash"]
    subprocess.run([python, *compiling, *folders], check=True)


def main(parameters: Sequence[str]) -> int:
    """Build for ``sam deploy``; the exit status."""
    try:
        build(_BUILD, parameters)
    except Trouble as trouble:
        print(trouble, file=sys.stderr)
        return 1
    print(f"Built: {_BUILD.relative_to(ROOT)}. Next: make deploy.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
