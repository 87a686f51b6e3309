"""`make fuzz`: 10 minutes of requests, as everybody who may ask. Exit code 1 where anything was found."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from fuzz.scene import SCHEMATHESIS, fuzz, keyed_scene, open_scene

_ASKERS = 4


def main() -> int:
    """The reports of what was found go to stdout."""
    options = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    options.add_argument("--seconds", type=int, default=600, help="of all askers together")
    options.add_argument("--examples", type=int, default=1_000, help="made up for an operation, at most")
    options.add_argument("--seed", type=int, default=1)
    chosen = options.parse_args()
    if SCHEMATHESIS is None:
        print("error: schemathesis is not installed; SCHEMATHESIS says where it is", file=sys.stderr)
        return 2
    found = 0
    for scene in (open_scene, keyed_scene):
        with tempfile.TemporaryDirectory() as folder, scene(Path(folder)) as (served, askers):
            for asker in askers:
                done = fuzz(
                    served,
                    asker,
                    seconds=chosen.seconds // _ASKERS,
                    examples=chosen.examples,
                    seed=chosen.seed,
                )
                print(f"== {asker.name}: exit code {done.code}\n{done.output}", flush=True)
                found += done.code != 0
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
