"""Workload A on LangGraph (SqliteSaver) and DBOS (SQLite), against raw commits measured between the runs.

``make bench-peers`` runs it in an environment of its own, made of ``peers.txt``; nothing of StackVM is imported.
"""

from __future__ import annotations

import argparse
import logging
import operator
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Annotated, Any, Final, TypedDict

from benchmarks.disk import folder_bytes, scratch_folder
from benchmarks.raw import raw_commit_seconds
from benchmarks.workloads import SMALL_BYTES, texts

Run = Callable[[Path, int], float]
"""Run so many steps with everything kept in a folder; gives the seconds of the run alone."""


def langgraph_run(folder: Path, count: int) -> float:
    """One node that sets a new variable and comes back to itself; durability as it is by default."""
    # Imported here: each peer is measured without the other.
    from langgraph.checkpoint.sqlite import SqliteSaver
    from langgraph.graph import END, START, StateGraph

    values = texts(count, SMALL_BYTES)

    class State(TypedDict):
        done: int
        variables: Annotated[dict[str, str], operator.or_]

    def step(state: State) -> dict[str, Any]:
        done = state["done"]
        return {"done": done + 1, "variables": {f"v{done}": values[done]}}

    graph = StateGraph(State)
    graph.add_node("step", step)
    graph.add_edge(START, "step")
    graph.add_conditional_edges("step", lambda state: END if state["done"] >= count else "step")
    with closing(sqlite3.connect(folder / "langgraph.db", check_same_thread=False)) as connection:
        saver = SqliteSaver(connection)
        saver.setup()
        connection.execute("PRAGMA synchronous=FULL")
        compiled = graph.compile(checkpointer=saver)
        start = perf_counter()
        ended = compiled.invoke(
            {"done": 0, "variables": {}},
            {"configurable": {"thread_id": "bench"}, "recursion_limit": count + 10},
        )
        seconds = perf_counter() - start
    _require(len(ended["variables"]), count)
    return seconds


def dbos_run(folder: Path, count: int) -> float:
    """A workflow of as many steps, each giving the value of a new variable."""
    from dbos import DBOS

    values = texts(count, SMALL_BYTES)
    DBOS(
        config={
            "name": "bench",
            "system_database_url": f"sqlite:///{folder / 'dbos.db'}",
            "log_level": "ERROR",
        }
    )
    try:

        @DBOS.step()
        def give(index: int) -> str:
            return values[index]

        @DBOS.workflow()
        def run(total: int) -> int:
            variables = {f"v{index}": give(index) for index in range(total)}
            return len(variables)

        DBOS.launch()
        run(1)  # the first sets up what later ones find
        start = perf_counter()
        given = run(count)
        seconds = perf_counter() - start
    finally:
        DBOS.destroy(destroy_registry=True)
    _require(given, count)
    return seconds


PEERS: Final[Mapping[str, tuple[Run, tuple[str, ...]]]] = {
    "LangGraph": (langgraph_run, ("langgraph", "langgraph-checkpoint-sqlite")),
    "DBOS": (dbos_run, ("dbos",)),
}
"""Each with the packages whose versions are told."""


def main() -> None:
    options = _arguments().parse_args()
    logging.disable(logging.WARNING)
    print(f"{options.steps:,} steps, {options.runs} runs; × is a raw SQLite commit in the same minute")
    with scratch_folder(options.folder) as folder:
        for name, (run, packages) in PEERS.items():
            ratios, sizes = _measure(folder, run, options.steps, options.runs)
            versions = ", ".join(f"{package} {version(package)}" for package in packages)
            print(
                f"{name:10} {median(ratios):6.2f} × a step ({min(ratios):.2f}–{max(ratios):.2f}),"
                f" {median(sizes):8,.0f} bytes stored a step   [{versions}]",
                flush=True,
            )


def _measure(parent: Path, run: Run, count: int, runs: int) -> tuple[list[float], list[float]]:
    """Times a step as multiples of a raw commit, and bytes a step by the files' sizes."""
    ratios, sizes = [], []
    before = _unit(parent, count)
    for _ in range(runs):
        with scratch_folder(parent) as folder:
            seconds = run(folder, count)
            _fold_logs(folder)
            sizes.append(folder_bytes(folder) / count)
        after = _unit(parent, count)
        ratios.append(seconds / count / ((before + after) / 2))
        before = after
    return ratios, sizes


def _unit(parent: Path, count: int) -> float:
    with scratch_folder(parent) as folder:
        return raw_commit_seconds(folder, count)


def _fold_logs(folder: Path) -> None:
    """Fold SQLite's logs into the files, so that their sizes are what is stored."""
    for path in folder.glob("*.db"):
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _require(done: int, count: int) -> None:
    if done != count:
        raise RuntimeError(f"{done} of {count} steps were run: what was measured means nothing")


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--steps", type=int, default=1_000, help="steps a run (default 1,000)")
    parser.add_argument("--runs", type=int, default=3, help="runs of each peer (default 3)")
    parser.add_argument("--folder", type=Path, default=Path("var"), help="where to write (default var)")
    return parser


if __name__ == "__main__":
    main()
