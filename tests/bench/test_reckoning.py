"""What the bench reckons with: units, dollars, pictures, the page."""

from __future__ import annotations

import io
import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from msgspec.structs import replace

from batchdrop.adapters.dynamodb import DynamoDBTable
from local.bench import bill, capacity, page, planning, prices, svg
from local.bench.figure import figure
from local.bench.meter import Meter
from tests.contract.conftest import SCHEMA

AT_TEN, AT_ELEVEN = ({"S": f"2026-11-01T{hour}:00:00Z"} for hour in (10, 11))


def item(**attributes: Any) -> dict[str, Any]:
    return {"job_id": {"S": "a"}, "item": {"S": "job"}} | attributes


def open_item(at: dict[str, str], size: int = 10) -> dict[str, Any]:
    return item(due={"S": "open"}, next_check_at=at, text={"S": "x" * size})


def test_an_item_is_as_large_as_its_names_and_values() -> None:
    assert capacity.size({"name": {"S": "ü"}}) == 6
    assert capacity.size({"n": {"N": "1234"}}) == 5
    assert capacity.size({"m": {"M": {"a": {"S": "bc"}}}}) == 1 + 3 + 1 + 1 + 2
    assert capacity.size({"l": {"L": [{"NULL": True}]}}) == 1 + 3 + 1 + 1


@pytest.mark.parametrize(
    ("before", "after", "units"),
    [
        (None, item(), 1),
        (None, item(text={"S": "x" * 1_100}), 2),
        (item(), item(), 1),
        (None, open_item(AT_TEN), 2),
        (open_item(AT_TEN), open_item(AT_TEN), 1),
        (open_item(AT_TEN), open_item(AT_TEN, 20), 2),
        (open_item(AT_TEN), open_item(AT_ELEVEN), 3),
        (open_item(AT_TEN), item(), 2),
        (None, item(month={"S": "2026-11"}, created_at=AT_TEN), 2),
    ],
)
def test_a_write_is_billed_for_the_item_and_for_each_index_that_changes(before: Any, after: Any, units: int) -> None:
    assert capacity.written(before, after, in_transaction=False) == units


def test_a_transaction_costs_twice_but_not_in_the_indexes() -> None:
    assert capacity.written(None, open_item(AT_TEN), in_transaction=True) == 2 + 1


def test_a_read_is_billed_by_four_kilobytes_and_half_where_it_may_be_late() -> None:
    assert capacity.read(0, consistent=True) == 1
    assert capacity.read(4_097, consistent=True) == 2
    assert capacity.read(4_097, consistent=False) == 1


def test_what_our_table_reads_is_metered(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes the items of a page out of the answer, before botocore and the meter see it."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    log = io.StringIO()
    with mock_aws():
        Meter(log)
        client = boto3.client("dynamodb")
        client.create_table(**SCHEMA)  # type: ignore[arg-type]
        for number in range(4):
            text = {"S": "x" * 4_096}
            client.put_item(TableName="batchdrop", Item=item(item={"S": f"chunk#{number}"}, text=text))
        assert len(list(DynamoDBTable(client, "batchdrop").query("a"))) == 4
    metered = json.loads(log.getvalue().splitlines()[-1])
    assert (metered["operation"], metered["read"]) == ("Query", 5)


def test_calls_are_billed_by_what_they_are() -> None:
    found = bill.calls(
        [
            {"service": "s3", "operation": "UploadPartCopy", "sent": 2},
            {"service": "s3", "operation": "HeadObject", "sent": 1},
            {"service": "s3", "operation": "DeleteObjects", "sent": 1},
            {"service": "dynamodb", "operation": "Query", "sent": 1, "read": 4.0},
            {"service": "lambda", "operation": "Invoke", "sent": 1},
        ]
    )
    paid = {name: dollars for name, dollars in found.items() if dollars}
    assert paid == pytest.approx({"s3 write": 10e-6, "s3 read": 0.4e-6, "dynamodb reads": 0.5e-6})
    assert found.total == pytest.approx(10.9e-6)


def test_a_second_of_the_submitter_is_billed_by_its_memory_in_the_template() -> None:
    found = bill.invocations("Submitter", 3, 2.0)
    assert found["lambda seconds"] == pytest.approx(2 * 1769 / 1024 * prices.LAMBDA_GB_SECOND)
    assert found["lambda requests"] == pytest.approx(0.6e-6)


def test_a_plot_is_an_svg_with_a_line_for_each_series() -> None:
    points = [(1_000.0, 0.002), (100_000.0, 0.2), (5_000_000.0, 10.0)]
    drawn = ET.fromstring(svg.plot("Time & more", "requests", "s", {"a": points, "b": points}, logarithmic=True))
    kinds = [element.tag.rpartition("}")[2] for element in drawn.iter()]
    assert kinds.count("polyline") == 2
    texts = [element.text for element in drawn.iter() if element.tag.endswith("text")]
    assert {"Time & more", "1 k", "100 k", "5 M", "0.001", "10"} <= set(texts)


def test_the_page_says_what_was_missed_and_what_a_figure_is_made_of(tmp_path: Path) -> None:
    slow = figure("slow", 3.0, 1.0, "s", target=0.9)
    cost = replace(figure("cost", 0.01, 0.0, "$", target=0.02, sense="at most", ratio=0.01), parts={"sqs": 0.01})
    (tmp_path / "time.svg").write_text("<svg/>")
    page.write({"Planning": (planning, [slow, cost])}, [tmp_path / "time.svg"], tmp_path / "docs")
    text = (tmp_path / "docs" / "performance.md").read_text()
    assert "| slow | 3 s | 1 s | 0.333 | at least 0.9, **missed** |" in text
    assert "| cost | 0.01 $ |  |  | at most 0.02 |" in text
    assert "| sqs | 0.01 |" in text
    assert (planning.__doc__ or "-") in text
    assert (tmp_path / "docs" / "performance" / "time.svg").exists()
