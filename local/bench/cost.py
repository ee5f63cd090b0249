"""What AWS asks for a job, from counted calls and measured seconds, at list prices.

Two jobs run through the metered functions. The work is that of whole batches, multiplied up to a million requests;
submitter and collector start cold for each of their messages. The hours, while OpenAI works and the poller looks, are
those of a job with as many batches as a million requests have, which hold little here. Seconds are those of this
machine, where S3 and OpenAI are near; memory and disk are the template's. What the stack costs while nothing is dropped
is told apart, and so is what AWS asks for data that goes out. To keep input and results is not in it.

List prices are those of November 2026 in us-east-1, from the services' pricing pages (`local/bench/prices.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from local.bench import account, bill, course, prices
from local.bench.bill import Bill
from local.bench.figure import Figure, figure, tell
from local.size.sources import Lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from local.bench.account import Account
    from local.bench.course import Stage

_LINE = 1_200
_REQUESTS = 50_000  #: in a batch
_FEW = 25  #: in a batch of which nothing counts but that it is there
_HOUR = 60  #: ticks
_MILLION = 1_000_000
#: A batch may take a day; each is looked at all that time.
_DAY = 24


def figures(folder: Path) -> Iterator[Figure]:
    """Dollars for a million requests in batches that OpenAI works on for a day, or for an hour."""
    with course.stage(folder) as stage:
        yield from measured(stage, folder)


def measured(
    stage: Stage,
    folder: Path,
    *,
    batches: int = 4,
    requests: int = _REQUESTS,
    many: int = _MILLION // _REQUESTS,
    hour: int = _HOUR,
) -> Iterator[Figure]:
    """The same on a stage that is set: the work of so many ``batches``, hours of so many minutes with ``many`` open."""
    with account.opened(folder / "work", stage, cold=True) as books:
        tell(f"cost: a job of {batches * requests:,} requests")
        work = _spent(books, lambda: _worked(books, batches * requests))
    work = work.times(_MILLION / requests / batches)
    with account.opened(folder / "hours", stage, cold=False, variables={"MAX_REQUESTS_PER_BATCH": str(_FEW)}) as books:
        stage.openai.configure(pace={"in_progress": 2.5 * 3600, "slices": 60})
        tell("cost: the hour after a job")
        books.minutes(1)
        after = _spent(books, lambda: books.minutes(hour))
        books.skip(27 * _HOUR)
        tell("cost: an idle hour")
        books.minutes(1)
        rest = books.places()
        idle = _spent(books, lambda: books.minutes(hour))
        at_rest = books.metrics(rest)
        tell(f"cost: two hours of {many} batches at OpenAI")
        job_id = _bought(books, "hours.jsonl", many * _FEW)
        first, further = (_spent(books, lambda: books.minutes(hour)).plus(idle, -1) for _ in range(2))
        books.ended(job_id)
        at_work = books.metrics(rest)
    after = after.plus(idle, -1)
    # The audit looks at OpenAI's list for a day after the last job.
    day, quick = (work.plus(first).plus(further, hours - 1).plus(after, _DAY) for hours in (_DAY, 1))
    yield from _told(day, quick, batches * requests)
    yield from _standing(idle.times(_HOUR / hour), len(at_rest), len(at_work))


def _worked(books: Account, requests: int) -> None:
    books.ended(_bought(books, "work.jsonl", requests))


def _bought(books: Account, key: str, requests: int) -> str:
    job_id = books.course.drop(key, Lines(requests, _LINE))
    books.course.bought()
    return job_id


def _spent(books: Account, what: Callable[[], None]) -> Bill:
    before = books.so_far()
    what()
    return books.so_far().plus(before, -1)


def _told(day: Bill, quick: Bill, requests: int) -> Iterator[Figure]:
    for bill_, time, target in ((day, "a day", 0.02), (quick, "an hour", None)):
        yield _dollars(f"a million requests, batches that take {time}", bill_, target, requests=requests)
    out = Bill({"data out, beyond 100 GB a month": _MILLION * _LINE / 1e9 * prices.INTERNET_GB})
    yield _dollars("a million requests sent to the internet", out, None, line_bytes=_LINE)


def _standing(idle: Bill, at_rest: int, at_work: int) -> Iterator[Figure]:
    """What a month costs in which nothing is dropped."""
    month = idle.times(prices.MONTH_HOURS)
    month["scheduler"] += prices.MONTH_HOURS * _HOUR * prices.REQUEST["scheduler"]
    month["sqs"] += bill.empty_receives(prices.MONTH_HOURS) * prices.REQUEST["sqs"]
    month["secret"] += prices.SECRET_MONTH
    month["alarms"] += bill.alarms() * prices.ALARM_MONTH
    month["metrics"] += at_rest * prices.METRIC_MONTH
    yield _dollars("a month without a job", month, None, metrics_at_rest=at_rest, metrics_at_work=at_work)


def _dollars(of: str, spent: Bill, target: float | None, **params: float) -> Figure:
    """There is no baseline but the target."""
    total, name = spent.total, f"AWS cost of {of}"
    found = figure(name, total, 0.0, "$", target=target, sense="at most", ratio=total, prices=prices.DATE, **params)
    return replace(found, parts={part: float(f"{dollars:.3g}") for part, dollars in spent.items() if dollars})
