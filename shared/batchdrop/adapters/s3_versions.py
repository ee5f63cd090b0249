"""The list of a bucket's versions: the part of ``ports.ObjectStore`` that sees what no event told of."""

from __future__ import annotations

from typing import TYPE_CHECKING, NotRequired, TypedDict

from botocore.exceptions import ClientError

from batchdrop.adapters.aws import code_of
from batchdrop.adapters.s3_conditions import bare, real_version
from batchdrop.adapters.s3_errors import writing
from batchdrop.core.housekeeping import VersionCursor
from batchdrop.ports import Version, VersionPage

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ListObjectVersionsOutputTypeDef


class _Markers(TypedDict):
    KeyMarker: NotRequired[str]
    VersionIdMarker: NotRequired[str]


class S3Versions:
    """Listing of versions on S3. The role needs s3:ListBucketVersions."""

    _client: S3Client
    _page: int

    def list_versions(self, bucket: str, cursor: VersionCursor | None = None) -> VersionPage:
        try:
            answer = self._listed(bucket, cursor)
        except ClientError as error:
            if cursor is None or code_of(error) != "InvalidArgument":
                raise
            # What S3 says to a marker whose version is gone by now is not documented: the pass begins anew.
            answer = self._listed(bucket, None)
        found = tuple(
            Version(
                key=one["Key"],
                version_id=real_version(one.get("VersionId")),
                etag=bare(one["ETag"]),
                last_modified=one["LastModified"],
                is_latest=one["IsLatest"],
            )
            for one in answer.get("Versions", [])
        )
        if not answer["IsTruncated"]:
            return VersionPage(found, None)
        return VersionPage(found, VersionCursor(answer["NextKeyMarker"], answer.get("NextVersionIdMarker", "")))

    def _listed(self, bucket: str, cursor: VersionCursor | None) -> ListObjectVersionsOutputTypeDef:
        # Not "reading": a bucket that may not be listed is the operator's to mend, not the uploader's.
        with writing(f"s3://{bucket}"):
            return self._client.list_object_versions(Bucket=bucket, MaxKeys=self._page, **_markers(cursor))


def _markers(cursor: VersionCursor | None) -> _Markers:
    if cursor is None:
        return {}
    if not cursor.version_id:
        return {"KeyMarker": cursor.key}
    return {"KeyMarker": cursor.key, "VersionIdMarker": cursor.version_id}
