"""SQLite's file is locked by another process while a run goes on. ``CHAOS_LOCKED=10`` locks it for 10 s."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from databases import shared_database
from outside import Outside, check, end, open_place, resume, run

from app.db import engine
from app.errors import StorageError
from app.services.tasks import list_tasks

SECONDS = float(os.environ.get("CHAOS_LOCKED", "2"))

LOCK = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
time.sleep(float(sys.argv[2]))
"""


def lock(url: str, seconds: float) -> subprocess.Popen[bytes]:
    """Another process that has the write lock from now on."""
    command = [sys.executable, "-c", LOCK, url.removeprefix("sqlite:///"), str(seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"locked\n"
    process.stdout.close()
    return process


@pytest.mark.parametrize("width", [1, 8])
def test_a_run_goes_on_when_the_lock_is_gone(
    width: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(
        engine, "BUSY_SECONDS", SECONDS / 5
    )  # less than the lock lasts: patience has to do it
    url = shared_database("sqlite", tmp_path)
    outside = Outside(tmp_path / "ledger")
    place, database = open_place(url, tmp_path, outside)
    lockers: list[subprocess.Popen[bytes]] = []
    timer = threading.Timer(0.1, lambda: lockers.append(lock(url, SECONDS)))
    timer.start()
    started = time.monotonic()
    report = run(place, width)
    assert time.monotonic() - started >= SECONDS * 0.8
    timer.join()
    check(place, outside, report)
    assert lockers[0].wait(30) == 0
    assert len(caplog.messages) <= 1
    assert all("is locked; trying again for" in message for message in caplog.messages)
    database.close()


def test_a_lock_that_stays_stops_the_run_and_resume_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0.2)
    url = shared_database("sqlite", tmp_path)
    outside = Outside(tmp_path / "ledger")
    place, database = open_place(url, tmp_path, outside, database_patience=1, lease_seconds=2)
    lockers: list[subprocess.Popen[bytes]] = []
    timer = threading.Timer(0.1, lambda: lockers.append(lock(url, 60)))
    timer.start()
    started = time.monotonic()
    with pytest.raises(StorageError, match=r"is locked; tried for \d s \(another process holds it"):
        run(place, 8)
    assert time.monotonic() - started < 10, "what cleans up waited again"
    timer.join()
    lockers[0].kill()
    lockers[0].wait(30)
    (task,) = list_tasks(place, None, 10)
    check(place, outside, end(place, outside, resume(place, task.id, 8), 8), stopped=True)
    database.close()
