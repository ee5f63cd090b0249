"""Every call of a full run, and everything that can go wrong with it."""

from __future__ import annotations

from collections import Counter
from functools import cache

import pytest

from batchdrop import ports
from batchdrop.adapters.ledger.table import Table
from batchdrop.core.lifecycle import ROWS
from tests.simulation.campaign import Campaign, visited
from tests.simulation.jobs import PARTS, REFUSED, WHOLE
from tests.simulation.wire import Fault, fitting
from tests.simulation.world import Conditions

pytestmark = [pytest.mark.slow, pytest.mark.no_cover]

RUNS = {"whole": (WHOLE, Conditions()), "refused": (REFUSED, PARTS)}
#: Seconds by which a create is late: before its lease ends, while it is looked for, at the fence, behind it.
LATENESS = (30, 600, 1_795, 2_400)
#: Transitions that no use case makes yet, or that need a job of their own (a split, a lost or unreadable input).
UNUSED = {"B8.known", "B8.unknown", "B9.cancel", "B13", "B14", "B15", "J4", "J4.lost", "J7"}
#: A file of an older run is replaced, a second batch of one file is cancelled: both need a history. Parts of uploads
#: need five MiB of answers.
UNCALLED = {"objects.": {"delete", "upload_part"}, "api.": {"cancel"}}
PORTS = {"objects.": ports.ObjectStore, "api.": ports.BatchApi, "messages.": ports.Messages, "table.": Table}


@cache
def done(name: str) -> Campaign:
    data, conditions = RUNS[name]
    campaign = Campaign({"a.jsonl": data}, conditions)
    for number, site in enumerate(campaign.clean(), 1):
        for fault in fitting(site):
            for lateness in LATENESS if fault is Fault.LATE else (0,):
                campaign.run({number: fault}, lateness)
    return campaign


@pytest.mark.parametrize("name", RUNS)
def test_whatever_goes_wrong_with_one_call_nothing_is_lost_or_bought_twice(name: str) -> None:
    done(name).verdict()


def test_it_never_takes_longer_than_looking_for_a_lost_create_and_one_invocation() -> None:
    assert max(done(name).slowest for name in RUNS) <= 60


@pytest.mark.parametrize("port", PORTS)
def test_every_method_of_every_port_was_called(port: str) -> None:
    sites: set[str] = set().union(*(done(name).sites for name in RUNS))
    methods = {name for name in vars(PORTS[port]) if not name.startswith("_")}
    assert methods - visited(sites, port) == UNCALLED.get(port, set())


def test_every_transition_was_made() -> None:
    rows: Counter[str] = sum((done(name).rows for name in RUNS), Counter())
    assert set(ROWS) - set(rows) == UNUSED
