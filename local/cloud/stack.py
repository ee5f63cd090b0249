"""What users of a local stack need to know, as ``stack.json`` has it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from local.cloud.clients import connect

if TYPE_CHECKING:
    from pathlib import Path

    from local.cloud.clients import Clients


@dataclass(frozen=True, slots=True)
class Stack:
    """Names and addresses of a deployed stack."""

    endpoint_url: str
    region: str
    input_bucket: str
    output_bucket: str
    work_bucket: str
    table: str
    submitter_function: str
    poller_function: str
    collector_function: str
    openai_base_url: str

    @classmethod
    def read(cls, file: Path) -> Stack:
        """The stack that ``make up`` wrote down; ``FileNotFoundError`` if none is up."""
        return cls(**json.loads(file.read_text()))

    def write(self, file: Path) -> None:
        """Write it down: from now on it is up."""
        file.write_text(json.dumps(asdict(self), indent=2) + "\n")

    def connect(self) -> Clients:
        """Clients to its cloud."""
        return connect(self.endpoint_url, self.region)
