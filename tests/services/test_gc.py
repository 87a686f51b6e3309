"""Clearing away: what goes, what stays, what a killed process leaves and who mends it; deleting leaves nothing."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kept_tasks import fill, open_place, run, submit
from plans import assign
from sqlalchemy import func, select

from app import crash_points
from app.db.base import FinishedEffect
from app.db.models import DELETED, live, metadata, repositories
from app.db.session import Database
from app.errors import Conflict
from app.services.branches import delete_branch, fork_branch, list_branches
from app.services.deletion import delete_task
from app.services.edits import set_variables
from app.services.fsck import find_damage
from app.services.gc import GcOptions, clear_away
from app.services.workplace import Workplace

DAY = 86_400_000
KEPT_TABLES = {"namespaces"}


class Killed(BaseException):
    """The process died here."""


@pytest.fixture(params=["sql", "git"])
def history(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[tuple[Workplace, Database]]:
    place, database = open_place(tmp_path)
    yield place, database
    database.close()


@pytest.fixture
def place(opened: tuple[Workplace, Database]) -> Workplace:
    return opened[0]


def rows(database: Database) -> dict[str, int]:
    with database.read() as connection:
        counted = {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in metadata.sorted_tables
        }
        words = select(func.count()).select_from(live).where(live.c.branch == DELETED)
        counted["live"] -= connection.execute(words).scalar_one()  # to watchers of the list, for an hour
    return {name: count for name, count in counted.items() if count and name not in KEPT_TABLES}


def dies_at(monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    def die() -> None:
        monkeypatch.delitem(crash_points.armed, point)
        raise Killed

    monkeypatch.setitem(crash_points.armed, point, die)


def grow_old(opened: tuple[Workplace, Database], folder: Path) -> None:
    """Everything was made two hours ago."""
    with opened[1].write() as connection:
        connection.execute(repositories.update().values(created_ms=1))
    before = time.time() - 7200
    for path in (folder / "var" / "repositories").glob("*"):
        os.utime(path, (before, before))


def test_a_branch_that_was_deleted_takes_its_objects_along(place: Workplace, history: str) -> None:
    task = fill(place, history)
    assert clear_away(place, (), GcOptions()).objects == 0
    edited = set_variables(
        place, task, {"rows": [f"row {number}" * 9 for number in range(900)]}, "main~2", "gone"
    )
    assert edited.branch == "gone" and run(place, task, "gone") == "completed"
    delete_branch(place, place.tasks.get(task.id), "gone")
    planned = clear_away(place, (), GcOptions(dry_run=True))
    done = clear_away(place, (), GcOptions())
    assert done.objects == planned.objects > 5
    assert done.bytes > 1000 and planned.bytes > 1000
    assert clear_away(place, (), GcOptions()).objects == 0
    assert list(find_damage(place)) == []


def test_a_run_that_others_were_forked_from_stays(place: Workplace, history: str) -> None:
    """What it called decides whether they may call it again."""
    task = fill(place, history)
    set_variables(place, task, {"b": 1}, "main~2", "first")
    assert run(place, task, "first") == "completed"
    set_variables(place, task, {"b": 2}, "first~1", "second")
    delete_branch(place, place.tasks.get(task.id), "first")
    assert clear_away(place, (), GcOptions()).objects == 0
    assert run(place, task, "second") == "completed"


def test_retention_takes_tasks_that_ended_long_ago_and_no_others(place: Workplace, history: str) -> None:
    completed = submit(place, history)
    run(place, completed)
    waits = submit(place, history)
    run(place, waits)
    fork_branch(place, waits, "main~2", "try")  # it can be resumed
    queued = submit(place, history)
    assert clear_away(place, (), GcOptions(older_than_ms=DAY)).tasks == []
    planned = clear_away(place, (), GcOptions(older_than_ms=0, dry_run=True))
    assert planned.tasks == [completed.id] and planned.bytes > 0
    assert clear_away(place, (), GcOptions(older_than_ms=0)).tasks == [completed.id]
    assert {row.id for row in place.tasks.list()} == {waits.id, queued.id}


def test_a_task_that_is_run_is_left_alone_and_named(place: Workplace, history: str) -> None:
    task = fill(place, history)
    place.leases.acquire(task.id, "try", "somebody", 60)
    for dry_run in (True, False):
        skipped = clear_away(place, (), GcOptions(older_than_ms=0, dry_run=dry_run)).skipped
        assert [each.task_id for each in skipped] == [task.id]
        assert "being run by somebody" in skipped[0].reason
    with pytest.raises(Conflict, match="somebody"):
        delete_task(place, task)
    assert place.tasks.get(task.id) == task or place.tasks.get(task.id).status == "completed"


def test_deleting_leaves_no_row_and_no_file(
    opened: tuple[Workplace, Database], history: str, tmp_path: Path
) -> None:
    place, database = opened
    fill(place, history)
    for task in place.tasks.list():
        assert delete_task(place, task) > 0
    assert rows(database) == {}
    assert list((tmp_path / "var").rglob("*.git")) == []


@pytest.mark.parametrize("damage", ["gone", "no HEAD", "no packs", "fences"])
def test_a_damaged_repository_can_be_deleted(
    opened: tuple[Workplace, Database], tmp_path: Path, damage: str
) -> None:
    place, database = opened
    task = submit(place, "git")
    run(place, task)
    folder = tmp_path / "var" / "repositories" / f"{task.id}.git"
    if damage == "gone":
        shutil.rmtree(folder)
    elif damage == "no HEAD":
        (folder / "HEAD").unlink()
    elif damage == "no packs":
        shutil.rmtree(folder / "objects")
    else:
        (folder / "stackvm" / "fences.json").write_text("?")
    assert [finding for finding in find_damage(place) if finding.task_id == task.id] != []
    delete_task(place, task)
    assert rows(database) == {} and not folder.exists()


@pytest.mark.parametrize("point", ["delete.rows", "delete.aside"])
def test_a_deletion_that_was_killed_is_finished_by_gc(
    opened: tuple[Workplace, Database],
    history: str,
    point: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place, database = opened
    task = submit(place, history)
    run(place, task)
    dies_at(monkeypatch, point)
    if history == "git" or point == "delete.rows":
        with pytest.raises(Killed):
            delete_task(place, task)
    else:
        delete_task(place, task)
    assert all(finding.is_leftover for finding in find_damage(place))
    clear_away(place, (), GcOptions())  # nothing is old enough to be sure
    grow_old(opened, tmp_path)
    clear_away(place, (), GcOptions())
    assert rows(database) == {}
    assert list((tmp_path / "var" / "repositories").glob("*")) == []
    assert list(find_damage(place)) == []


@pytest.mark.parametrize("point", ["task.stored"])
def test_a_submission_that_was_killed_is_cleared_away_when_it_is_old(
    opened: tuple[Workplace, Database],
    history: str,
    point: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place, database = opened
    monkeypatch.setattr("app.services.tasks.StoreFactory.delete", None, raising=False)
    store = place.stores[history].create("00000099-0000-4000-8000-000000000000")
    store.close()
    cleared = clear_away(place, (), GcOptions())
    assert cleared.histories == 0
    grow_old(opened, tmp_path)
    assert clear_away(place, (), GcOptions(dry_run=True)).histories == 1
    assert clear_away(place, (), GcOptions()).histories == 1
    assert rows(database) == {} and clear_away(place, (), GcOptions()).histories == 0


def test_a_collection_that_was_killed_has_done_no_harm(
    place: Workplace, history: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = fill(place, history)
    set_variables(place, task, {"rows": ["new"]}, "main~2", "gone")
    delete_branch(place, place.tasks.get(task.id), "gone")
    dies_at(monkeypatch, "collect.dropped")
    with pytest.raises(Killed):
        clear_away(place, (), GcOptions())
    assert list(find_damage(place)) == []
    clear_away(place, (), GcOptions())
    assert clear_away(place, (), GcOptions()).objects == 0
    assert list(find_damage(place)) == []


def test_a_branch_whose_making_or_deletion_was_killed_is_mended(place: Workplace, history: str) -> None:
    task = fill(place, history)
    place.tasks.delete_branch(task.id, "try", 9)  # its row went, and we died
    left = list(find_damage(place))
    assert [(finding.what, finding.is_leftover) for finding in left] == [("ref refs/heads/try", True)]
    assert clear_away(place, (), GcOptions()).mended == 1
    assert [view.name for view in list_branches(place, task)] == ["main", "try"]
    assert list(find_damage(place)) == []


def test_what_is_known_of_calls_goes_with_their_branch(place: Workplace, history: str) -> None:
    task = fill(place, history)
    place.ledger(task.id).save_effects("gone", [FinishedEffect(4, 1, 0, "ab" * 32, b"{}")])
    assert any("branches that are not there" in finding.problem for finding in find_damage(place))
    cleared = clear_away(place, (), GcOptions())
    assert (cleared.branches, cleared.rows) == (1, 1)
    assert place.ledger(task.id).branch_effects("try") != []
    assert list(find_damage(place)) == []


def test_a_task_that_lost_a_branch_is_not_collected(
    opened: tuple[Workplace, Database], tmp_path: Path
) -> None:
    """All its objects seem to be garbage, and are all that is left of it."""
    place, _ = opened
    task = submit(place, "git", [assign(1, final_answer=1)])
    run(place, task)
    (tmp_path / "var" / "repositories" / f"{task.id}.git" / "refs" / "heads" / "main").unlink()
    cleared = clear_away(place, (), GcOptions())
    assert cleared.objects == 0 and "fsck" in cleared.skipped[0].reason
