"""Disks that are full or read-only: one clear error, and the run goes on when there is room again.

A small file system of the test's own, which takes the right to mount one; without it the tests are skipped.
``CHAOS_DISKS=1`` tries every page of room that is left, CI a few.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import CommandLine, assign, call

from app.bootstrap import workplace

ROOMS = range(64) if os.environ.get("CHAOS_DISKS") else (0, 5, 14)

TOOLS = '''
from pathlib import Path

from . import tool

LEDGER = Path("ledger")


@tool(effect="write")
def put(what: str) -> str:
    """Write."""
    with LEDGER.open("a") as file:
        file.write(f"put {what}\\n")
    return what * 2000


@tool(effect="irreversible")
def send(what: str) -> str:
    """Send, and fill the disk amid the run."""
    with LEDGER.open("a") as file:
        file.write(f"send {what}\\n")
    if what == "3":
        for action in Path("actions").glob("*"):
            action.rename("done")
            exec(Path("done").read_text())
    return what
'''

FILL = """
import os
file = os.open("disk/filler", os.O_WRONLY | os.O_CREAT)
try:
    while True:
        os.write(file, b"x" * 4096)
except OSError:
    size = os.fstat(file).st_size
os.ftruncate(file, max(0, size - size % 4096 - {room} * 4096))
os.close(file)
"""


class Disk:
    """A file system of 8 MiB under ``disk``, with everything that StackVM keeps on it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "disk"
        self.path.mkdir()
        self.remount("size=8M", first=True)

    def remount(self, options: str, *, first: bool = False) -> None:
        what = ["-t", "tmpfs", "-o", options, "none"] if first else ["-o", f"remount,{options}"]
        done = subprocess.run(["mount", *what, str(self.path)], capture_output=True, check=False)
        if first and done.returncode != 0:
            pytest.skip(f"can't mount: {done.stderr.decode().strip()}")
        assert done.returncode == 0, done.stderr

    def free(self) -> None:
        (self.path / "filler").unlink(missing_ok=True)

    def unmount(self) -> None:
        subprocess.run(["umount", str(self.path)], check=True)


@pytest.fixture
def disk(bare_folder: Path, empty_database: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    monkeypatch.setenv("VAR_DIR", "disk")
    # On a full disk it can't be given back, and who goes on waits for its end.
    monkeypatch.setenv("LEASE_SECONDS", "1")
    (bare_folder / "tools" / "demo.py").write_text(TOOLS)
    (bare_folder / "actions").mkdir()
    mounted = Disk(bare_folder)
    (mounted.path / "stackvm.db").write_bytes(empty_database)
    yield mounted
    mounted.unmount()


@pytest.fixture
def cli(bare_folder: Path) -> CommandLine:
    return CommandLine(bare_folder)


FULL = ("no space left", "No space left", "the disk failed")
READ_ONLY = ("is read-only", "Read-only file system", "mounted read-only")

STEPS = [
    assign(begun=True),
    *(
        step
        for number in range(6)
        for step in (
            call("put", f"a{number}", what=str(number)),
            call("send", f"b{number}", what=str(number)),
        )
    ),
    assign(final_answer="all"),
]


def execute(cli: CommandLine, history: str) -> subprocess.CompletedProcess[bytes]:
    plan = cli.plan(*STEPS)
    return cli.process("execute", "--goal", "g", "--plan", plan, "--history", history)


def ends_right_after_all(cli: CommandLine, history: str) -> None:
    """Go on, deciding by the ledger what nobody else knows; then everything was done, nothing twice."""
    (task,) = cli.json("tasks")
    task_id = task["task_id"]
    done = cli.process("resume", task_id, "--json")
    report = json.loads(done.stdout)
    while report["status"] == "waiting":
        what = report["waiting"]["inputs"]["what"]
        happened = f"send {what}\n" in Path("ledger").read_text()
        choice = ["--skip", json.dumps(what)] if happened else ["--run"]
        cli.ok("decide", task_id, *choice)
        report = json.loads(cli.process("resume", task_id, "--json").stdout)
    assert (report["status"], report["final_answer"]) == ("completed", "all"), report
    lines = Path("ledger").read_text().splitlines()
    assert sorted(line for line in lines if line.startswith("send")) == [f"send {n}" for n in range(6)]
    assert {line for line in lines if line.startswith("put")} == {f"put {n}" for n in range(6)}
    assert cli.json("replay", task_id)["identical"]
    if history == "git":
        folder = Path(f"disk/repositories/{task_id}.git")
        subprocess.run(["git", "-C", str(folder), "fsck", "--strict"], check=True, capture_output=True)


def one_clear_error(done: subprocess.CompletedProcess[bytes], *words: str) -> None:
    assert done.returncode == 1, done.stderr.decode()
    said = done.stderr.decode()
    assert said.count("error: ") == 1, said
    assert said.count("hint: ") == 1, said
    assert any(word in said for word in words), said


@pytest.mark.parametrize("history", ["sql", "git"])
@pytest.mark.parametrize("room", ROOMS)
def test_a_disk_that_fills_amid_a_run(disk: Disk, cli: CommandLine, history: str, room: int) -> None:
    Path("actions/fill").write_text(FILL.format(room=room))
    done = execute(cli, history)
    if done.returncode != 0:  # with some room to spare, it may come through
        one_clear_error(done, *FULL)
        disk.free()
        ends_right_after_all(cli, history)
    assert room > 10 or done.returncode == 1


@pytest.mark.parametrize("history", ["sql", "git"])
def test_a_run_on_a_disk_that_was_mounted_read_only(disk: Disk, cli: CommandLine, history: str) -> None:
    """The system refuses that while a file is open for writing: so it happens to a run that was stopped."""
    Path("actions/fill").write_text(FILL.format(room=0))
    assert execute(cli, history).returncode == 1
    disk.free()
    (task,) = cli.json("tasks")
    disk.remount("ro,size=8M")
    one_clear_error(cli.process("resume", task["task_id"]), *READ_ONLY)
    disk.remount("rw,size=8M")
    ends_right_after_all(cli, history)


@pytest.mark.parametrize("history", ["sql", "git"])
@pytest.mark.parametrize("room", ROOMS)
def test_a_task_submitted_onto_a_full_disk_leaves_nothing(
    disk: Disk, cli: CommandLine, history: str, room: int
) -> None:
    exec(FILL.format(room=room))
    done = execute(cli, history)
    disk.free()
    tasks = cli.json("tasks")
    if done.returncode == 0:
        assert len(tasks) == 1
        return
    one_clear_error(done, *FULL)
    if tasks:
        ends_right_after_all(cli, history)
        return
    assert not list(Path("disk").glob("repositories/*")), "a repository without a task"
    assert _repositories() == 0, "a history without a task"
    assert not Path("ledger").exists()
    assert execute(cli, history).returncode == 0


@pytest.mark.parametrize("history", ["sql", "git"])
def test_a_task_submitted_onto_a_read_only_disk(disk: Disk, cli: CommandLine, history: str) -> None:
    disk.remount("ro,size=8M")
    done = execute(cli, history)
    assert done.returncode == 1
    one_clear_error(done, *READ_ONLY)
    disk.remount("rw,size=8M")
    assert cli.json("tasks") == []
    assert execute(cli, history).returncode == 0


def _repositories() -> int:
    with workplace() as place:
        factory: Any = place.stores["sql"]
        with factory._database.read() as connection:
            return int(connection.exec_driver_sql("SELECT COUNT(*) FROM repositories").scalar_one())
