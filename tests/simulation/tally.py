"""What many random schedules came to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.simulation.campaign import Figures
from tests.simulation.oracle import Violation
from tests.simulation.schedules import Schedule
from tests.simulation.weather import Mishap
from tests.simulation.wire import Fault
from tests.simulation.world import World


@dataclass
class Tally:
    """What many schedules came to. ``broken``: seed and story of each that broke a promise."""

    is_hostile: bool = False
    schedules: int = 0
    calls: int = 0
    minutes: float = 0
    mishaps: Counter[Fault | Mishap] = field(default_factory=Counter)
    broken: dict[int, str] = field(default_factory=dict)

    def run(self, seed: int, watch: Callable[[World], None] = lambda world: None) -> bool:
        """Whether the schedule of this seed kept every promise."""
        schedule = Schedule(seed, is_hostile=self.is_hostile)
        try:
            watch(schedule.run())
        except Violation as violation:
            self.broken[seed] = str(violation)
        world = schedule.world
        self.schedules += 1
        self.calls += len(world.line.sites)
        self.minutes += world.minutes()
        self.mishaps.update(fault for _, _, fault in world.line.faults)
        self.mishaps.update(schedule.mishaps | {Mishap.LAGGING: world.api.lagged})
        return seed not in self.broken

    @property
    def missed(self) -> list[str]:
        """What never went wrong."""
        return [kind.value for kind in (*Fault, *Mishap) if not self.mishaps[kind]]

    @property
    def figures(self) -> Figures:
        return self.schedules, self.calls, self.mishaps.total(), self.minutes / 1440
