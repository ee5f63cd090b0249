"""What must hold when all is at rest (I1 to I11 of the promises); what each write must keep is in ``watched``."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from batchdrop.core import naming
from batchdrop.core.model import Usage
from tests.fakes.answers import respond_to
from tests.simulation.failed import FILE_DROPPED_AFTER, FILE_UNKNOWN_AFTER, check_failed
from tests.simulation.provider import Work
from tests.simulation.watched import FINAL, Item, Violation, WatchedTable, require
from tests.simulation.wire import Line

__all__ = ["Expected", "Violation", "WatchedTable", "check_bought_once", "check_rest"]
#: Nobody may know the upload that was begun; the bucket's lifecycle ends it.
UPLOAD_UNKNOWN_AFTER = {"start_upload", "J5.note", "abort_upload"}
TOKENS = 5  #: that an answer has
OK = 200


@dataclass
class Expected:
    """What a run without faults made: outputs by name, and the counts of each job, in the order of the drops."""

    outputs: dict[str, bytes] = field(default_factory=dict)
    counts: list[Any] = field(default_factory=list)


def check_bought_once(world: Any) -> None:
    """I2, I3: each batch item is worked on by one batch, each request of it run once."""
    workers: dict[tuple[str, str], str] = {}
    for batch_id, work in world.api.work.items():
        twice = [custom_id for custom_id, times in work.ran.items() if times > 1]
        require(not twice, f"{batch_id}: {twice} executed more than once")
        first = workers.setdefault(work.item, batch_id)
        require(first == batch_id, f"{work.item}: {first} and {batch_id} worked on it")


def check_answered_once(world: Any) -> None:
    """Promise 3: what has a final answer is in no other batch of its chunk, which names its requests once."""
    answered: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for work in world.api.work.values():
        job_id, item = work.item
        answered[job_id, item.partition("#batch#")[0]] += work.ran - work.failed
    twice = {of: again for of, ids in answered.items() if (again := [one for one, times in ids.items() if times > 1])}
    require(not twice, f"answered, and executed once more: {twice}")


def check_doubles_told(world: Any) -> None:
    """R10: where a batch worked that no item owns, it is recorded."""
    for batch_id, work in world.api.work.items():
        is_owned = world.table.items[work.item].get("openai_batch_id") == batch_id
        is_told = "told_at" in world.table.items.get(("stack", f"orphan#{batch_id}"), ())
        require(is_owned or is_told, f"{batch_id} worked on {work.item}, which nobody was told of")


def check_rest(world: Any, expected: Expected | None) -> None:
    """Nothing is left to do, nothing is left over, and everything is as after a run without faults."""
    if world.may_double:
        check_doubles_told(world)
    else:
        check_bought_once(world)
        check_answered_once(world)
        orphans = [name for _, name in world.table.items if name.startswith("orphan#")]
        require(world.orphans_are_fine or not orphans, f"told of {orphans}, and there are none")
    lost = {job["job_id"] for job in world.jobs() if job["state"] == "failed"}
    for item in world.table.items.values():
        check_final(item, is_dropped=item["job_id"] in lost)
    for job in world.jobs():
        check_job(world, job)
    check_left_over(world)
    if expected is not None:
        check_same(world, expected)


def check_final(item: Item, *, is_dropped: bool) -> None:
    """I9: at its end, or dropped with its job; not due, without a lease."""
    if "state" in item:
        require(is_dropped or item["state"] in FINAL, f"{item['item']} rests in {item.get('state')}")
        require("due" not in item, f"{item['item']} is at its end and due")
        require("lease_until" not in item, f"{item['item']} holds a lease at its end")


def check_same(world: Any, expected: Expected) -> None:
    """I11: the same bytes and the same counts as without faults."""
    outputs = world.outputs()
    require(outputs.keys() == expected.outputs.keys(), f"{sorted(outputs)} instead of {sorted(expected.outputs)}")
    for name, data in expected.outputs.items():
        require(outputs[name] == data, f"{name} is not what a run without faults makes")
    counts = world.counts()
    require(counts == expected.counts, f"{counts} instead of {expected.counts}")


def check_job(world: Any, job: Item) -> None:
    """Told, cleaned, its status says so; what was delivered is complete."""
    told = [ended for ended in world.messages.ended if ended.job_id == job["job_id"]]
    require(bool(told), f"nobody was told of {job['job_id']}")
    require("cleaned_at" in job, f"{job['job_id']} was not cleaned")
    status = world.status(job)
    is_replaced = sum(other["stem"] == job["stem"] for other in world.jobs()) > 1
    require(bool(status) or is_replaced, f"{job['job_id']} has no status")
    require(not status or status["state"] == job["state"], f"the status says {status and status['state']}")
    if job["state"] == "failed":
        check_failed(world, job)
    if job["state"] in ("completed", "cancelled"):
        counts = status["counts"] if status else job["counts"]
        require(counts["completed"] == job["counts"]["completed"], "the status counts otherwise")
        check_usage(world, job)
        check_lines(world, job)


def check_usage(world: Any, job: Item) -> None:
    """I5: what the job says it used is what its own batches used, but for those that were given up with the job."""
    items = [item for item in world.table.query(job["job_id"]) if item.get("state") != "retired"]
    owned = {item.get("openai_batch_id") for item in items}
    work: list[Work] = [work for batch_id, work in world.api.work.items() if batch_id in owned]
    used = TOKENS * sum((one.ran - one.failed).total() for one in work)
    usage = sum((Usage(**part) for part in job.get("usage", {}).values()), Usage())
    require(usage.output_tokens == used, f"usage {usage} instead of {used} tokens")


def check_lines(world: Any, job: Item) -> None:
    """I1, I4, I10: line k of the results answers the k-th line of the input that is not blank; the counts are right."""
    versions = world.objects.versions("in", job["input_key"])
    data = next((one.data for one in versions if one.version_id == job["version_id"]), None)
    if data is None:  # it was removed when it was not needed any more
        return
    asked = [_parsed(line) for line in data.split(b"\n") if line.strip()]
    output = job["outputs"]["results"]
    there = world.objects.read("out", output["key"], output["version_id"])
    told = [json.loads(line) for line in there.splitlines()]
    require(len(asked) == len(told), f"{len(told)} results for {len(asked)} lines")
    known = Counter(request["custom_id"] for request in asked if request)
    for request, result in zip(asked, told, strict=True):
        check_line(request, result, is_unique=bool(request) and known[request["custom_id"]] == 1)
    completed = sum(_is_answer(result) for result in told)
    counts = job["counts"]
    failed = len(asked) - completed
    right = (counts["requests"], counts["completed"], counts["failed"]) == (len(asked), completed, failed)
    require(right, f"{counts} for {completed} answers to {len(asked)} requests")


def check_line(request: Any, result: Any, *, is_unique: bool) -> None:
    wanted = request and request["custom_id"]
    require(result["custom_id"] == wanted, f"{result['custom_id']} stands where {wanted} was asked")
    if is_unique and _is_answer(result):
        require(result["response"]["body"] == respond_to(request)[1], f"{wanted} has another one's answer")
    require(bool(result["response"] or result["error"]), f"{wanted} has neither answer nor error")


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _is_answer(result: Any) -> bool:
    return bool(result["response"]) and result["response"]["status_code"] == OK


def excuses(line: Line) -> set[str]:
    """The faults of a run that may leave something over, and what they were about."""
    sites = FILE_DROPPED_AFTER | FILE_UNKNOWN_AFTER | UPLOAD_UNKNOWN_AFTER
    return {at for _, at, _ in line.faults if any(site in at for site in sites)}


def is_excused(world: Any, file_id: str) -> bool:
    """Whether a call about this very file, or its item's write before that call, went wrong."""
    ends = f" {file_id}", f" {world.table.files[file_id]}"
    return any(at.endswith(ends) and any(site in at for site in FILE_DROPPED_AFTER) for at in excuses(world.line))


