"""``git clone`` of a long run out of a running server, by the stock git client."""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from time import perf_counter
from typing import Any

from databases import KINDS
from served import Served

from benchmarks.figures import Figure

ServerOf = Callable[..., AbstractContextManager[Served]]


def clone_runs(server: ServerOf, options: argparse.Namespace) -> Iterator[Figure]:
    """A run of ``--cloned`` steps, each of which sets a variable of its own; from every database."""
    for kind in KINDS:
        with server(kind, MAX_STEPS=options.cloned + 10, RATE_LIMIT="100000 per minute") as served:
            task_id = served.submit(*_steps(options.cloned))
            served.wait(task_id)
            over_http = f"{served.url}/git/{task_id}.git"
            cloned = [_clone(served, over_http) for _ in range(options.repeats)]
        name = f"clone of {options.cloned} commits, {kind}"
        yield Figure(name, "git clone", [seconds for seconds, _, _ in cloned], "s", 3.0)
        yield Figure(name, "of it the server's processor time", [busy for _, busy, _ in cloned], "s")
        yield Figure(name, "the same from a folder, by git alone", [alone for _, _, alone in cloned], "s")


def _steps(count: int) -> list[dict[str, Any]]:
    call = {"tool_name": "nap", "tool_params": {"seconds": 0}}
    calls = [
        {"type": "calling", "parameters": {**call, "output_vars": f"v{number}"}} for number in range(1, count)
    ]
    return [*calls, {"type": "assign", "parameters": {"final_answer": 42}}]


def _clone(served: Served, url: str) -> tuple[float, float, float]:
    """Seconds of a clone, of the server's processor, and of git where it clones the clone by its protocol."""
    with tempfile.TemporaryDirectory(prefix="bench-clone-") as folder:
        busy = _processor_seconds(served.process.pid)
        seconds = _git("clone", "--quiet", url, f"{folder}/cloned")
        busy = _processor_seconds(served.process.pid) - busy
        alone = _git("clone", "--quiet", f"file://{folder}/cloned", f"{folder}/again")
    return seconds, busy, alone


def _git(*arguments: str) -> float:
    begun = perf_counter()
    subprocess.run(["git", *arguments], check=True, env={**os.environ, "GIT_TERMINAL_PROMPT": "0"})
    return perf_counter() - begun


def _processor_seconds(pid: int) -> float:
    """Of a process's children that live: the workers of gunicorn."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    stats = [Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split() for child in children]
    return sum(int(fields[11]) + int(fields[12]) for fields in stats) / os.sysconf("SC_CLK_TCK")
