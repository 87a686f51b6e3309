"""Kills at random moments, and at every named crash point: what is killed when follows from a seed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from app.crash_points import POINTS
from chaos.child import Arm
from chaos.lives import Kill, Lives, Story
from chaos.scene import KINDS, WIDTHS, Ground, Scene, Setting

PASSINGS: Final = (1, 2, 5)

_BY_COMMAND: Final = {"decision.committed": "decide", "stop.committed": "cancel"}
"""Points that another command than ``execute`` and ``resume`` comes to."""

_EARLY_SECONDS: Final = 0.02
_TRIES: Final = 4


@dataclass(frozen=True, slots=True)
class Campaign:
    """What all scenarios of one call of the runner have in common."""

    seed: int
    stores: Sequence[str]
    sabotage: str | None = None
    lease_seconds: float = 30.0
    point: str | None = None
    """The only crash point to kill at."""

    def setting(self, chance: random.Random, index: int, **chosen: object) -> Setting:
        """Stores and widths in turn, the rest by chance."""
        store = self.stores[index % len(self.stores)]
        width = WIDTHS[index // len(self.stores) % len(WIDTHS)]
        kind = chance.choices(KINDS, weights=[4, 1, 1])[0]
        fields = {
            "store": store,
            "width": width,
            "kind": kind,
            "sabotage": self.sabotage,
            "lease_seconds": self.lease_seconds,
            **chosen,
        }
        return Setting(chance.randrange(10**6), **fields)  # type: ignore[arg-type]


def random_kills(campaign: Campaign, ground: Ground, index: int, strikes: int) -> Iterator[Story]:
    """One plan, run whole to see how long it takes, then killed until ``strikes`` kills have struck."""
    chance = random.Random(f"{campaign.seed} random {index}")
    setting = campaign.setting(chance, index)
    name = f"random-{index}"
    whole = Lives(Scene(ground, setting), name, counts=True).live()
    yield whole
    begins = next((at for point, at in whole.passed if point == "task.stored"), 0.0) - _EARLY_SECONDS
    struck = 0
    for _ in range(_TRIES * strikes):
        moments = [chance.uniform(begins, whole.first_seconds) for _ in range(chance.choice([1, 1, 2, 3]))]
        kills = [Kill(after=moment) for moment in moments[: strikes - struck]]
        story = Lives(Scene(ground, setting), name, kills).live()
        yield story
        struck += sum(story.struck.values())
        if struck >= strikes or story.violations:
            return


@dataclass(frozen=True, slots=True)
class PointGroup:
    """The points of one store, width and kind of plan."""

    store: str
    width: int
    kind: str

    @property
    def name(self) -> str:
        return f"points-{self.store}-{self.width}-{self.kind}"


def point_groups(stores: Sequence[str]) -> list[PointGroup]:
    """Every combination."""
    return [PointGroup(store, width, kind) for kind in KINDS for width in WIDTHS for store in stores]


def point_kills(
    campaign: Campaign, ground: Ground, group: PointGroup, most: int | None = None
) -> Iterator[Story]:
    """A kill at every point that two plans pass, at its first, second and fifth passing, and a second one there at
    once after that; ``most``: only so many of them, by chance."""
    chance = random.Random(f"{campaign.seed} {group.name}")
    wanted = [(point, nth) for point in POINTS for nth in PASSINGS if point not in _BY_COMMAND]
    wanted = [each for each in wanted if campaign.point in (None, each[0])]
    if most is not None:
        wanted = chance.sample(wanted, len(wanted))
    struck: Counter[str] = Counter()
    for _ in range(2):
        setting = campaign.setting(chance, 0, store=group.store, width=group.width, kind=group.kind)
        whole = Lives(Scene(ground, setting), group.name, counts=True).live()
        yield whole
        passed = Counter(point for point, _ in whole.passed)
        for point, nth in [each for each in wanted if passed[each[0]] >= each[1]]:
            kills = [Kill(arm=Arm(point, nth))]
            if nth > 1:
                kills.append(Kill(arm=Arm(point, 1)))
            story = Lives(Scene(ground, setting), f"{group.name}", kills).live()
            yield story
            if story.struck[point]:
                wanted.remove((point, nth))
                struck += story.struck
            if most is not None and struck.total() >= most:
                return
        if most is None:
            yield from _decided(campaign, ground, group, chance)


def _decided(campaign: Campaign, ground: Ground, group: PointGroup, chance: random.Random) -> Iterator[Story]:
    """Killed amid an irreversible call, then amid the decision about it."""
    for nth in range(1, 6):
        setting = campaign.setting(chance, 0, store=group.store, width=group.width, kind=group.kind)
        amid = Arm(chance.choice(["attempt.begun", "call.returned"]), nth)
        deciding = Kill(arm=Arm("decision.committed", 1), command="decide")
        story = Lives(Scene(ground, setting), group.name, [Kill(arm=amid), deciding]).live()
        yield story
        if story.struck["decision.committed"]:
            return
