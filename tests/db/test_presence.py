"""A process that has died is seen to be dead at once; of one that nobody can see, nothing is said."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.db.presence import FilePresence

HOLDER = """
import sys, time
from pathlib import Path
from app.db.presence import FilePresence

presence = FilePresence(Path(sys.argv[1]), "ann@here:1")
presence.show()
print(presence.owner, flush=True)
time.sleep(60)
"""


def holder(folder: Path) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


@pytest.fixture
def presence(tmp_path: Path) -> FilePresence:
    return FilePresence(tmp_path / "workers", "bob@here:2")


def test_a_killed_process_is_dead_and_a_stopped_one_is_not(tmp_path: Path, presence: FilePresence) -> None:
    process, owner = holder(tmp_path / "workers")
    assert not presence.is_dead(owner)
    assert not presence.is_dead(f"{owner}/3")
    process.send_signal(signal.SIGSTOP)
    assert not presence.is_dead(owner)
    process.kill()
    process.communicate()
    assert presence.is_dead(f"{owner}/3")
    assert presence.is_dead(f"{owner}/3"), "who asked first may die before the lease is theirs"


def test_who_leaves_in_order_leaves_nothing_and_who_could_not_is_seen(presence: FilePresence) -> None:
    presence.show()
    other = FilePresence(presence._folder, "cid@here:3")
    other.show()
    other.leave_trace()
    assert not presence.is_dead(other.owner)
    other.close()
    assert presence.is_dead(other.owner)
    presence.close()
    assert list(presence._folder.iterdir()) == [other._path(other._token)]


def test_nothing_is_said_of_another_machine_or_a_name_of_another_make(presence: FilePresence) -> None:
    presence.show()
    here = presence.owner.partition("/")[2]
    presence.leave_trace()
    presence.close()
    assert not presence.is_dead(f"bob@there:2/{here}")
    for odd in ("somebody@here:1", "", "/", "x/../y", "a/b/c"):
        assert not presence.is_dead(odd)
    assert presence.is_dead(f"bob@here:2/{here}/9")


def test_a_child_that_was_forked_does_not_keep_the_lock(tmp_path: Path, presence: FilePresence) -> None:
    script = HOLDER.replace("time.sleep(60)", "import os\nos.fork() or time.sleep(60)\nos._exit(0)")
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", script, str(tmp_path / "workers")],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    owner = process.stdout.readline().strip()
    try:
        deadline = time.monotonic() + 10
        while not presence.is_dead(owner):  # the parent ends at once, the child goes on
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_a_folder_that_cannot_be_made_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    presence = FilePresence(tmp_path / "file" / "workers", "bob@here:2")
    presence.show()
    assert not presence.is_dead(presence.owner)
    presence.close()


def test_files_of_long_dead_workers_are_removed(tmp_path: Path) -> None:
    folder = tmp_path / "workers"
    folder.mkdir()
    old, young = folder / "old.lock", folder / "young.lock"
    for path in (old, young):
        path.touch()
    os.utime(old, (0, 0))
    presence = FilePresence(folder, "bob@here:2")
    presence.show()
    assert not old.exists()
    assert young.exists()
    presence.close()
