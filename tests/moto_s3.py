"""What S3 does and moto leaves out in multipart uploads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def mend(client: S3Client) -> None:
    """Make the client answer as S3 does: If-Match is checked, and an upload that is not there is no crash."""
    complete, upload = client.complete_multipart_upload, client.upload_part

    def checked_complete(**call: Any) -> Any:
        held = {one["Key"]: one["ETag"] for one in client.list_objects_v2(Bucket=call["Bucket"]).get("Contents", [])}
        wanted, found = call.get("IfMatch"), held.get(call["Key"])
        if wanted != found and wanted is not None:
            raise _refusal("PreconditionFailed", 412) if found else _refusal("NoSuchKey", 404)
        _check_upload(client, call)
        return complete(**call)

    def checked_upload(**call: Any) -> Any:
        _check_upload(client, call)
        return upload(**call)

    client.complete_multipart_upload = checked_complete  # type: ignore[method-assign]
    client.upload_part = checked_upload  # type: ignore[method-assign]


def _check_upload(client: S3Client, call: dict[str, Any]) -> None:
    uploads = client.list_multipart_uploads(Bucket=call["Bucket"]).get("Uploads", [])
    if call["UploadId"] not in {upload["UploadId"] for upload in uploads}:
        raise _refusal("NoSuchUpload", 404)


def _refusal(code: str, status: int) -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, code)
