"""Multipart uploads: the part of ``ports.ObjectStore`` that makes objects of parts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from batchdrop.adapters.s3_conditions import bare, conditional, headers
from batchdrop.adapters.s3_errors import writing
from batchdrop.adapters.s3_metadata import to_headers
from batchdrop.adapters.s3_range import version
from batchdrop.core.errors import Rejected
from batchdrop.core.model import Source
from batchdrop.ports import Precondition, UploadPart, Written

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef


class S3Uploads:
    """Multipart uploads on S3, their parts checked by CRC-32 from their sending to their joining.

    boto3 sends one with each part by itself. S3 was known to refuse that where the upload had not announced it, and
    where it had, to want each of them again at the end.
    """

    def __init__(self, client: S3Client, *, page: int) -> None:
        self._client = client
        self._page = page

    def start_upload(self, bucket: str, key: str, *, metadata: Mapping[str, str], content_type: str) -> str:
        with writing(_place(bucket, key)):
            answer = self._client.create_multipart_upload(
                Bucket=bucket,
                Key=key,
                Metadata=to_headers(metadata),
                ContentType=content_type,
                ChecksumAlgorithm="CRC32",
            )
        return answer["UploadId"]

    def upload_part(self, bucket: str, key: str, upload_id: str, number: int, data: bytes) -> UploadPart:
        with writing(_place(bucket, key)):
            answer = self._client.upload_part(
                Bucket=bucket, Key=key, UploadId=upload_id, PartNumber=number, Body=data, ChecksumAlgorithm="CRC32"
            )
        return UploadPart(number, bare(answer["ETag"]), len(data), answer.get("ChecksumCRC32"))

    def copy_part(self, bucket: str, key: str, upload_id: str, number: int, source: Source) -> UploadPart:
        with writing(_place(bucket, key)):
            answer = self._client.upload_part_copy(
                Bucket=bucket,
                Key=key,
                UploadId=upload_id,
                PartNumber=number,
                CopySource=version(source.bucket, source.key, source.version_id),
                CopySourceRange=f"bytes={source.first_byte}-{source.end_byte - 1}",
            )
        part = answer["CopyPartResult"]
        return UploadPart(number, bare(part["ETag"]), source.end_byte - source.first_byte, part.get("ChecksumCRC32"))

    def list_parts(self, bucket: str, key: str, upload_id: str) -> list[UploadPart] | None:
        pages = self._client.get_paginator("list_parts").paginate(
            Bucket=bucket, Key=key, UploadId=upload_id, PaginationConfig={"PageSize": self._page}
        )
        try:
            with writing(_place(bucket, key)):
                return [
                    UploadPart(part["PartNumber"], bare(part["ETag"]), part["Size"], part.get("ChecksumCRC32"))
                    for page in pages
                    for part in page.get("Parts", [])
                ]
        except Rejected as error:
            if error.code == "upload_gone":
                return None
            raise

    def complete_upload(
        self, bucket: str, key: str, upload_id: str, parts: Iterable[UploadPart], *, only: Precondition
    ) -> Written | None:
        chosen = [_completed(part) for part in parts]
        return conditional(
            lambda: self._client.complete_multipart_upload(
                Bucket=bucket, Key=key, UploadId=upload_id, MultipartUpload={"Parts": chosen}, **headers(only)
            ),
            _place(bucket, key),
            only,
        )

    def abort_upload(self, bucket: str, key: str, upload_id: str) -> None:
        try:
            with writing(_place(bucket, key)):
                self._client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id)
        except Rejected as error:
            if error.code != "upload_gone":
                raise


def _completed(part: UploadPart) -> CompletedPartTypeDef:
    named: CompletedPartTypeDef = {"PartNumber": part.number, "ETag": f'"{part.etag}"'}
    return named if part.checksum is None else {**named, "ChecksumCRC32": part.checksum}


def _place(bucket: str, key: str) -> str:
    return f"s3://{bucket}/{key}"
