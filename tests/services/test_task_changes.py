from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from place import make_workplace
from plans import assign

from app.db.base import TaskRow
from app.db.feed import SqlFeed
from app.errors import InputError
from app.services.branches import delete_branch, fork_branch
from app.services.changes import TaskEvent, find_changes, position_of
from app.services.deletion import delete_task
from app.services.edits import set_variables
from app.services.feeds import Feeds, ListPosition, ListRead, list_end, look_at_tasks, read_list_position
from app.services.inspect import read_log
from app.services.positions import BranchPosition, Position, read_position
from app.services.runs import RunOptions, run_branch
from app.services.tasks import NewTask, submit_task
from app.services.workplace import Workplace
from app.vm.interrupts import Interrupts


class Watch:
    """A workplace with tasks, and what a watcher is told of them."""

    def __init__(self, place: Workplace, feeds: Feeds) -> None:
        self.place, self.feeds = place, feeds

    def submit(self, steps: int = 4, **more: Any) -> TaskRow:
        plan = [assign(number, **{f"v{number}": number}) for number in range(1, steps)]
        plan.append(assign(steps, final_answer="done"))
        return submit_task(self.place, NewTask("count", json.dumps({"steps": plan}), **more))

    def run(self, task: TaskRow, branch: str = "main") -> None:
        run_branch(self.place, task, branch, RunOptions(Interrupts()))

    def told(self, task: TaskRow, position: Position | None = None) -> list[TaskEvent]:
        seen = self.feeds.read_one(task)
        repository = self.feeds.repository(task)
        return list(find_changes(position or Position(), seen, repository).events(repository))

    def log(self, task: TaskRow, branch: str = "main") -> list[str]:
        return [entry.commit.id for entry in read_log(self.place, task, branch)][::-1]


@pytest.fixture(params=["sql", "git"])
def watch(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Watch]:
    place, database = make_workplace(tmp_path, history_backend=request.param)
    yield Watch(place, Feeds(place, SqlFeed(database)))
    database.close()


def commits(events: list[TaskEvent]) -> list[tuple[str, str]]:
    return [(event.data["branch"], event.data["commit"]) for event in events if event.kind == "commit"]


def shown(events: list[TaskEvent]) -> list[tuple[str, Any]]:
    return [(event.kind, event.data) for event in events]


def test_whoever_knows_nothing_is_told_everything_in_order(watch: Watch) -> None:
    task = watch.submit()
    watch.run(task)
    events = watch.told(task)
    assert [event.kind for event in events] == ["task", "branch", *["commit"] * 6, "status"]
    assert commits(events) == [("main", commit) for commit in watch.log(task)]
    assert events[0].data["status"] == "completed"
    assert events[-1].data == {"branch": "main", "status": "completed"}


def test_whoever_comes_again_is_told_the_rest_and_nothing_twice(watch: Watch) -> None:
    task = watch.submit()
    watch.run(task)
    fork_branch(watch.place, task, "main~3", "again")
    watch.run(task, "again")
    set_variables(watch.place, task, {"v1": 7}, None)
    events = watch.told(task)
    assert len(set(commits(events))) == len(commits(events))
    assert len({commit for _, commit in commits(events)}) == len(commits(events)), (
        "a shared commit is told once"
    )
    for told, event in enumerate(events, 1):
        text = event.position.to_text()
        assert text is not None
        assert shown(watch.told(task, read_position(text))) == shown(events[told:]), event


def test_a_run_is_told_as_it_grows(watch: Watch) -> None:
    task = watch.submit()
    before = watch.told(task)
    assert watch.told(task, before[-1].position) == []
    watch.run(task)
    news = watch.told(task, before[-1].position)
    assert [event.kind for event in news] == [*["commit"] * 4, "status", "task"]
    assert commits(before) + commits(news) == [("main", commit) for commit in watch.log(task)]
    assert news[-1].position == position_of(watch.feeds.read_one(task))


def test_a_fork_of_old_commits_repeats_none_of_them(watch: Watch) -> None:
    task = watch.submit(30)
    watch.run(task)
    known = watch.told(task)[-1].position
    fork_branch(watch.place, task, "main~25", "early")
    watch.run(task, "early")
    news = watch.told(task, known)
    # The same plan from there gives the same commits, by their ids: all of them were told.
    head = watch.log(task, "main")[-1]
    assert shown(news) == [
        ("branch", {"branch": "early", "change": "created", "head": head, "source": "main"}),
        ("status", {"branch": "early", "status": "completed"}),
        ("task", news[-1].data),
    ]


def test_a_fork_that_goes_another_way_is_told_from_where_it_leaves(watch: Watch) -> None:
    task = watch.submit()
    watch.run(task)
    known = watch.told(task)[-1].position
    edited = set_variables(watch.place, task, {"v1": 5}, None)
    watch.run(task, edited.branch)
    news = watch.told(task, known)
    fork = watch.log(task, edited.branch)
    old = set(watch.log(task))
    assert commits(news) == [(edited.branch, commit) for commit in fork if commit not in old]
    assert len(commits(news)) >= 1


def test_a_branch_that_is_gone_is_told_of(watch: Watch) -> None:
    task = watch.submit()
    watch.run(task)
    fork_branch(watch.place, task, "main~2", "again")
    known = watch.told(task)[-1].position
    delete_branch(watch.place, task, "again")
    assert ("branch", {"branch": "again", "change": "deleted"}) in shown(watch.told(task, known))


