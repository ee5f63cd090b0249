"""bandit on the code, detect-secrets on every file of the repository."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from detect_secrets.core.secrets_collection import SecretsCollection
from detect_secrets.settings import transient_settings

from local.cloud.place import ROOT
from tests.checks.documents import run

pytestmark = pytest.mark.no_cover

#: What bandit may find, and why.
ACCEPTED = {
    ("local/cloud/emulator.py", "B310"): "the address is our own server's, on loopback",
    ("local/cloud/template.py", "B506"): "the loader is a SafeLoader",
    ("local/openai/admin.py", "B310"): "the address is our own server's, on loopback",
}
CARELESS = "import subprocess, yaml\nsubprocess.call(input(), shell=True)\nyaml.load(open('a'))\n"

#: All of detect-secrets' but the one for keywords: our fields and variables are called secret and key.
_PLUGINS = [
    "ArtifactoryDetector",
    "AWSKeyDetector",
    "AzureStorageKeyDetector",
    "BasicAuthDetector",
    "GitHubTokenDetector",
    "JwtTokenDetector",
    "OpenAIDetector",
    "PrivateKeyDetector",
    "PypiTokenDetector",
    "SlackDetector",
    "StripeDetector",
    "TwilioKeyDetector",
]
_FILTERS = ["allowlist.is_line_allowlisted", "heuristic.is_sequential_string", "heuristic.is_potential_uuid"]
#: Values that look random and are none: the samples' bucket names, and AWS's own example of a host id.
_NO_SECRETS = [r"^batchdrop-(input|output)-123456789012\\?$", r"EXAMPLE\\?$"]
SETTINGS = {
    "plugins_used": [
        *({"name": name} for name in _PLUGINS),
        {"name": "Base64HighEntropyString", "limit": 4.5},
        {"name": "HexHighEntropyString", "limit": 3.0},
    ],
    "filters_used": [
        *({"path": f"detect_secrets.filters.{name}"} for name in _FILTERS),
        {"path": "detect_secrets.filters.regex.should_exclude_secret", "pattern": _NO_SECRETS},
    ],
}
#: Split, so that this file passes its own check.
PLANTED = [
    "OPENAI = 'sk-" + "proj4fTq9ZbXw2LkVn8RT3Blbk" + "FJyC6mHd1PuGs0EoAi5NqB'",
    "aws = 'AKIA" + "Z7QX4MN2PL5RT8WK'",
    "-----BEGIN RSA " + "PRIVATE KEY-----",
    "https://someone:" + "hunter2x@example.org/",
]


def test_bandit_finds_nothing_but_what_has_its_reason(tmp_path: Path) -> None:
    planted = tmp_path / "careless.py"
    planted.write_text(CARELESS)
    command = (sys.executable, "-m", "bandit", "-q", "-ll", "-f", "json", "-r", "shared", "functions", "local")
    report = json.loads(run(*command, planted))
    assert report["errors"] == []
    found = {(one["filename"], one["test_id"]) for one in report["results"]}
    assert {(str(planted), "B602"), (str(planted), "B506")} <= found, "what is planted is found"
    assert {one for one in found if one[0] != str(planted)} == ACCEPTED.keys()


def secrets_in(*files: Path) -> list[str]:
    with transient_settings(SETTINGS):
        found = SecretsCollection()
        for file in files:
            found.scan_file(str(file))
        return [f"{name}:{secret.line_number} {secret.type}" for name, secret in found]


def test_no_file_of_the_repository_holds_a_secret() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    locks = {name for name in listed.splitlines() if "requirements" in name}  # hashes, each line checked elsewhere
    files = [ROOT / name for name in listed.splitlines() if name not in locks]
    assert len(files) > 300
    assert secrets_in(*files) == []


@pytest.mark.parametrize("line", PLANTED)
def test_a_secret_would_be_found(tmp_path: Path, line: str) -> None:
    file = tmp_path / "settings.py"
    file.write_text(line + "\n")
    assert secrets_in(file) != []
