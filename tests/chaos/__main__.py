"""``python -m chaos`` (with ``tests`` on the path): kill, stall, compare; exit 1 where a promise is broken.

make chaos                                       the full sizes
make chaos KILLS=100 POINTS=50 PLANS=200         smaller
python -m chaos --only random --unit 17          one group of kills again, with its seed
python -m chaos --sabotage forget-attempts       what the runner says of a broken product
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Final

from chaos.child import warm_up
from chaos.fences import stalls
from chaos.figures import Figures
from chaos.kills import Campaign, point_groups, point_kills, random_kills
from chaos.lives import Story
from chaos.pool import spread
from chaos.sabotage import SABOTAGES
from chaos.same import LOCAL, SERVERS, Compared, compare
from chaos.scene import KINDS, STORES, WIDTHS, Ground, ground

PARTS: Final = ("random", "points", "fences", "same", "servers")
_STRIKES: Final = 5
"""Kills a plan."""

_PLANS_A_UNIT: Final = 20
_SHOWN: Final = 20
_SECONDS_BETWEEN_LINES: Final = 5.0


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the work: ``work`` gives what comes of unit after unit."""

    name: str
    units: int
    work: Callable[[Iterator[int]], Iterator[Story | Compared]]


def main() -> int:
    options = _options().parse_args()
    campaign = Campaign(
        options.seed, options.stores.split(","), options.sabotage, options.lease_seconds, options.point
    )
    figures, began = Figures(), monotonic()
    warm_up()
    folder = Path(tempfile.mkdtemp(prefix="stackvm-chaos-"))
    try:
        for part in _parts(options, campaign, folder):
            if part.name in options.only.split(",") and not (figures.violations and options.first):
                _do(part, options, figures)
    finally:
        if not (figures.violations or options.keep):
            shutil.rmtree(folder, ignore_errors=True)
    return _report(figures, options, monotonic() - began)


