"""What the campaigns reach: every method of every port, every transition. The lists are generated from the code."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import pytest

from batchdrop import ports
from batchdrop.adapters.ledger.table import Table
from batchdrop.core.lifecycle import ROWS
from tests.simulation.campaign import Campaign, visited
from tests.simulation.scenarios import SCENARIOS
from tests.simulation.sites import Place, calls, missed, recorded
from tests.simulation.wire import Fault, fitting

pytestmark = [pytest.mark.slow, pytest.mark.no_cover]

PORTS = {"objects.": ports.ObjectStore, "api.": ports.BatchApi, "messages.": ports.Messages, "table.": Table}
UNCALLED: dict[str, set[str]] = {}


#: What no scenario comes by, each with the tests that do.
UNMADE = {
    # work that is parked, or that kills behind its purchase: tests/main_job/test_poison.py
    "assemble._assembled ledger.postpone",
    "fetch.__call__ ledger.quarantine",
    "join.__call__ ledger.postpone",
    # out of time, or overtaken: tests/usecases/collecting
    "assemble._withdraw objects.delete",
    "clean._delete_files objects.write",
    "concatenate._begun objects.abort_upload",
    "concatenate._merged objects.head",
    "fetch._record ledger.rest_fetch",
    # three days have passed: tests/main_job/test_deadline.py
    "expire._end ledger.fail_job",
    "expire._end ledger.request_cancel",
    # a double that still runs: test_housekeeping.py; an item that is gone: tests/usecases/test_audit.py
    "audit._stop api.cancel",
    "audit.__call__ ledger.job",
    # AWS refuses it for good: tests/main_job/test_plan_refused.py
    "plan._wait ledger.rest_plan",
    # refusals in other words: tests/usecases, tests/main_job
    "fetch._block ledger.block",
    "learning.learn ledger.learn_limit",
    "learning.learn ledger.limits",
    # an event that names no version: tests/usecases/test_plan.py
    "opening._current objects.head",
    # an operator releases what was put aside: tests/main_job/test_poison.py
    "release.__call__ ledger.job",
    "release.__call__ ledger.parts",
    "release.__call__ ledger.release",
}


@dataclass
class Reached:
    """Calls of ports as the wire sees them, transitions, and lines of the use cases."""

    sites: set[str] = field(default_factory=set)
    rows: set[str] = field(default_factory=set)
    places: set[Place] = field(default_factory=set)


@cache
def reached() -> Reached:
    """Of every scenario with an error at each kind of call, and of one with every fault there."""
    found = Reached()
    for name, scenario in SCENARIOS.items():
        campaign = Campaign(scenario)
        with recorded(found.places):
            for site, number in {site: number for number, site in campaign.calls_to_hurt}.items():
                for fault in fitting(site) if name == "refused" else (Fault.ERROR,):
                    campaign.run(number, fault, 2_400 if fault is Fault.LATE else 0)
        found.sites |= set(campaign.sites)
        found.rows |= set(campaign.rows)
    return found


@pytest.mark.parametrize("port", PORTS)
def test_every_method_of_every_port_was_called(port: str) -> None:
    methods = {name for name in vars(PORTS[port]) if not name.startswith("_")}
    assert methods - visited(reached().sites, port) == UNCALLED.get(port, set())


def test_every_transition_was_made() -> None:
    assert set(ROWS) == reached().rows


def test_every_call_of_a_port_in_the_source_was_made() -> None:
    assert len(calls()) > 100
    assert missed(reached().places) == UNMADE
