"""The built artifact: what is in it, what is not, and that it runs with nothing of the repository around it."""

from __future__ import annotations

import json
import struct
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from local.cloud.place import ROOT
from tests.template.reading import Template, transformed

if TYPE_CHECKING:
    from tests.package.conftest import Artifact

FUNCTIONS = {"Submitter": "submitter", "Poller": "poller", "Collector": "collector"}
EVENTS = {"Submitter": "submitter-s3-test-event.json", "Poller": "poller-schedule.json"}
NO_RECORDS = '{"Records": []}'
LAMBDA_SETS = {
    "AWS_REGION": "eu-central-1",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "x",
    "AWS_SECRET_ACCESS_KEY": "x",
}
MEGABYTE = 2**20
UNCHECKED_HASH = 0b01


@pytest.fixture(scope="session")
def runs(artifact: Artifact, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Each handler imported and called in a process of its own."""
    folder = tmp_path_factory.mktemp("runs")
    template = Template(transformed(), {})
    return {name: _run(artifact, folder, template, name) for name in FUNCTIONS}


def _run(artifact: Artifact, folder: Path, template: Template, name: str) -> dict[str, Any]:
    variables = template.properties(name)["Environment"]["Variables"]
    (folder / "variables.json").write_text(json.dumps(variables | LAMBDA_SETS))
    (folder / "event.json").write_text((ROOT / "events" / EVENTS[name]).read_text() if name in EVENTS else NO_RECORDS)
    script = Path(__file__).with_name("run_handler.py")
    places = [artifact.folder / name, artifact.layer, artifact.runtime]
    words = [script, *places, FUNCTIONS[name], folder / "event.json", folder / "variables.json"]
    command = [str(artifact.python), "-I", *map(str, words)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_handler_runs_from_the_artifact_alone(runs: dict[str, dict[str, Any]], artifact: Artifact, name: str) -> None:
    imported = runs[name]["imported"]
    assert imported["batchdrop.bootstrap"].startswith(f"{artifact.layer}/batchdrop/")
    assert imported[FUNCTIONS[name]].startswith(f"{artifact.folder / name}/")
    assert not [file for file in imported.values() if file.startswith((f"{ROOT}/functions", f"{ROOT}/shared"))]


def test_an_idle_tick_looks_into_the_table_twice_and_does_nothing_else(runs: dict[str, dict[str, Any]]) -> None:
    assert runs["Poller"]["result"]["open_jobs"] == 0
    assert runs["Poller"]["result"]["troubles"] == []
    assert runs["Poller"]["calls"] == ["DynamoDB_20120810.Query", "DynamoDB_20120810.GetItem"]
    assert not set(runs["Poller"]["loaded"]) & {"openai", "pydantic", "httpx2", "genai_prices"}


def test_the_event_that_s3_sends_at_deploy_does_nothing(runs: dict[str, dict[str, Any]]) -> None:
    assert runs["Submitter"]["result"] is None
    assert runs["Submitter"]["calls"] == []


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_sdk_is_imported_only_where_it_is_called(runs: dict[str, dict[str, Any]], name: str) -> None:
    assert not runs[name]["imported"].keys() & {"openai", "pydantic", "httpx2", "aiohttp", "genai_prices"}


def test_the_layer_leaves_out_what_the_runtime_brings_and_what_slows_the_start(artifact: Artifact) -> None:
    there = {path.name for path in artifact.layer.iterdir()}
    assert not there & {"boto3", "botocore", "s3transfer", "aiohttp", "mypy_boto3_s3", "pytest", "moto", "uv"}
    assert there >= {"batchdrop", "openai", "msgspec", "aws_lambda_powertools"}


def test_a_function_holds_its_entry_points_and_nothing_else(artifact: Artifact) -> None:
    for name in FUNCTIONS:
        files = {str(path.relative_to(artifact.folder / name)) for path in (artifact.folder / name).glob("*.*")}
        assert files == {f"{module}.py" for module in FUNCTIONS.values()}


def test_the_layer_holds_every_module_as_it_stands_here(artifact: Artifact) -> None:
    source, built = ROOT / "shared" / "batchdrop", artifact.layer / "batchdrop"
    names = {path.relative_to(source) for path in source.rglob("*.py")}
    assert names == {path.relative_to(built) for path in built.rglob("*.py")}
    assert all((source / name).read_bytes() == (built / name).read_bytes() for name in names)


def test_all_of_it_fits_into_lambda(artifact: Artifact) -> None:
    for name in FUNCTIONS:
        files = [*(artifact.folder / name).rglob("*"), *artifact.layer.rglob("*")]
        assert sum(file.stat().st_size for file in files if file.is_file()) < 250 * MEGABYTE


def test_bytecode_is_shipped_and_used_without_a_look_at_its_source(artifact: Artifact) -> None:
    tag = f"cpython-{artifact.version.replace('.', '')}"
    for module in (artifact.layer / "openai" / "_client.py", artifact.layer / "batchdrop" / "bootstrap.py"):
        compiled = module.parent / "__pycache__" / f"{module.stem}.{tag}.pyc"
        (flags,) = struct.unpack("<I", compiled.read_bytes()[4:8])
        assert flags == UNCHECKED_HASH


def test_the_sdk_that_is_shipped_can_be_imported(artifact: Artifact) -> None:
    code = f"import sys; sys.path.insert(0, {str(artifact.layer)!r}); import openai, msgspec; print(openai.__version__)"
    done = subprocess.run([artifact.python, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("3.")