def test_a_branch_that_was_made_again_elsewhere_is_deleted_and_created(watch: Watch) -> None:
    task = watch.submit()
    watch.run(task)
    fork_branch(watch.place, task, "main", "again")
    known = watch.told(task)[-1].position
    delete_branch(watch.place, task, "again")
    fork_branch(watch.place, task, "main~4", "again")
    changes = [event.data for event in watch.told(task, known) if event.kind == "branch"]
    assert [change["change"] for change in changes] == ["deleted", "created"]
    assert changes[1]["head"] == watch.log(task)[-5]


def test_a_position_with_very_many_branches_has_no_text(watch: Watch) -> None:
    some = {f"revision-{number}": BranchPosition(bytes([number] * 8), "completed") for number in range(60)}
    text = Position("abc", some).to_text()
    assert text is not None and read_position(text) == Position("abc", some)
    many = {str(n) * 30: BranchPosition(n.to_bytes(8, "big") * 1, None) for n in range(2_000)}
    assert Position("abc", many).to_text() is None


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "",
        "é",
        "AAAA",
        "e30",
        "W10",
        "eyJ0IjoxLCJiIjpbXX0",
        "eyJ0IjoieCIsImIiOnsiYSI6WyJ6eiJdfX0",
        "a" * 9_000,
    ],
)
def test_an_id_of_somebody_else_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        read_position(text)
    with pytest.raises(InputError):
        read_list_position(text)


def test_the_list_is_told_each_change_once(watch: Watch) -> None:
    first = watch.submit()
    position = list_end(watch.feeds, None)
    told: list[tuple[str, str]] = []

    def look(position: ListPosition) -> ListPosition:
        text = position.to_text()
        assert text is not None
        position = read_list_position(text)  # as another process would
        events, after = position.take(look_at_tasks(watch.feeds, position.since_ms, None))
        for event in events:
            if event.kind == "deleted":
                told.append((event.data["task_id"], "deleted"))
            else:
                told.extend((document["task_id"], document["status"]) for document in event.data["tasks"])
        return after

    position = look(position)
    assert told == []
    watch.run(first)
    position = look(look(position))
    second = watch.submit()
    position = look(look(position))
    assert told == [(first.id, "completed"), (second.id, "queued")]
    delete_task(watch.place, first)
    position = look(look(position))
    assert told[2:] == [(first.id, "deleted")]
    delete_task(watch.place, second)
    third = watch.submit()
    look(look(position))
    assert told[3:] == [(third.id, "queued"), (second.id, "deleted")]


def test_who_is_cut_off_between_two_events_of_the_list_gets_the_rest(watch: Watch) -> None:
    gone = [watch.submit() for _ in range(2)]
    position = list_end(watch.feeds, None)
    for task in gone:
        delete_task(watch.place, task)
    new = watch.submit()
    seen = look_at_tasks(watch.feeds, position.since_ms, None)
    events, after = position.take(seen)
    names = [each.data.get("task_id", new.id) for each in events]
    assert names == [new.id, *(task.id for task in gone)]
    assert events[-1].position == after
    for number, event in enumerate(events):
        text = event.position.to_text()
        assert text is not None
        rest, _ = read_list_position(text).take(look_at_tasks(watch.feeds, position.since_ms, None))
        assert [each.data.get("task_id", new.id) for each in rest] == names[number + 1 :]


def test_a_change_that_is_committed_late_is_told_all_the_same(watch: Watch) -> None:
    early, late = watch.submit(), watch.submit()
    # `late` was written down with a time before that of `early`, and is seen after it.
    rows = [row for row in look_at_tasks(watch.feeds, 0, None).rows if row.id == late.id]
    _, position = ListPosition(0).take(ListRead(rows, []))
    [event], after = position.take(look_at_tasks(watch.feeds, position.since_ms, None))
    assert [document["task_id"] for document in event.data["tasks"]] == [early.id]
    assert after.take(look_at_tasks(watch.feeds, after.since_ms, None))[0] == []


def test_a_watched_task_that_is_deleted_is_not_there(watch: Watch) -> None:
    task = watch.submit()
    assert watch.told(task)
    delete_task(watch.place, task)
    assert watch.feeds.read([task.id]) == {}


def test_a_run_whose_process_died_is_told_to_be_paused(watch: Watch) -> None:
    task = watch.submit()
    watch.place.leases.acquire(task.id, "main", f"{watch.place.presence.owner}/1", 30)
    watch.place.tasks.note_run(task.id, "main", "running", watch.place.clock_ms())
    events = watch.told(task)
    assert events[-1].data == {"branch": "main", "status": "running"}
    position = list_end(watch.feeds, None)
    watch.place.leases.acquire(task.id, "main", f"{watch.place.presence.owner}/1", 0.01)
    time.sleep(0.05)
    kinds = {event.kind: event.data for event in watch.told(task, events[-1].position)}
    assert kinds["status"] == {"branch": "main", "status": "paused"}
    assert kinds["task"]["status"] == "paused"
    [event], _ = position.take(look_at_tasks(watch.feeds, position.since_ms, None))
    assert [document["status"] for document in event.data["tasks"]] == ["paused"]
    watch.run(task)
    assert watch.feeds.read_one(task).row.status == "completed"
