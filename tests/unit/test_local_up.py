"""What ``make up`` says."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.cloud import __main__ as cli
from local.cloud.place import Place
from local.cloud.stack import Stack
from local.cloud.trouble import Trouble

STACK = Stack("http://127.0.0.1:1", "us-east-1", "in", "out", "work", "t", "s", "p", "c", "http://127.0.0.1:2/v1")


@pytest.fixture(autouse=True)
def _up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    STACK.write(tmp_path / "stack.json")
    monkeypatch.setattr(cli, "DEFAULT", Place(tmp_path))
    monkeypatch.setattr(cli, "_relative", lambda: ".local/stack.json")
    monkeypatch.setattr(cli, "is_up", lambda _: True)
    monkeypatch.delenv("PARAMS", raising=False)


def test_a_stack_that_is_up_says_again_how_to_reach_it(capsys: pytest.CaptureFixture[str]) -> None:
    cli.up()
    exports = [line.strip() for line in capsys.readouterr().out.splitlines() if line.strip().startswith("export ")]
    assert exports[0] == "export AWS_ENDPOINT_URL=http://127.0.0.1:1 AWS_DEFAULT_REGION=us-east-1"
    assert exports[1].startswith("export AWS_ACCESS_KEY_ID=")


def test_other_settings_for_a_stack_that_is_up_are_not_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARAMS", "MaxRequestsPerBatch=2")
    with pytest.raises(Trouble, match="make down"):
        cli.up()
