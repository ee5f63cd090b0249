"""Which IAM actions an AWS call takes, and on what: the service authorization reference, and the calls' own pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tests.template.reading import ACCOUNT, REGION, STACK

Use = tuple[str, str]  #: an IAM action and an ARN, with the names that the template's tests use

#: An upload in parts is one put; its parts are listed and dropped under permissions of their own.
_S3_WRITES = {"PutObject", "CreateMultipartUpload", "UploadPart", "UploadPartCopy", "CompleteMultipartUpload"}
_S3_OBJECT = {"ListParts": "ListMultipartUploadParts", "AbortMultipartUpload": "AbortMultipartUpload"}
_S3_BUCKET = {"ListObjectsV2": "ListBucket", "ListObjectVersions": "ListBucketVersions"}
_PER_ITEM = {"Put": "PutItem", "Update": "UpdateItem", "ConditionCheck": "ConditionCheckItem", "Delete": "DeleteItem"}
_TABLE = "arn:of:Table.Arn"
_OTHERS = {
    ("secretsmanager", "GetSecretValue"): ("secretsmanager:GetSecretValue", "arn:of:Secret.Id"),
    ("events", "PutEvents"): ("events:PutEvents", f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"),
}


def uses(service: str, operation: str, call: Mapping[str, Any]) -> Iterator[Use]:
    """What a call takes. ``KeyError`` for an operation that is not known here."""
    if service == "s3":
        yield from _s3(operation, call)
    elif service == "dynamodb":
        yield from _dynamodb(operation, call)
    elif (service, operation) == ("sqs", "SendMessage"):
        name = call["QueueUrl"].rpartition("/")[2].removeprefix("batchdrop-")
        yield "sqs:SendMessage", f"arn:aws:sqs:{REGION}:{ACCOUNT}:{STACK}-{name}"
    elif (service, operation) == ("lambda", "Invoke"):
        name = call["FunctionName"].removeprefix("batchdrop-")
        yield "lambda:InvokeFunction", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{STACK}-{name}"
    else:
        yield _OTHERS[service, operation]


def to_be_told_that_it_is_not_there(call: Mapping[str, Any]) -> Iterator[Use]:
    """Without this, S3 answers 403 rather than 404 for an object that is not there."""
    yield "s3:ListBucket", _bucket(call["Bucket"])


def _s3(operation: str, call: Mapping[str, Any]) -> Iterator[Use]:
    bucket = _bucket(call["Bucket"])
    here = f"{bucket}/{call.get('Key', '')}"
    if operation in {"GetObject", "HeadObject"}:
        yield _read(call), here
    elif operation in _S3_WRITES:
        yield "s3:PutObject", here
        if "CopySource" in call:
            source = call["CopySource"]
            yield _read(source), f"{_bucket(source['Bucket'])}/{source['Key']}"
        if "IfMatch" in call:
            yield "s3:GetObject", here
    elif operation in _S3_BUCKET:
        yield f"s3:{_S3_BUCKET[operation]}", bucket
    elif operation == "DeleteObjects":
        for one in call["Delete"]["Objects"]:
            yield _delete(one), f"{bucket}/{one['Key']}"
    elif operation == "DeleteObject":
        yield _delete(call), here
    else:
        yield f"s3:{_S3_OBJECT[operation]}", here


def _read(what: Mapping[str, Any]) -> str:
    return "s3:GetObjectVersion" if what.get("VersionId") else "s3:GetObject"


def _delete(what: Mapping[str, Any]) -> str:
    return "s3:DeleteObjectVersion" if what.get("VersionId") else "s3:DeleteObject"


def _bucket(name: str) -> str:
    return f"arn:aws:s3:::{STACK}-{name.removeprefix('batchdrop-')}"


def _dynamodb(operation: str, call: Mapping[str, Any]) -> Iterator[Use]:
    """A transaction takes what each of its items takes."""
    if operation == "TransactWriteItems":
        for item in call["TransactItems"]:
            (kind,) = item
            yield f"dynamodb:{_PER_ITEM[kind]}", _TABLE
    else:
        index = call.get("IndexName")
        yield f"dynamodb:{operation}", f"{_TABLE}/index/{index}" if index else _TABLE
