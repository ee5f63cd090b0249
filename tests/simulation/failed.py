"""What must hold of a job that failed: nothing was bought after its end, and nothing of it is left at the provider."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from batchdrop.core.lifecycle import OCCUPYING
from tests.simulation.watched import Item, require

#: A death between this write and the delete that follows it leaves a file, which expires by itself.
FILE_DROPPED_AFTER = {"delete_file", "B6.refused", "B7.refused", "B8"}
#: Of a file whose intent was never recorded only the upload knew; it expires by itself. Out of time, a function dies at
#: a read too, such as that between upload and intent.
FILE_UNKNOWN_AFTER = {"api.upload", "api.key_version", "commit B3"}


def check_failed(world: Any, job: Item) -> None:
    """Every batch of it was seen, and stopped or waited for; no file is left, of whatever kind."""
    batches = [batch for batch in world.api.batches.values() if batch.metadata["batchdrop_job"] == job["job_id"]]
    items = [item for item in world.table.query(job["job_id"]) if "#batch#" in item["item"]]
    for item in items:
        require(item["state"] not in OCCUPYING, f"{item['item']} of a failed job rests in {item['state']}")
    owned = {item.get("openai_batch_id") for item in items}
    for batch in batches:
        did_nothing = batch.id not in world.api.work
        is_known = batch.id in owned or ("stack", f"orphan#{batch.id}") in world.table.items
        require(did_nothing or is_known, f"{batch.id} worked for a failed job, and nobody knows of it")
    if not any(world.line.hurt(site) for site in FILE_DROPPED_AFTER | FILE_UNKNOWN_AFTER):
        left = sorted(world.api.files.keys() & set(_files(world, job, batches)))
        require(not left, f"files of a failed job are left at the provider: {left}")


def _files(world: Any, job: Item, batches: list[Any]) -> Iterator[str]:
    """What was uploaded for it, and what the provider made of that."""
    for batch in batches:
        yield from filter(None, (batch.output_file_id, batch.error_file_id))
    yield from (file_id for file_id, file in world.api.files.items() if file.name.startswith(f"{job['job_id']}."))
