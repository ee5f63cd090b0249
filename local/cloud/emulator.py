"""MiniStack: the cloud of one machine. Version, behaviour and gaps: MiniStack 1.5.33."""

from __future__ import annotations

import os
import socket
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from local.cloud import place, processes
from local.cloud.trouble import Trouble

if TYPE_CHECKING:
    from local.cloud.place import Place
    from local.cloud.processes import Server

REGION = "us-east-1"
ACCOUNT = "123456789012"
KEY_ID = KEY = "test"
"""The emulator's root. Functions get credentials of their roles."""

_START_SECONDS = 60.0
# Functions inherit the emulator's environment, so it gets only what names this machine: a key of the user's in it
# would hide that the stack's secret is empty.
_PASSED_ON = ("PATH", "HOME", "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTPS_PROXY", "https_proxy")


def free_port() -> int:
    """A port on loopback that nobody listens on now. Another process may take it before we do."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(where: Place, port: int, *, tethered: bool) -> Server:
    """Start it on loopback, with roles enforced. ``answers`` tells when it is ready."""
    where.scratch.mkdir(parents=True, exist_ok=True)
    launch = Path(__file__).with_name("launch.py")
    return processes.start(
        "ministack",
        # -P: this folder's modules are not for the emulator to import. The last word is for whoever lists processes.
        [place.MINISTACK_PYTHON, "-P", launch, where.folder],
        env=_environment(where, port),
        log=where.log("ministack"),
        tethered=tethered,
    )


def answers(url: str, server: Server) -> None:
    """Return when ``url`` answers; ``Trouble`` if its server dies or takes more than a minute."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except urllib.error.HTTPError as refusal:
            refusal.close()
            return
        except OSError:
            pass
        else:
            return
        if not server.alive:
            raise Trouble(f"{server.name} died at its start; {server.log} says why.")
        time.sleep(0.05)
    raise Trouble(f"{server.name} does not answer at {url}; {server.log} may say why.")


def clean_environment(where: Place) -> dict[str, str]:
    """What every server gets of this process's environment, and where it may leave temporary files."""
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return passed_on | {"LANG": "C.UTF-8", "NO_PROXY": "127.0.0.1,localhost", "TMPDIR": str(where.scratch)}


def _environment(where: Place, port: int) -> dict[str, str]:
    return clean_environment(where) | {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "AWS_ACCESS_KEY_ID": KEY_ID,
        "AWS_SECRET_ACCESS_KEY": KEY,
        "AWS_DEFAULT_REGION": REGION,
        "AUTH": "true",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LOCAL_ACCESS_LOG": str(where.log("access")),
        "LOCAL_LAMBDA_PYTHON": str(Path(__file__).with_name("lambda-python.sh")),
    }
