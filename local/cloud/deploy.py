"""Deploy ``template.yaml`` as it stands to the local cloud, as ``sam deploy`` would to AWS."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from local.build import compile_all
from local.cloud import template
from local.cloud.place import LAMBDA_PYTHON, ROOT, TEMPLATE
from local.cloud.trouble import Trouble

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_s3 import S3Client

    from local.cloud.clients import Clients

_ARTIFACTS = "artifacts"
_DEPLOY_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Deployment:
    """What CloudFormation made: ``outputs`` by their names, ``resources``: physical ids by logical ones."""

    outputs: Mapping[str, str]
    resources: Mapping[str, str]


def check_parameters(given: Mapping[str, str], path: Path = TEMPLATE) -> None:
    """``Trouble`` for a parameter that the template does not have; values are CloudFormation's to judge."""
    known = template.load(path)["Parameters"]
    if unknown := sorted(given.keys() - known.keys()):
        raise Trouble(f"The template has no parameter {', '.join(unknown)}. It has: {', '.join(sorted(known))}.")


def deploy(clients: Clients, name: str, parameters: Mapping[str, str], root: Path = ROOT) -> Deployment:
    """Make the stack, and set what the emulator's CloudFormation drops. ``Trouble`` names the resources that failed."""
    loaded = template.load(root / "template.yaml")
    clients.s3.create_bucket(Bucket=_ARTIFACTS)
    _point_to_code(loaded, clients.s3, root)
    _resolve_concurrency(loaded, parameters)
    try:
        clients.cloudformation.create_stack(
            StackName=name,
            TemplateBody=json.dumps(loaded),
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        )
    except ClientError as error:
        raise Trouble(f"The template is refused. {error}") from None
    outputs = _settled(clients, name)
    listed = clients.cloudformation.describe_stack_resources(StackName=name)["StackResources"]
    resources = {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in listed}
    _set_what_is_dropped(clients, loaded, resources)
    return Deployment(outputs, resources)


def _point_to_code(loaded: dict[str, Any], s3: S3Client, root: Path) -> None:
    # The layer's dependencies are in the functions' environment: for this machine, and not unpacked by each worker.
    with TemporaryDirectory() as folder:
        layer, functions = Path(folder) / "layer", Path(folder) / "functions"
        skipped = shutil.ignore_patterns("__pycache__")
        shutil.copytree(root / "shared" / "batchdrop", layer / "python" / "batchdrop", ignore=skipped)
        shutil.copytree(root / "functions", functions, ignore=skipped)
        compile_all([layer, functions], LAMBDA_PYTHON)
        layer_uri, loaded["Globals"]["Function"]["CodeUri"] = _upload(s3, layer), _upload(s3, functions)
    for resource in loaded["Resources"].values():
        if resource["Type"] == "AWS::Serverless::LayerVersion":
            resource["Properties"]["ContentUri"] = layer_uri


def _resolve_concurrency(loaded: dict[str, Any], parameters: Mapping[str, str]) -> None:
    """MiniStack 1.5.33 hands a parameter of type Number on as text, and its queues then feed nobody."""
    for resource in loaded["Resources"].values():
        for event in resource.get("Properties", {}).get("Events", {}).values():
            scaling = event["Properties"].get("ScalingConfig", {})
            if isinstance(wanted := scaling.get("MaximumConcurrency"), dict):
                name = wanted["Ref"]
                scaling["MaximumConcurrency"] = int(parameters.get(name) or loaded["Parameters"][name]["Default"])


def _upload(s3: S3Client, folder: Path) -> str:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder))
    key = hashlib.sha256(packed.getvalue()).hexdigest()
    s3.put_object(Bucket=_ARTIFACTS, Key=key, Body=packed.getvalue())
    return f"s3://{_ARTIFACTS}/{key}"


def _settled(clients: Clients, name: str) -> dict[str, str]:
    deadline = time.monotonic() + _DEPLOY_SECONDS
    while time.monotonic() < deadline:
        stack = clients.cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        if stack["StackStatus"] == "CREATE_COMPLETE":
            return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
        if not stack["StackStatus"].endswith("IN_PROGRESS") or "ROLLBACK" in stack["StackStatus"]:
            break
        time.sleep(0.05)
    events = clients.cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    failed = [
        f"{event.get('LogicalResourceId')}: {event.get('ResourceStatusReason')}"
        for event in events
        if "FAILED" in event.get("ResourceStatus", "")
    ]
    raise Trouble("The template did not deploy.\n" + "\n".join(failed))


def _set_what_is_dropped(clients: Clients, loaded: Mapping[str, Any], resources: Mapping[str, str]) -> None:
    """MiniStack 1.5.33 ignores a table's time to live in a template, though its API honours it."""
    for name, resource in loaded["Resources"].items():
        expiry = resource.get("Properties", {}).get("TimeToLiveSpecification")
        if expiry and name in resources:
            clients.dynamodb.update_time_to_live(TableName=resources[name], TimeToLiveSpecification=expiry)
