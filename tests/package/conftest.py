"""The artifact, built once: what ``make build`` makes and ``sam deploy`` takes."""

from __future__ import annotations

import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from local import interpreters
from local.build import VERSION, build
from local.cloud.place import ROOT, TEMPLATE

HERE = Path(__file__).parent
ARCHITECTURE = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}[platform.machine().lower()]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.package)


@dataclass(frozen=True, slots=True)
class Artifact:
    """``version``: of the Python that it is built for. ``runtime``: what the Lambda runtime brings beside the layer."""

    folder: Path
    version: str
    python: Path
    runtime: Path

    @property
    def layer(self) -> Path:
        return self.folder / "Layer" / "python"


@pytest.fixture(scope="session")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """Built for this machine, so that it runs here; where no Python of the template's version runs, for this Python."""
    home = tmp_path_factory.mktemp("artifact")
    version, template = VERSION, TEMPLATE
    if interpreters.folder_of(VERSION) is None:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        template = home / "template.yaml"
        template.write_text(TEMPLATE.read_text().replace(f"python{VERSION}", f"python{version}"))
    folder = interpreters.folder_of(version)
    assert folder is not None
    python = folder / f"python{version}"
    build(home / "build", [f"Architecture={ARCHITECTURE}"], version=version, template=template)
    return Artifact(home / "build", version, python, _runtime(home / "runtime", python))


def _runtime(folder: Path, python: Path) -> Path:
    lock = ROOT / "local" / "requirements-lambda.txt"
    uv = Path(sys.executable).with_name("uv")
    target = ["--python", str(python), "--target", str(folder)]
    command = [str(uv), "pip", "install", "--quiet", "--require-hashes", *target, "-r", str(lock)]
    subprocess.run(command, check=True)
    return folder