def check_left_over(world: Any) -> None:
    """I9: no file of ours at the provider, no open upload, nothing in the work bucket, no parts."""
    left = sorted(world.table.files.keys() & world.api.files.keys())
    files = [file_id for file_id in left if not is_excused(world, file_id)]
    require(not files, f"files left at the provider: {files}")
    work = world.objects.keys("work")
    require(not work, f"left in the work bucket: {work}")
    parts = [key for key in world.objects.keys("out") if ".parts/" in key]
    require(not parts, f"parts left: {parts}")
    uploads = sorted(world.objects.uploads)
    require(not uploads or any(map(world.line.hurt, UPLOAD_UNKNOWN_AFTER)), f"uploads left: {uploads}")
    writers = Counter(key for job in world.jobs() for key in written_by(job))
    explained = set(filter(None, map(explanation, world.jobs())))
    require(explained <= set(world.outputs()), f"{sorted(explained - set(world.outputs()))} should be there")
    for name in world.outputs():
        written = [one for one in world.objects.versions("out", name) if one.data is not None]
        require(len(written) == writers[name], f"{name} was written {len(written)} times by {writers[name]} jobs")


def written_by(job: Item) -> Iterator[str]:
    """The keys of what it wrote, but for parts and status."""
    yield from (output["key"] for output in job.get("outputs", {}).values())
    if key := explanation(job):
        yield key


def explanation(job: Item) -> str | None:
    """Where a file that is not run for its lines has what is wrong with them."""
    key = naming.explanation_key(job["stem"], job["job_id"])
    return key if key in (job.get("reason") or "") else None
