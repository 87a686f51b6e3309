"""Writers of one SQLite file take turns, threads and processes alike."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.db.turns import Turns

SECONDS = 30.0
HAMMER = """
import sys, time
from pathlib import Path
from app.db.turns import Turns
turns, count = Turns(Path(sys.argv[1]), 30), 0
while True:
    with turns.mine():
        count += 1
        Path(sys.argv[2]).write_text(str(count))
        time.sleep(0.01)
"""
HOLDER = """
import sys, time
from pathlib import Path
from app.db.turns import Turns
with Turns(Path(sys.argv[1]), 30).mine():
    print("mine", flush=True)
    time.sleep(60)
"""


@contextmanager
def process(text: str, *arguments: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", text, *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as started:
        try:
            yield started
        finally:
            started.send_signal(signal.SIGCONT)
            started.kill()


def count_of(file: Path) -> int:
    return int((file.read_text() if file.exists() else "") or 0)


def test_threads_have_it_one_after_another(tmp_path: Path) -> None:
    turns, inside, most = Turns(tmp_path / "x.db", SECONDS), [0], [0]

    def work() -> None:
        for _ in range(50):
            with turns.mine():
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                time.sleep(0)
                inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (inside, most) == ([0], [1])
    turns.close()


def test_a_process_that_writes_all_the_time_does_not_keep_others_away(tmp_path: Path) -> None:
    turns, told = Turns(tmp_path / "x.db", SECONDS), tmp_path / "count"
    with process(HAMMER, tmp_path / "x.db", told):
        while not count_of(told):
            time.sleep(0.01)
        passed = []
        for _ in range(30):
            before = count_of(told)
            with turns.mine():
                passed.append(count_of(told) - before)
            time.sleep(0.01)
    # One that goes on, one that passes the gate while we sleep before it.
    assert sorted(passed)[15] <= 3
    turns.close()


def test_a_turn_ends_with_its_process(tmp_path: Path) -> None:
    turns = Turns(tmp_path / "x.db", SECONDS)
    with process(HOLDER, tmp_path / "x.db") as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "mine\n"
        threading.Timer(0.2, holder.kill).start()
        begun = time.monotonic()
        with turns.mine():
            assert time.monotonic() - begun < SECONDS / 2
    turns.close()


def test_what_can_not_be_had_in_time_is_done_without(tmp_path: Path) -> None:
    turns = Turns(tmp_path / "x.db", 0.2)
    with process(HOLDER, tmp_path / "x.db") as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "mine\n"
        holder.send_signal(signal.SIGSTOP)
        for _ in range(2):
            begun = time.monotonic()
            with turns.mine():
                assert time.monotonic() - begun >= 0.2
    with turns.mine():
        pass
    turns.close()


def test_a_folder_that_is_not_there_is_no_reason_to_fail(tmp_path: Path) -> None:
    done = []
    with Turns(tmp_path / "no" / "folder" / "x.db", SECONDS).mine():
        done.append(1)
    assert done == [1]


def test_an_error_within_gives_the_turn_back(tmp_path: Path) -> None:
    turns = Turns(tmp_path / "x.db", 0.2)
    with pytest.raises(KeyError), turns.mine():
        raise KeyError
    begun = time.monotonic()
    with turns.mine():
        assert time.monotonic() - begun < 0.2
    turns.close()
    turns.close()
