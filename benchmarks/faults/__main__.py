"""``python -m benchmarks.faults``: sow faults, print what is found; exit 1 below the bar or on a false alarm."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from app.plan.findings import CODES
from benchmarks.faults.measure import Count, Fault, alarms, shows, sow_all, unclaimed
from benchmarks.faults.operators import OPERATORS
from benchmarks.faults.subjects import Subject, subjects
from benchmarks.faults.world import World

BAR: Final = 0.95
_WIDTH: Final = 120


def main() -> int:
    """Exit code 0 where the bar is met for every code and nothing valid is blamed, else 1."""
    options = _arguments().parse_args()
    console = Console(width=_WIDTH)
    with tempfile.TemporaryDirectory() as folder:
        sources = list(subjects(World(Path(folder)), range(options.plans)))
        false = alarms(sources)
        faults = list(sow_all(sources, options.most, options.seed))
        shown = _share_shown(sources, faults) if options.run else {}
        beyond = unclaimed(sources, options.most, options.seed)
    counts: dict[str, Count] = defaultdict(Count)
    for fault in faults:
        counts[fault.code].add(fault)
        counts[fault.operator].add(fault)
        counts["all"].add(fault)
    console.print(_table(counts, shown, options.operators))
    console.print(f"{len(sources)} valid plans, {len(false)} false alarms")
    console.print(
        f"not claimed: of {beyond.sown} variables of a wrong type as arguments, {beyond.found} found"
    )
    for subject, finding in false[: options.missed]:
        console.print(f"false: {subject.name}: {finding}", markup=False)
    for fault in counts["all"].missed[: options.missed]:
        console.print(f"missed: {fault.operator} in {fault.origin}: {json.dumps(fault.broken)}", markup=False)
    return 1 if false or any(counts[code].share < BAR for code in OPERATORS) else 0


def _share_shown(sources: list[Subject], faults: list[Fault]) -> dict[str, float]:
    """Of the faults of a code that can be run, how many go wrong in a run."""
    by_name = {subject.name: subject for subject in sources}
    seen: dict[str, list[bool]] = defaultdict(list)
    for fault in faults:
        goes_wrong = shows(by_name[fault.origin], fault)
        if goes_wrong is not None:
            for key in (fault.code, fault.operator, "all"):
                seen[key].append(goes_wrong)
    return {key: sum(values) / len(values) for key, values in seen.items()}


def _table(counts: dict[str, Count], shown: dict[str, float], operators: bool) -> Table:
    table = Table("code", "fault", "sown", "found", "under its code", "share")
    if shown:
        table.add_column("goes wrong in a run")

    def row(key: str, label: str, meaning: str) -> None:
        count = counts[key]
        cells = [
            label,
            meaning,
            f"{count.sown:,}",
            f"{count.found:,}",
            f"{count.named:,}",
            f"{count.share:.2%}",
        ]
        cells += [f"{shown[key]:.0%}" if key in shown else ""] if shown else []
        table.add_row(*cells)

    for code, of_code in OPERATORS.items():
        row(code, code, CODES[code])
        for operator in of_code if operators else ():
            row(operator.__name__, "", f"  {operator.__name__.replace('_', ' ')}")
    row("all", "all", "")
    return table


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__)
    parser.add_argument("--plans", type=int, default=500, help="random plans beside the written ones (500)")
    parser.add_argument("--most", type=int, default=3, help="faults of one operator in one plan (3)")
    parser.add_argument("--seed", type=int, default=1, help="of the choice among an operator's faults (1)")
    parser.add_argument("--operators", action="store_true", help="a line for each operator")
    parser.add_argument("--run", action="store_true", help="run the broken plans too: how many go wrong")
    parser.add_argument(
        "--missed", type=int, default=0, metavar="N", help="print the first N that were missed"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