def _options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="python -m chaos", description=__doc__, epilog=_sabotages(),
                                      formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    add = options.add_argument
    add("--kills", type=int, default=1_000, metavar="N", help="kills at random moments")
    add(
        "--points",
        type=int,
        metavar="N",
        help="kills at crash points; default: at each, in every combination",
    )
    add("--fences", type=int, default=100, metavar="N", help="workers stalled past their lease")
    add("--plans", type=int, default=10_000, metavar="N", help="plans run in memory, on git and on SQLite")
    add("--server-plans", type=int, default=500, metavar="N", help="plans run on MariaDB and PostgreSQL, too")
    add(
        "--seed",
        type=int,
        default=1,
        metavar="N",
        help="what everything follows from but the machine's own pace",
    )
    add("--stores", default=",".join(STORES), help="default: %(default)s")
    add("--only", default=",".join(PARTS), metavar="PARTS", help="default: %(default)s")
    add("--unit", type=int, metavar="N", help="only this unit of the part; a violation names its own")
    add("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="default: a processor each")
    add("--lease-seconds", type=float, default=30.0, metavar="S", help="of runs that are killed")
    add("--sabotage", choices=sorted(SABOTAGES), help="break the product first, see below")
    add("--point", metavar="NAME", help="the only crash point to kill at")
    add("--first", action="store_true", help="stop at the first violation")
    add("--keep", action="store_true", help="keep the folders of all scenarios")
    add("--json", action="store_true", help="one JSON document on stdout and nothing else")
    return options


def _sabotages() -> str:
    wide = max(map(len, SABOTAGES))
    lines = [f"  {name:<{wide}}  {each.what}" for name, each in SABOTAGES.items()]
    return "\n".join(["sabotage:", *lines])


def _parts(options: argparse.Namespace, campaign: Campaign, folder: Path) -> Iterator[Part]:
    for name, units, scenarios in (
        ("random", -(-options.kills // _STRIKES), partial(_random, campaign, options.kills)),
        ("points", _point_units(options.points), partial(_points, campaign, options.points)),
        ("fences", options.fences, partial(stalls, campaign)),
    ):
        yield Part(name, units, partial(_on_ground, scenarios, folder / name, campaign.stores, options.keep))
    for name, plans, stores in (
        ("same", options.plans, LOCAL),
        ("servers", options.server_plans, SERVERS),
    ):
        yield Part(name, -(-plans // _PLANS_A_UNIT), partial(_compared, plans, stores))


Scenarios = Callable[..., Iterator[Story]]


def _on_ground(
    scenarios: Scenarios, folder: Path, stores: list[str], keep: bool, units: Iterator[int]
) -> Iterator[Story]:
    """Scenarios of unit after unit in one worker, on one ground."""
    with ground(folder / str(os.getpid()), stores, keep=keep) as here:
        for unit in units:
            for story in scenarios(here, unit):
                story.name = str(unit)
                yield story


def _random(campaign: Campaign, kills: int, here: Ground, unit: int) -> Iterator[Story]:
    yield from random_kills(campaign, here, unit, min(_STRIKES, kills - unit * _STRIKES))


def _point_units(points: int | None) -> int:
    groups = len(KINDS) * len(WIDTHS) * len(STORES)
    return groups if points is None else min(groups, -(-points // 2))


def _points(campaign: Campaign, points: int | None, here: Ground, unit: int) -> Iterator[Story]:
    groups = point_groups(campaign.stores)
    if points is None:
        if unit < len(groups):
            yield from point_kills(campaign, here, groups[unit])
        return
    random.Random(campaign.seed).shuffle(groups)
    most = points // _point_units(points) + (unit < points % _point_units(points))
    yield from point_kills(campaign, here, groups[unit % len(groups)], most)


def _compared(plans: int, stores: tuple[str, ...], units: Iterator[int]) -> Iterator[Compared]:
    for unit in units:
        for compared in compare(range(unit * _PLANS_A_UNIT, min(plans, (unit + 1) * _PLANS_A_UNIT)), stores):
            compared.unit = str(unit)
            yield compared


def _do(part: Part, options: argparse.Namespace, figures: Figures) -> None:
    """Do a part, and say now and then how far it is."""
    began = told = monotonic()
    if options.unit is not None:
        results = part.work(iter([options.unit]))
    else:
        results = spread(part.work, part.units, options.jobs)
    for result in results:
        known = len(figures.violations)
        if isinstance(result, Story):
            figures.add(part.name, result)
        else:
            figures.add_compared(part.name, result)
        for _, unit, text in figures.violations[known:]:
            print(f"VIOLATION {part.name} {unit}: {text}", file=sys.stderr, flush=True)
        if figures.violations and options.first:
            return
        if monotonic() - told > _SECONDS_BETWEEN_LINES:
            told = monotonic()
            _tell(part, figures, told - began)
    _tell(part, figures, monotonic() - began)


def _tell(part: Part, figures: Figures, seconds: float) -> None:
    counts = {
        "random": f"{figures.struck['random']:,} kills",
        "points": f"{figures.killed - figures.struck['random']:,} kills",
        "fences": f"{figures.stalled:,} stalls",
    }
    done = counts.get(part.name, f"{figures.compared.plans:,} plans")
    print(
        f"{part.name}: {done} in {seconds:.0f} s, violations: {len(figures.violations)}",
        file=sys.stderr,
        flush=True,
    )


def _report(figures: Figures, options: argparse.Namespace, seconds: float) -> int:
    if options.json:
        print(json.dumps({**figures.to_json(), "seed": options.seed, "seconds": round(seconds)}, indent=2))
    else:
        for label, figure in [*figures.lines(), ("seconds", f"{seconds:,.0f}")]:
            print(f"{label:<34} {figure}")
    sabotage = f" --sabotage {options.sabotage}" if options.sabotage else ""
    for part, unit in list(dict.fromkeys((part, unit) for part, unit, _ in figures.violations))[:_SHOWN]:
        sizes = f"--kills {options.kills} --stores {options.stores}"
        if options.points is not None:
            sizes += f" --points {options.points}"
        print(f"again: PYTHONPATH=.:tests:tests/vm python -m chaos --seed {options.seed} {sizes} --only {part}"
              f" --unit {unit}{sabotage}", file=sys.stderr)  # fmt: skip
    return 1 if figures.violations else 0


if __name__ == "__main__":
    sys.exit(main())
