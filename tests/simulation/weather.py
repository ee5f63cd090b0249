"""How rough a random schedule is."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

MENU = (16, 4, 1, 1)  #: how often a tiny, a small, a whole and a refused job is dropped
HOSTILE_MENU = (1, 4, 2, 2)
CANCELLED, HOSTILE_CANCELLED = 0.1, 0.3  #: how often a job is cancelled
LIMITED = 0.2  #: how often a token limit is known
#: Calls at which a fault hurts most have more of them.
PRONE = {"api.create": 10, "table.commit B4": 8, "table.commit B8": 8, "table.commit B7.refused": 8}


class Mishap(Enum):
    """What goes wrong besides single calls (``wire.Fault``)."""

    LOST_EVENT = "an event of S3 is lost"
    DOUBLED_EVENT = "an event of S3 comes twice"
    LOST_MESSAGE = "a message is lost"
    DOUBLED_MESSAGE = "a message comes twice"
    OVERLAPPING = "two pollers begin at once"
    OUT_OF_TIME = "a function is ended by force"
    STALE = "a batch is shown as it was before"
    DENIED = "the provider denies batches of ours"
    REMOVED = "the input is removed"
    LAGGING = "the list lacks a batch"


@dataclass(frozen=True)
class Weather:
    """How likely each mishap is."""

    faults: float
    dropped: float
    doubled: float
    overlapping: float
    calls_a_round: tuple[int, ...]
    calls_a_turn: int  #: at most, before another invocation has its turn
    rounds: tuple[int, ...]  #: seconds between two ticks of the poller
    moves: float  #: turns after which the provider moves on
    stale: float  #: looks at a batch that show it as it was before
    hidden: float  #: rounds in which the provider denies that it knows the batches of ours
    minutes: int  #: after that nothing goes wrong any more, and everything must come to rest


#: Everything at once, and everybody in everybody's way.
HOSTILE: dict[str, Any] = {
    "faults": 0.02,
    "dropped": 0.1,
    "doubled": 0.5,
    "overlapping": 1.0,
    "calls_a_round": (40, 400),
    "calls_a_turn": 1,
    "moves": 0.05,
    "minutes": 100,
}


def drawn(chance: random.Random, *, is_hostile: bool) -> Weather:
    weather = Weather(
        faults=chance.choice([0.0, 0.005, 0.02, 0.05]),
        dropped=chance.choice([0.0, 0.0, 0.1, 0.1, 0.5, 1.0]),
        doubled=chance.choice([0.0, 0.1, 0.5]),
        overlapping=chance.choice([0.0, 0.3, 1.0]),
        calls_a_round=chance.choice([(10, 60), (40, 400), (1000,)]),
        calls_a_turn=chance.choice([1, 4, 15]),
        rounds=chance.choice([(60,), (60, 180), (60, 120, 300), (10, 30, 60)]),
        moves=chance.choice([0.0, 0.01, 0.05]),
        stale=chance.choice([0.0, 0.1, 0.5]),
        hidden=chance.choice([0.0, 0.0, 0.0, 0.1]),
        minutes=chance.choice([15, 40, 100]),
    )
    return replace(weather, **HOSTILE) if is_hostile else weather
