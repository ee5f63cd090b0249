"""``make demo``: the main job from end to end on this machine, with everything that it leaves to look at."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

import msgspec
from boto3.dynamodb.types import TypeDeserializer
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from local.cloud.__main__ import interrupted, priced, wishes
from local.cloud.place import DEFAULT, ROOT, Place
from local.cloud.running import running
from local.cloud.trouble import Trouble

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from local.cloud.running import Running

SAMPLE = ROOT / "events" / "sample.jsonl"
KEY, STEM = "reviews/sample.jsonl", "reviews/sample"
PLACE = Place(DEFAULT.folder / "demo")
ENDED = frozenset({"completed", "failed", "cancelled"})
TICK_SECONDS = 2.0
SHOWN = 12

console = Console(highlight=False)


def run() -> int:
    """Up, drop, watch, show, down; the exit status."""
    asked = priced(wishes(os.environ))
    where = "the local OpenAI server" if asked.own_openai else asked.base_url or "the OpenAI API"
    if asked.upstream:
        where += f", and from there to {asked.upstream[1]}"
    console.print(f"Deploying [bold]template.yaml[/] to a local cloud; requests go to [bold]{where}[/].")
    if provider := asked.own_openai and asked.parameters.get("PriceProvider"):
        console.print(f"It takes no money; the cost in the status is what {provider} would have taken.")
    with running(PLACE, asked) as up:
        up.clients.s3.put_object(Bucket=up.stack.input_bucket, Key=KEY, Body=SAMPLE.read_bytes())
        console.print(f"Dropped events/sample.jsonl as [bold]s3://{up.stack.input_bucket}/{KEY}[/]\n")
        job = watch(up)
        show(up, job)
    return 0 if job["state"] == "completed" else 1


def watch(up: Running) -> dict[str, Any]:
    """Show progress until the job has ended and is cleaned up; the job's item.

    On AWS the poller looks once a minute; here it is asked to every two seconds.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("planning", total=None)
        while True:
            job, batches = look(up)
            if job:
                progress.update(bar, description=job["state"], total=job["counts"]["requests"] or None)
                progress.update(bar, completed=done(job, batches))
                if job["state"] in ENDED and "cleaned_at" in job:
                    return job
            up.clients.functions.invoke(FunctionName=up.stack.poller_function, Payload=b"{}")
            time.sleep(TICK_SECONDS if not job or job["state"] not in ENDED else 0.2)


def look(up: Running) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """The job's item, and its batches."""
    plain = TypeDeserializer().deserialize
    found = up.clients.dynamodb.scan(TableName=up.stack.table, ConsistentRead=True)["Items"]
    items = [{name: plain(value) for name, value in item.items()} for item in found]
    job = next((item for item in items if item["item"] == "job"), None)
    return job, sorted((item for item in items if "#batch#" in item["item"]), key=lambda item: str(item["item"]))


def done(job: dict[str, Any], batches: list[dict[str, Any]]) -> int:
    """Requests with an answer: fetched ones, and those that OpenAI says it has finished."""
    flying = sum(batch["remote_completed"] for batch in batches if batch["state"] in ("in_flight", "ended"))
    return int(job["counts"]["completed"] + job["counts"]["failed"] + flying)


def show(up: Running, job: dict[str, Any]) -> None:
    """The first results, the errors, the status, the table; and where copies of the outputs lie."""
    folder = PLACE.folder / "outputs"
    bucket = up.stack.output_bucket
    shutil.rmtree(folder, ignore_errors=True)
    for entry in up.clients.s3.list_objects_v2(Bucket=bucket).get("Contents", []):
        copy = folder / entry["Key"]
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(up.clients.s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read())
    _head(folder / f"{STEM}.results.jsonl", "Results, a line for each request, in the order of the input", _result)
    _head(folder / f"{STEM}.errors.jsonl", "Errors: mend the requests and drop the file again", _error)
    console.rule("Status", align="left")
    console.print((folder / f"{STEM}.status.json").read_text(), markup=False)
    console.print(table(job, look(up)[1]))
    console.print(f"The outputs were in s3://{bucket}/. Copies: {folder.relative_to(ROOT)}/")
    console.print("To keep such a stack running: make up. To deploy it to AWS: see README.md.")


def table(job: dict[str, Any], batches: list[dict[str, Any]]) -> Table:
    """The job's items, as DynamoDB has them."""
    names = ("item", "state", "requests", "model")
    view = Table(title=f"The table, job_id = {job['job_id']}", box=box.SIMPLE)
    for name in names:
        view.add_column(name, overflow="fold")
    view.add_row("job", job["state"], str(job["counts"]["requests"]))
    for batch in batches:
        view.add_row(*(str(batch.get(name, "")) for name in names))
    return view


def _head(file: Path, title: str, told: Callable[[dict[str, Any]], str]) -> None:
    """The first lines of an output, one row each."""
    if file.exists():
        console.rule(title, align="left")
        lines = file.read_bytes().split(b"\n")[:-1]
        for line in lines[:SHOWN]:
            console.print(told(msgspec.json.decode(line)), markup=False, no_wrap=True, overflow="ellipsis")
        rest = f"… and {len(lines) - SHOWN} more, " if len(lines) > SHOWN else ""
        console.print(f"{rest}in full: {file.relative_to(ROOT)}\n")


def _result(line: dict[str, Any]) -> str:
    response = line["response"] or {"status_code": "", "body": line["error"]}
    return f"{line['custom_id']!s:14} {response['status_code']!s:4} {_said(response['body'])}"


def _error(line: dict[str, Any]) -> str:
    return f"line {line['line']}: {line['code']}. {line['reason']}"


def _said(body: object) -> str:
    """The answer's text, wherever its endpoint puts it."""
    if isinstance(body, dict):
        for name in ("text", "content", "output", "choices", "message", "data", "embedding"):
            if body.get(name):
                return _said(body[name])
    if isinstance(body, list) and body and not isinstance(body[0], (int, float)):
        return _said(body[-1])
    return str(body).replace("\n", " ")


def main() -> int:
    """Run the demo; Ctrl-C and a termination stop what was started."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupted)
    try:
        return run()
    except Trouble as trouble:
        print(trouble, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; what was started is stopped.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
