"""A multipart upload in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from batchdrop.ports import UploadPart


@dataclass
class Multipart:
    """An upload under way."""

    bucket: str
    key: str
    metadata: Mapping[str, str]
    content_type: str
    data: dict[int, bytes] = field(default_factory=dict)

    def add(self, number: int, data: bytes) -> UploadPart:
        self.data[number] = data
        return UploadPart(number, md5(data), len(data))

    def parts(self) -> list[UploadPart]:
        return [UploadPart(number, md5(data), len(data)) for number, data in sorted(self.data.items())]

    def join(self, parts: list[UploadPart], smallest: int) -> tuple[bytes, str]:
        """The object of these parts and its ETag; what S3 refuses is a failed assertion."""
        assert parts, "MalformedXML: an upload has at least one part"
        assert set(parts) <= set(self.parts()), "InvalidPart"
        assert parts == sorted(parts, key=lambda part: part.number), "InvalidPartOrder"
        assert all(part.bytes >= smallest for part in parts[:-1]), "EntityTooSmall"
        blocks = [self.data[part.number] for part in parts]
        digests = b"".join(hashlib.md5(block).digest() for block in blocks)
        return b"".join(blocks), f"{md5(digests)}-{len(parts)}"


def md5(data: bytes) -> str:
    """S3's ETag of an object that was put whole, without its quotes."""
    return hashlib.md5(data).hexdigest()
