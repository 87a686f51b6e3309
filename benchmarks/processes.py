"""Whole processes: ``stackvm --help``, and what importing the package opens."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Final

from benchmarks.figures import Bench, Figure

RUNS_A_RUN: Final = 3

_IMPORT_ALL: Final = """
import json, os, pkgutil, sys
opened = []
def audit(event, arguments):
    if event == "open":
        path, mode, flags = arguments
        if (flags or 0) & (os.O_WRONLY | os.O_RDWR) and "__pycache__" not in str(path):
            opened.append(f"open {path}")
    elif event in ("socket.connect", "socket.bind", "sqlite3.connect", "subprocess.Popen", "os.mkdir"):
        opened.append(event)
sys.addaudithook(audit)
import app
for module in pkgutil.walk_packages(app.__path__, "app."):
    if not module.name.endswith("__main__"):
        __import__(module.name)
import threading
opened += [f"thread {thread.name}" for thread in threading.enumerate() if thread is not threading.main_thread()]
print(json.dumps(opened))
"""


def help_text(bench: Bench) -> Iterator[Figure]:
    """From the start of the process to its end."""
    command = _stackvm()
    subprocess.run(command, check=True, capture_output=True)  # the first writes compiled modules
    seconds = []
    for _ in range(bench.runs * RUNS_A_RUN):
        start = perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        seconds.append(1000 * (perf_counter() - start))
    yield Figure("stackvm --help", "the whole process", seconds, "ms", 400.0)


def importing(bench: Bench) -> Iterator[Figure]:
    """Files opened for writing, connections, processes and threads, with every module of ``app`` imported."""
    done = subprocess.run([sys.executable, "-c", _IMPORT_ALL], check=True, capture_output=True, text=True)
    opened: list[str] = json.loads(done.stdout)
    yield Figure(
        "import of app", "things opened" + "".join(f"; {each}" for each in opened), [len(opened)], "", 0
    )


def _stackvm() -> list[str]:
    script = Path(sys.executable).with_name("stackvm")
    if script.exists():
        return [str(script), "--help"]
    return [sys.executable, "-c", "from app.cli import main; main()", "--help"]
