"""``export`` and ``import``: between installations, and processes that die on the way."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import CommandLine, assign, call, error_lines

from app.cli.exit_codes import FAILED, USAGE, WAITING

FILE = "task.bundle"


class Elsewhere:
    """Makes what is called from now on another installation's, in the same folder."""

    def __init__(self, folder: Path, empty_database: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
        (folder / "other").mkdir()
        (folder / "other" / "stackvm.db").write_bytes(empty_database)
        self._monkeypatch = monkeypatch

    def go(self) -> None:
        self._monkeypatch.setenv("VAR_DIR", "other")


@pytest.fixture
def elsewhere(cli: CommandLine, empty_database: bytes, monkeypatch: pytest.MonkeyPatch) -> Elsewhere:
    return Elsewhere(cli.folder, empty_database, monkeypatch)


@pytest.fixture
def task(cli: CommandLine) -> str:
    steps = [call("double", "n", number=2), call("note", "lines", text="once"), assign(final_answer="${n}")]
    return str(cli.execute(*steps)["task_id"])


@pytest.mark.parametrize("store", ["sql", "git"])
def test_a_task_goes_to_another_installation(
    cli: CommandLine, task: str, elsewhere: Elsewhere, store: str
) -> None:
    shown, log = cli.json("show", task), cli.json("log", task, "--records")
    exported = cli.json("export", task, FILE)
    assert (exported["commits"], exported["branches"], exported["attempts"]) == (5, 1, 1)
    assert exported["bytes"] == Path(FILE).stat().st_size
    elsewhere.go()
    imported = cli.json("import", FILE, "--history", store)
    assert (imported["task_id"], imported["status"], imported["history"]) == (task, "completed", store)
    assert cli.json("show", task) == {**shown, "history": store}
    assert cli.json("log", task, "--records") == log
    assert cli.json("replay", task)["identical"]
    cli.ok("export", task, "again")
    assert Path("again").read_bytes() == Path(FILE).read_bytes()
    assert cli.json("resume", task)["final_answer"] == 4
    cli.ok("fork", task, "--at", "main~1", "--name", "again")
    assert cli.json("resume", task, "--branch", "again")["final_answer"] == 4
    assert Path("notes.txt").read_text() == "once\n"


def test_a_revision_elsewhere_takes_the_answers_again(
    cli: CommandLine, task: str, elsewhere: Elsewhere
) -> None:
    cli.ok("export", task, FILE)
    elsewhere.go()
    cli.ok("import", FILE)
    plan = cli.plan(assign(a=1), call("double", "n", number=2), assign(final_answer="${{ n + a }}"))
    report = cli.json("revise", task, "--plan", plan, "--yes")
    assert (report["status"], report["final_answer"]) == ("completed", 5)
    explained = cli.json("explain", task)
    assert [each["outcome"] for each in explained if each["tool"] == "double"] == ["reused"]


def test_what_it_waits_for_is_decided_elsewhere(cli: CommandLine, elsewhere: Elsewhere) -> None:
    Path("broken").touch()
    task = cli.execute(call("send", "s", to="ann"), assign(final_answer="${s}"), code=WAITING)["task_id"]
    cli.ok("export", task, FILE)
    elsewhere.go()
    cli.ok("import", FILE)
    assert cli.json("resume", task, code=WAITING)["status"] == "waiting"
    cli.ok("decide", task, "--skip", '"by hand"')
    assert cli.json("resume", task)["final_answer"] == "by hand"


def test_it_is_said_in_words(cli: CommandLine, task: str, elsewhere: Elsewhere) -> None:
    said = cli.ok("export", task, FILE)
    assert said.startswith(f"✓ exported {task[:8]} to {FILE}  ") and "1 branch, 5 commits" in said
    elsewhere.go()
    first, second = cli.ok("import", FILE).splitlines()
    assert first == f"✓ imported {task[:8]}  completed  1 branch, 5 commits"
    assert second.startswith(f"  stackvm replay {task[:8]}")


def test_a_namespace_that_is_missing_is_said(cli: CommandLine, elsewhere: Elsewhere) -> None:
    cli.ok("namespace", "create", "mine", "--allowed-tools", "double")
    options = ["--namespace-name", "mine"]
    task = cli.execute(call("double", "n", number=2), assign(final_answer="${n}"), options=options)["task_id"]
    cli.ok("fork", task, "--at", "main~2", "--name", "again")
    cli.ok("export", task, FILE)
    elsewhere.go()
    assert "! there is no namespace 'mine' here" in cli.ok("import", FILE)
    assert cli.json("replay", task)["identical"]
    for look in ("show", "log", "branches"):
        cli.ok(look, task)
    resumed = cli.run("resume", task, "--branch", "again")
    assert resumed.exit_code == USAGE and "no namespace 'mine'" in resumed.stderr
    cli.ok("namespace", "create", "mine", "--allowed-tools", "double")
    assert cli.json("resume", task, "--branch", "again")["final_answer"] == 4


def test_what_is_wrong_is_one_error(cli: CommandLine, task: str, elsewhere: Elsewhere) -> None:
    cli.ok("export", task, FILE)
    again = cli.run("export", task, FILE)
    assert again.exit_code == USAGE
    assert error_lines(again) == [f"error: {FILE} is there already", "hint: --force overwrites it"]
    cli.ok("export", task, FILE, "--force")
    here = cli.run("import", FILE)
    assert here.exit_code == USAGE and error_lines(here)[0] == f"error: task {task} is here already"
    elsewhere.go()
    data = Path(FILE).read_bytes()
    Path(FILE).write_bytes(data[:-1])
    for name in (FILE, "nothing", "."):
        result = cli.run("import", name)
        assert result.exit_code == USAGE and error_lines(result)[0].startswith("error: ")
    assert cli.json("tasks") == []
    assert cli.json("import", "nothing", code=USAGE)["error"]["type"] == "InputError"


def test_a_folder_that_takes_no_file_is_one_error(cli: CommandLine, task: str) -> None:
    result = cli.run("export", task, "/proc/task.bundle")
    assert result.exit_code in (FAILED, USAGE) and len(error_lines(result)) <= 2


DIES = """
import os, sys
from app import crash_points
point, number = sys.argv[1], int(sys.argv[2])
seen = 0
def die():
    global seen
    seen += 1
    if seen == number:
        os._exit(9)
crash_points.armed[point] = die
sys.argv[1:] = sys.argv[3:]
from app.cli import main
main()
"""


def die_at(point: str, number: int, *arguments: str) -> bool:
    """Run a command that dies where it reaches the point for that time; whether it did."""
    command = [sys.executable, "-c", DIES, point, str(number), *arguments]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return done.returncode == 9


DEATHS = [
    ("import.begun", 1),
    ("import.written", 1),
    ("import.stored", 1),
    ("import.created", 1),
    *(("flush.written", number) for number in (1, 2, 3, 4)),
    ("fold.written", 1),
]


@pytest.mark.parametrize("store", ["sql", "git"])
@pytest.mark.parametrize(("point", "number"), DEATHS)
def test_an_import_that_dies_leaves_no_task_and_is_done_again(
    cli: CommandLine, task: str, elsewhere: Elsewhere, store: str, point: str, number: int
) -> None:
    cli.ok("export", task, FILE)
    elsewhere.go()
    died = die_at(point, number, "import", FILE, "--history", store)
    assert died or (point, store) == ("fold.written", "git")
    if cli.json("tasks"):
        assert not died or (point, number) in [*DEATHS[3:4], *DEATHS[-2:]]
    else:
        # Elsewhere than before: what was begun is in the way of neither store.
        cli.ok("import", FILE, "--history", "git" if number % 2 else "sql")
    assert cli.json("replay", task)["identical"]
    cli.ok("export", task, "again")
    assert Path("again").read_bytes() == Path(FILE).read_bytes()
    cli.ok("delete", task)
    cli.ok("import", FILE, "--history", store)
    assert cli.json("resume", task)["final_answer"] == 4


TOLD = '''
import time
from pathlib import Path
from . import tool


def tell(what):
    with Path("told.txt").open("a") as file:
        file.write(what + "\\n")


@tool(effect="read")
def fetch(number: int) -> int:
    """Twice the number; the first is there long before the others."""
    time.sleep(0.5 if number > 1 else 0)
    tell(f"fetch {number}")
    return 2 * number


@tool(effect="irreversible")
def post(text: str) -> str:
    """Post it."""
    tell("post")
    return "posted"
'''


@pytest.mark.parametrize(
    ("point", "posted"), [("effects.kept", 1), ("attempt.begun", 0), ("call.returned", 1), ("flush.done", 1)]
)
def test_what_a_killed_run_did_is_not_done_again_elsewhere(
    cli: CommandLine, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch, point: str, posted: int
) -> None:
    Path("tools/told.py").write_text(TOLD)
    monkeypatch.setenv("LEASE_SECONDS", "1")
    fetching = call("fetch", "all", on={"for_each": [1, 2, 3]}, number="${item}")
    posting = call("post", "receipt", text="x")
    steps = [posting, fetching] if point == "effects.kept" else [fetching, posting]
    plan = cli.plan(*steps, assign(final_answer="${all}"))
    # The goal, the plan, what is read, the attempt: the flush after these is that of the answer.
    number = {"call.returned": 4, "flush.done": 4}.get(point, 1)
    assert die_at(point, number, "execute", "--goal", "g", "--plan", plan)
    (task,) = (each["task_id"] for each in cli.json("tasks"))
    while (tried := cli.run("export", task, FILE)).exit_code:
        assert "is being run by" in tried.stderr
        time.sleep(0.1)
    assert Path("told.txt").read_text().count("post") == posted
    elsewhere.go()
    assert cli.json("import", FILE)["status"] == "paused"
    report = cli.run("resume", task, "--json")
    if report.exit_code == WAITING:
        assert point in ("attempt.begun", "call.returned")
        cli.ok("decide", task, "--skip", '"posted"')
        report = cli.run("resume", task, "--json")
    assert json.loads(report.stdout)["final_answer"] == [2, 4, 6]
    assert cli.json("replay", task)["identical"]
    told = ["fetch 1", "fetch 2", "fetch 3", *["post"] * posted]
    assert sorted(Path("told.txt").read_text().splitlines()) == told


def test_an_export_that_dies_leaves_what_was_there(cli: CommandLine, task: str) -> None:
    assert die_at("export.written", 1, "export", task, FILE)
    assert not Path(FILE).exists()
    cli.ok("export", task, FILE)
    before = Path(FILE).read_bytes()
    assert die_at("export.written", 1, "export", task, FILE, "--force")
    assert Path(FILE).read_bytes() == before


def test_of_two_imports_at_once_one_is_refused(cli: CommandLine, task: str, elsewhere: Elsewhere) -> None:
    cli.ok("export", task, FILE)
    elsewhere.go()
    both = [cli.start("import", FILE, "--history", store) for store in ("git", "git", "sql")]
    said = [process.communicate(timeout=60)[1] for process in both]
    assert sorted(process.returncode for process in both) == [0, USAGE, USAGE]
    assert sum(b"is here already" in each for each in said) == 2
    assert cli.json("replay", task)["identical"]
