"""Bring a stack up and down."""

from __future__ import annotations

import json
import shutil
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from local.cloud import emulator, place, processes
from local.cloud.clients import connect
from local.cloud.deploy import Deployment, check_parameters, deploy
from local.cloud.stack import Stack
from local.cloud.trouble import Trouble

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from local.cloud.clients import Clients
    from local.cloud.place import Place
    from local.cloud.processes import Server

LOCAL_OPENAI_KEY = "sk-local"
OPENAI_BASE_URL = "https://api.openai.com/v1"
CONCURRENCY = "2"  #: each function in parallel is a process that starts: more of them take longer here, not shorter
_READY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is to be brought up.

    ``base_url`` and ``api_key``: the Batch API to use; with neither, the local OpenAI server is started.
    ``parameters``: the template's, by name; they win.
    ``upstream``, ``upstream_key``: options and key for what answers the requests behind the local OpenAI server.
    """

    base_url: str = ""
    api_key: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    stack_name: str = "batchdrop"
    upstream: tuple[str, ...] = ()
    upstream_key: str = field(default="", repr=False)

    @property
    def own_openai(self) -> bool:
        """Whether the local OpenAI server is wanted."""
        return not (self.base_url or self.api_key or self.parameters.get("OpenAIBaseUrl"))


@dataclass(frozen=True, slots=True)
class Running:
    """A stack that is up. ``openai`` is the address of the local OpenAI server, empty where another one is used."""

    stack: Stack
    deployment: Deployment
    clients: Clients
    servers: list[Server]
    openai: str


@contextmanager
def running(where: Place, wishes: Wishes) -> Iterator[Running]:
    """A stack for as long as the block runs. Stopped on every way out, and by the kernel if this process is killed."""
    up = bring_up(where, wishes, tethered=True)
    try:
        yield up
    finally:
        bring_down(where)


def bring_up(where: Place, wishes: Wishes, *, tethered: bool) -> Running:
    """Start everything and deploy; when it returns, a dropped file is taken. If it fails, nothing is left running."""
    place.check_installed()
    check_parameters(wishes.parameters)
    _check_base_url(wishes)
    where.folder.mkdir(parents=True, exist_ok=True)
    try:
        return _bring_up(where, wishes, tethered=tethered)
    except BaseException:
        bring_down(where)
        raise


def bring_down(where: Place) -> bool:
    """Stop everything that was started there and clear its scratch; False if nothing was running."""
    servers = processes.recall(where.processes_file)
    alive = any(server.alive for server in servers)
    processes.stop(servers)
    where.stack_file.unlink(missing_ok=True)
    where.processes_file.unlink(missing_ok=True)
    shutil.rmtree(where.scratch, ignore_errors=True)
    return alive


def is_up(where: Place) -> bool:
    """Whether a stack is up there, all its servers alive."""
    servers = processes.recall(where.processes_file)
    return where.stack_file.exists() and bool(servers) and all(server.alive for server in servers)


def _bring_up(where: Place, wishes: Wishes, *, tethered: bool) -> Running:
    for log in where.folder.glob("*.log"):
        log.unlink()
    servers: list[Server] = []
    openai = ""
    if wishes.own_openai:
        openai = _start_openai(where, wishes, servers, tethered=tethered)
    port = emulator.free_port()
    servers.append(emulator.start(where, port, tethered=tethered))
    processes.remember(servers, where.processes_file)
    endpoint_url = f"http://127.0.0.1:{port}"
    emulator.answers(f"{endpoint_url}/_ministack/health", servers[-1])
    clients = connect(endpoint_url, emulator.REGION)
    parameters = _parameters(wishes, openai)
    deployment = deploy(clients, wishes.stack_name, parameters)
    _put_key(clients, deployment, wishes)
    _wait_until_ready(clients, deployment)
    stack = _describe(endpoint_url, deployment, parameters["OpenAIBaseUrl"])
    stack.write(where.stack_file)
    return Running(stack, deployment, clients, servers, openai)


def _start_openai(where: Place, wishes: Wishes, servers: list[Server], *, tethered: bool) -> str:
    port = emulator.free_port()
    address = f"http://127.0.0.1:{port}"
    where.scratch.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "local.openai", "--port", str(port), "--data", str(where.scratch / "openai")]
    command += wishes.upstream
    env = emulator.clean_environment(where) | {"OPENAI_UPSTREAM_API_KEY": wishes.upstream_key}
    servers.append(processes.start("openai", command, env=env, log=where.log("openai"), tethered=tethered))
    processes.remember(servers, where.processes_file)
    emulator.answers(f"{address}/", servers[-1])
    return address


def _parameters(wishes: Wishes, openai: str) -> dict[str, str]:
    base_url = wishes.base_url or (f"{openai}/v1" if openai else OPENAI_BASE_URL)
    return {"OpenAIBaseUrl": base_url, "MaxConcurrency": CONCURRENCY, **wishes.parameters}


def _put_key(clients: Clients, deployment: Deployment, wishes: Wishes) -> None:
    if "Secret" in deployment.resources:
        key = json.dumps({"api_key": wishes.api_key or LOCAL_OPENAI_KEY})
        clients.secrets.put_secret_value(SecretId=deployment.outputs["SecretArn"], SecretString=key)


def _wait_until_ready(clients: Clients, deployment: Deployment) -> None:
    """CloudFormation is done before its functions take events."""
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        mappings = clients.functions.list_event_source_mappings()["EventSourceMappings"]
        if _is_notified(clients, deployment) and all(mapping.get("State") == "Enabled" for mapping in mappings):
            return
        time.sleep(0.05)
    raise Trouble("The stack is deployed, but its functions do not take events.")


def _is_notified(clients: Clients, deployment: Deployment) -> bool:
    """Whether the input bucket tells the queue. One that the stack has not made is its owner's matter."""
    if "InputBucket" not in deployment.resources:
        return True
    bucket = deployment.outputs["InputBucketName"]
    return bool(clients.s3.get_bucket_notification_configuration(Bucket=bucket).get("QueueConfigurations"))


def _describe(endpoint_url: str, deployment: Deployment, base_url: str) -> Stack:
    outputs = deployment.outputs
    return Stack(
        endpoint_url=endpoint_url,
        region=emulator.REGION,
        input_bucket=outputs["InputBucketName"],
        output_bucket=outputs["OutputBucketName"],
        work_bucket=outputs["WorkBucketName"],
        table=outputs["TableName"],
        submitter_function=outputs["SubmitterFunctionName"],
        poller_function=outputs["PollerFunctionName"],
        collector_function=outputs["CollectorFunctionName"],
        openai_base_url=base_url,
    )


def _check_base_url(wishes: Wishes) -> None:
    url = urlsplit(wishes.parameters.get("OpenAIBaseUrl") or wishes.base_url or OPENAI_BASE_URL)
    if url.scheme != "https" and (url.scheme != "http" or url.hostname not in {"127.0.0.1", "localhost", "::1"}):
        raise Trouble(f"OPENAI_BASE_URL is {url.geturl()!r}: it must be https, or http on loopback.")
