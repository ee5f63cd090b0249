"""S3's requests and answers, as boto3 sends and reads them."""

from __future__ import annotations

import re
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.sax.saxutils import escape

from local.size.blobs import Blob, File, of
from local.size.s3 import Refused

if TYPE_CHECKING:
    from local.size.s3 import Server, Store

_META = "x-amz-meta-"
_TIME = "2026-01-01T00:00:00.000Z"
_PAGE = 1_000


class Handler(BaseHTTPRequestHandler):
    """One connection. Handles what it knows and answers 501 to anything else."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def log_message(self, *_: object) -> None:
        """Nothing: a run makes tens of thousands of requests."""

    def do_HEAD(self) -> None:
        self._serve()

    def do_GET(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def _serve(self) -> None:
        url = urlsplit(self.path)
        self.query = dict(parse_qsl(url.query, keep_blank_values=True))
        _, self.bucket, *rest = unquote(url.path).split("/", 2)
        self.key = rest[0] if rest else ""
        try:
            self._route()
        except Refused as refusal:
            self._drain()
            self._answer(f"<Error><Code>{refusal.code}</Code></Error>", refusal.status)

    def _route(self) -> None:  # noqa: C901 - one line for each operation
        match self.command, self.query:
            case "GET", {"list-type": _}:
                self._list()
            case "GET", {"versions": _}:
                self._list_versions()
            case "POST", {"delete": _}:
                self._delete_many()
            case "POST", {"uploads": _}:
                self._start()
            case "PUT", {"uploadId": _}:
                self._put_part()
            case "GET", {"uploadId": _}:
                self._list_parts()
            case "POST", {"uploadId": _}:
                self._complete()
            case "DELETE", {"uploadId": upload_id}:
                self.store.uploads.pop(upload_id, None)
                self._answer(status=204)
            case (("HEAD" | "GET"), _):
                self._get()
            case "PUT", _:
                self._put()
            case "DELETE", _:
                self.store.delete(self.bucket, self.key)
                self._answer(status=204)
            case _:
                raise Refused(501, "NotImplemented")

    @property
    def store(self) -> Store:
        return self.server.store

    # objects
    def _get(self) -> None:
        blob = self.store.get(self.bucket, self.key, self.query.get("versionId"))
        if self.headers.get("If-Match", blob.tag).strip('"') != blob.tag:
            raise Refused(412, "PreconditionFailed")
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        first, end = (int(asked[1]), min(int(asked[2] or blob.size) + 1, blob.size)) if asked else (0, blob.size)
        if asked and first >= blob.size:
            raise Refused(416, "InvalidRange")
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {first}-{end - 1}/{blob.size}")
        self.send_header("Last-Modified", self.store.modified)
        for name, value in blob.metadata.items():
            self.send_header(_META + name, value)
        self._tell(blob, end - first)
        if self.command == "GET":
            for segment in blob.range(first, end):
                for block in segment.blocks():
                    self.wfile.write(block)

    def _tell(self, blob: Blob, length: int = 0) -> None:
        self.send_header("ETag", f'"{blob.tag}"')
        self.send_header("x-amz-version-id", blob.tag)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def _put(self) -> None:
        blob = of(self._body(), self._metadata())
        self._place(blob)
        self.send_response(200)
        self._tell(blob)

    def _place(self, blob: Blob) -> None:
        match = self.headers.get("If-Match")
        absent = self.headers.get("If-None-Match") == "*"
        self.store.put(self.bucket, self.key, blob, match=match and match.strip('"'), absent=absent)

    def _list(self) -> None:
        prefix, after = self.query.get("prefix", ""), self.query.get("continuation-token", "")
        found, more = self.store.listed(self.bucket, prefix, after, int(self.query.get("max-keys", _PAGE)))
        items = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{blob.size}</Size>"
            f"<ETag>{blob.tag}</ETag><LastModified>{_TIME}</LastModified></Contents>"
            for key, blob in found
        )
        token = f"<NextContinuationToken>{escape(found[-1][0])}</NextContinuationToken>" if more else ""
        truncated = f"<IsTruncated>{str(more).lower()}</IsTruncated>"
        self._answer(f"<ListBucketResult>{truncated}{token}{items}</ListBucketResult>")

    def _list_versions(self) -> None:
        """The first page; each name has one version."""
        found, more = self.store.listed(self.bucket, self.query.get("prefix", ""), "", _PAGE)
        items = "".join(
            f"<Version><Key>{escape(key)}</Key><VersionId>null</VersionId><IsLatest>true</IsLatest>"
            f"<ETag>{blob.tag}</ETag><LastModified>{_TIME}</LastModified></Version>"
            for key, blob in found
        )
        truncated = f"<IsTruncated>{str(more).lower()}</IsTruncated>"
        self._answer(f"<ListVersionsResult>{truncated}{items}</ListVersionsResult>")

    def _delete_many(self) -> None:
        for key in re.findall(r"<Key>(.*?)</Key>", self._text()):
            self.store.delete(self.bucket, key)
        self._answer("<DeleteResult></DeleteResult>")

    # uploads
    def _start(self) -> None:
        self._drain()
        upload_id = self.store.start(self.bucket, self.key, self._metadata())
        self._answer(f"<InitiateMultipartUploadResult><UploadId>{upload_id}</UploadId></InitiateMultipartUploadResult>")

    def _put_part(self) -> None:
        upload = self.store.upload(self.query["uploadId"])
        copied = self.headers.get("x-amz-copy-source")
        part = self._copied(copied) if copied else of(self._body())
        upload.parts[int(self.query["partNumber"])] = part
        if copied:
            self._answer(f'<CopyPartResult><ETag>"{part.tag}"</ETag></CopyPartResult>')
        else:
            self.send_response(200)
            self._tell(part)

    def _copied(self, place: str) -> Blob:
        name, _, version_id = place.lstrip("/").partition("?versionId=")
        bucket, _, key = unquote(name).partition("/")
        first, end = self.headers.get("x-amz-copy-source-range", "").removeprefix("bytes=").split("-")
        return Blob(self.store.get(bucket, key, version_id or None).range(int(first), int(end) + 1))

    def _list_parts(self) -> None:
        parts = sorted(self.store.upload(self.query["uploadId"]).parts.items())
        after, most = int(self.query.get("part-number-marker", 0)), int(self.query.get("max-parts", _PAGE))
        left = [(number, part) for number, part in parts if number > after]
        items = "".join(
            f'<Part><PartNumber>{number}</PartNumber><ETag>"{part.tag}"</ETag><Size>{part.size}</Size></Part>'
            for number, part in left[:most]
        )
        more = len(left) > most
        marker = f"<NextPartNumberMarker>{left[most - 1][0]}</NextPartNumberMarker>" if more else ""
        truncated = f"<IsTruncated>{str(more).lower()}</IsTruncated>"
        self._answer(f"<ListPartsResult>{truncated}{marker}{items}</ListPartsResult>")

    def _complete(self) -> None:
        told = re.findall(r"<Part>(.*?)</Part>", self._text(), re.DOTALL)
        chosen = [(_number(part), _tag(part)) for part in told]
        blob = self.store.whole(self.query["uploadId"], chosen)
        self._place(blob)
        del self.store.uploads[self.query["uploadId"]]
        result = f'<CompleteMultipartUploadResult><ETag>"{blob.tag}"</ETag></CompleteMultipartUploadResult>'
        self._answer(result, version_id=blob.tag)

    # inside
    def _metadata(self) -> dict[str, str]:
        names = (name for name in self.headers if name.lower().startswith(_META))
        return {name.lower().removeprefix(_META): self.headers[name] for name in names}

    def _body(self) -> File:
        if self.headers.get("Transfer-Encoding"):
            raise Refused(501, "NotImplemented")
        return self.store.file(self.rfile, self._length)

    @property
    def _length(self) -> int:
        return int(self.headers.get("Content-Length", 0))

    def _text(self) -> str:
        return self.rfile.read(self._length).decode()

    def _drain(self) -> None:
        """A refusal may come before the body was read: this connection is not used again."""
        self.close_connection = True

    def _answer(self, text: str = "", status: int = 200, version_id: str = "") -> None:
        body = text.encode()
        self.send_response(status)
        if version_id:
            self.send_header("x-amz-version-id", version_id)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _number(part: str) -> int:
    found = re.search(r"<PartNumber>(\d+)</PartNumber>", part)
    return int(found[1]) if found else 0


def _tag(part: str) -> str:
    found = re.search(r"<ETag>(.*?)</ETag>", part)
    return found[1].replace("&quot;", "").strip('"') if found else ""
