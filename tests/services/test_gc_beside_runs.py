"""Garbage is collected while others run, fork, revise and delete: nothing that is reached is ever touched."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from databases import shared_database
from kept_tasks import open_place, run, submit
from plans import assign, call

from app.errors import BranchMoved, Conflict, LeaseHeld, NotFound, StackVMError
from app.services.branches import delete_branch, fork_branch, list_branches
from app.services.edits import set_variables
from app.services.fsck import find_damage
from app.services.gc import Cleared, GcOptions, clear_away
from app.services.replays import replay_branch
from app.services.workplace import Workplace

SECONDS = float(os.environ.get("GC_STRESS_SECONDS", "4"))
WORKERS = 2

STEPS = [
    assign(1, rows=["row" * 60] * 150),
    call(2, "look", "b", {"value": {"k": list(range(3000))}}),
    call(3, "put", "c", {"value": 1}),
    call(4, "look", "d", {"value": "${item}"}, for_each=[1, 2, 3]),
    assign(5, rows="${{ rows + [d] }}"),
    call(6, "look", "e", {"value": "${rows}"}),
    assign(7, final_answer="done"),
]

EXPECTED = (BranchMoved, Conflict, LeaseHeld, NotFound)
"""What somebody may be told whose branch another one deletes."""


def worker(folder: str, url: str, seed: str, seconds: str) -> None:
    """Forks somewhere, runs it, deletes something: again and again, on the tasks there are."""
    place, database = open_place(Path(folder), database_uri=url)
    chance, until, done = random.Random(int(seed)), time.monotonic() + float(seconds), 0
    while time.monotonic() < until:
        task = chance.choice(place.tasks.list())
        name = f"b{seed}-{done}"
        try:
            act = chance.random()
            if act < 0.25:
                # What nobody else writes: its objects are garbage once the branch is gone.
                rows = [f"{name} {chance.random()}" * 20 for _ in range(200)]
                set_variables(
                    place, task, {"rows": rows, "extra": name}, chance.choice(["main~2", "main~4"]), name
                )
                run(place, task, name)
            elif act < 0.6:
                source = chance.choice(list_branches(place, task)).name
                fork_branch(place, task, f"{source}~{chance.randrange(1, 4)}", name)
                run(place, task, name)
            elif act < 0.9:
                mine = [each.name for each in list_branches(place, task) if each.name.startswith(f"b{seed}-")]
                if mine:
                    delete_branch(place, task, chance.choice(mine))
            else:
                clear_away(place, [task.id], GcOptions())
        except EXPECTED:
            continue
        except StackVMError as error:
            if "goes back beyond" not in error.message:
                raise
        done += 1
    database.close()
    print(done)


def start(folder: Path, url: str, seed: int) -> subprocess.Popen[str]:
    here = Path(__file__).parent
    code = f"import sys; sys.path[:0] = [{str(here)!r}, {str(here.parent)!r}];"
    code += f"from {Path(__file__).stem} import worker; worker(*sys.argv[1:])"
    arguments = [sys.executable, "-c", code, str(folder), url, str(seed), str(SECONDS)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize(
    ("kind", "history"),
    [("sqlite", "sql"), ("sqlite", "git"), ("mariadb", "sql"), ("postgresql", "sql")],
)
def test_nothing_is_lost(tmp_path: Path, kind: str, history: str) -> None:
    url = shared_database(kind, tmp_path)
    place, database = open_place(tmp_path, database_uri=url)
    for _ in range(4):
        task = submit(place, history, STEPS)
        assert run(place, task) == "completed"
    started = [start(tmp_path, url, seed) for seed in range(WORKERS)]
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        check_skipped(clear_away(place, (), GcOptions()))
        time.sleep(0.05)
    for process in started:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert int(out) > 0
    assert_all_is_well(place)
    for task in place.tasks.list():
        for branch in list_branches(place, task):
            if branch.name != "main":
                delete_branch(place, place.tasks.get(task.id), branch.name)
    cleared = clear_away(place, (), GcOptions())
    assert cleared.skipped == [] and cleared.objects > 0
    assert_all_is_well(place)
    database.close()


def assert_all_is_well(place: Workplace) -> None:
    assert [finding for finding in find_damage(place) if not finding.is_leftover] == []
    for task in place.tasks.list():
        for branch in list_branches(place, task):
            assert replay_branch(place, task, branch.name)[1].divergence is None, branch


def check_skipped(cleared: Cleared) -> None:
    """Tasks are left alone because they are run, never because they seem to be damaged."""
    assert [skipped for skipped in cleared.skipped if not skipped.is_running] == []
