"""What many random schedules came to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.simulation.campaign import Figures
from tests.simulation.oracle import Violation
from tests.simulation.schedules import Schedule
from tests.simulation.world import World


@dataclass
class Tally:
    """What many schedules came to. ``broken``: seed and story of each that broke a promise."""

    is_hostile: bool = False
    schedules: int = 0
    calls: int = 0
    faults: int = 0
    minutes: float = 0
    broken: dict[int, str] = field(default_factory=dict)

    def run(self, seed: int, watch: Callable[[World], None] = lambda world: None) -> bool:
        """Whether the schedule of this seed kept every promise."""
        schedule = Schedule(seed, is_hostile=self.is_hostile)
        try:
            watch(schedule.run())
        except Violation as violation:
            self.broken[seed] = str(violation)
        self.schedules += 1
        self.calls += len(schedule.world.line.sites)
        self.faults += len(schedule.world.line.faults) + schedule.mishaps
        self.minutes += schedule.world.minutes()
        return seed not in self.broken

    @property
    def figures(self) -> Figures:
        return self.schedules, self.calls, self.faults, self.minutes / 1440
