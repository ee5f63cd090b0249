"""Importing any module does nothing: no environment, no sockets, no files, no processes, no SDK."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.architecture.code import ROOT, modules

#: Runs in a process of its own, with nothing in its environment.
IMPORT_ALL = """
import importlib, json, sys
sys.path[:0] = sys.argv[1:3]
import botocore.session

def watch(event, args):
    opens_to_write = event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+")
    if event.split(".")[0] in {"socket", "subprocess", "shutil", "tempfile"} or event == "os.mkdir" or opens_to_write:
        raise AssertionError(f"{event} {args}")

def no_client(*args, **kwargs):
    raise AssertionError("a client was made")

botocore.session.Session.create_client = no_client
done = {}
# Compiled files may be written, by the interpreter and not by us.
sys.dont_write_bytecode = True
import socket, tempfile, http.client, urllib.request
sys.addaudithook(watch)
for name in sys.argv[3:]:
    try:
        importlib.import_module(name)
    except BaseException as error:
        done[name] = f"{type(error).__name__}: {error}"
print(json.dumps({"failed": done, "loaded": sorted(sys.modules)}))
"""


def names() -> list[str]:
    found = [str(module).removesuffix(".py").removesuffix("/__init__") for module in modules("shared", "functions")]
    return [name.removeprefix("shared/").removeprefix("functions/").replace("/", ".") for name in found]


@pytest.fixture(scope="module")
def imported() -> dict[str, object]:
    command = [sys.executable, "-I", "-c", IMPORT_ALL, str(ROOT / "shared"), str(ROOT / "functions"), *names()]
    done = subprocess.run(command, env={}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return result


def test_every_module_is_imported_with_nothing_at_hand(imported: dict[str, object]) -> None:
    assert imported["failed"] == {}
    loaded = imported["loaded"]
    assert isinstance(loaded, list)
    assert set(names()) <= set(loaded)


@pytest.mark.parametrize("sdk", ["openai", "httpx2", "pydantic", "aiohttp", "genai_prices"])
def test_the_provider_s_sdk_waits_for_the_first_call(imported: dict[str, object], sdk: str) -> None:
    loaded = imported["loaded"]
    assert isinstance(loaded, list)
    assert sdk not in loaded
