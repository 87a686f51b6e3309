"""A pushed plan goes on from its fork point, wherever the client began; its commits lie beside the line."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from client_commits import LATE, Objects, client_commit, commit_bytes, raw
from place import make_workplace
from plans import assign, call
from random_revisions import World, edited, numbered, random_plan

from app.crash_points import armed
from app.db.base import TaskRow
from app.db.serving import Job
from app.errors import Busy, Conflict, Forbidden, InputError, PlanRejected, StackVMError
from app.history.base import Kind
from app.history.commits import KINDS
from app.history.repository import HEADS
from app.plan.parse import plan_from_json
from app.services.access import Actor
from app.services.bisects import bisect_branch
from app.services.blame import blame_variables
from app.services.branches import delete_branch, fork_branch, list_branches
from app.services.clones import clone_task
from app.services.deletion import delete_task
from app.services.diffs import diff_revisions
from app.services.edits import set_variables
from app.services.explain import explain_run
from app.services.exports import export_task
from app.services.fsck import find_damage
from app.services.gc import GcOptions, clear_away
from app.services.golden import check_golden, record_golden
from app.services.imports import import_task
from app.services.inspect import read_log, show_task
from app.services.pushes import Pushed, take_push
from app.services.replays import replay_branch
from app.services.revise import RevisionOptions, propose_revision
from app.services.runs import RunOptions, run_branch
from app.services.tasks import NewTask, find_task, open_repository, submit_task
from app.services.values import read_values
from app.services.workplace import Workplace
from app.tools import tool
from app.vm.interrupts import Interrupts


@tool(effect="read", version="1")
def look(value: Any) -> Any:
    """Gives back what it is shown."""
    return value


@tool(effect="irreversible", version="1")
def send(to: str) -> str:
    """Sends."""
    return f"sent to {to}"


class Queue:
    """Notes what is to run. ``is_full``: it takes nothing."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self.is_full = False

    def keep(self, job: Job) -> None:
        if self.is_full:
            raise Busy(3)

    def tell(self, job: Job) -> None:
        self.jobs.append(job)

    def withdraw(self, task_id: str, branch: str | None = None) -> None:
        """Nothing waits here."""


class Place:
    """A workplace, one task in it, and pushes to that."""

    def __init__(self, folder: Path, history: str) -> None:
        self.folder = folder
        self.world = World()
        self.workplace, self.database = make_workplace(
            folder, [look, send, *self.world.tools()], history_backend=history, golden_dir=folder / "golden"
        )
        self.queue = Queue()
        self.task: TaskRow

    def submit(self, steps: list[dict[str, Any]]) -> None:
        self.task = submit_task(self.workplace, NewTask("test", json.dumps(steps)))
        self.run("main")

    def run(self, branch: str) -> str:
        return run_branch(self.workplace, self.task, branch, RunOptions(Interrupts())).status

    def open(self) -> Any:
        return open_repository(self.workplace, self.task)

    def head(self, branch: str = "main") -> bytes:
        with self.open() as repository:
            return bytes(repository.head(branch))

    def line(self, branch: str = "main") -> list[bytes]:
        """The commits of a run, oldest first."""
        with self.open() as repository:
            return [commit.oid for commit in repository.log(repository.head(branch))][::-1]

    def push(self, name: str, parent: bytes, plan: Any, **more: Any) -> Pushed:
        objects: Objects = {}
        with self.open() as repository:
            tip = client_commit(repository, objects, parent, plan, **more)
        return self.take(name, tip, objects)

    def take(self, name: str, tip: bytes, objects: Objects, workplace: Workplace | None = None) -> Pushed:
        self.task = find_task(self.workplace, self.task.id)
        return take_push(workplace or self.workplace, self.queue, self.task, name, tip, objects)

    def refs(self) -> dict[str, bytes]:
        with self.open() as repository:
            return dict(repository.store.refs())

    def objects(self) -> set[bytes]:
        with self.open() as repository:
            return set(repository.store.object_ids())

    def fsck(self) -> None:
        """What the stock git client says of the whole history."""
        target = self.folder / f"fsck-{len(list(self.folder.glob('fsck-*')))}"
        clone_task(self.workplace, find_task(self.workplace, self.task.id), target)
        done = subprocess.run(
            ["git", "fsck", "--strict", "--full"], cwd=target, capture_output=True, check=False
        )
        assert done.returncode == 0 and not done.stderr, done.stderr


@pytest.fixture(params=["sql", "git"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path, request.param)
    yield made
    made.database.close()


LINE = [
    assign(1, a=1),
    call(2, "look", "b", {"value": "${a}"}),
    call(3, "look", "c", {"value": "${b}"}),
    assign(4, final_answer="${c}"),
]


def changed(at: int, **values: Any) -> list[dict[str, Any]]:
    """The line with another step ``at``, by default one that sets what is given."""
    return [assign(at, **values) if step["seq_no"] == at else step for step in LINE]


@pytest.mark.parametrize("start", range(6))
def test_the_state_is_that_of_the_fork_point_wherever_the_client_began(place: Place, start: int) -> None:
    place.submit(LINE)
    line = place.line()
    pushed = place.push("mine", line[start] if start else line[1], changed(3, c=7))
    assert (pushed.fork_point, pushed.kept, pushed.next_step) == (line[3].hex(), 2, 3)
    assert (pushed.revises, pushed.trouble) == ("main", None)
    assert [(job.task_id, job.branch) for job in place.queue.jobs] == [(place.task.id, "mine")]
    with place.open() as repository:
        commit = repository.resolve("mine")
        assert commit.id == pushed.commit and commit.kind == "push" and commit.author == "tester"
        assert [parent.hex() for parent in commit.parents] == [pushed.pushed, pushed.fork_point]
        control, variables = repository.reader.control(commit.tree), repository.reader.snapshot(commit.tree)
        assert (control["pc"], control["steps"], control["status"]) == (3, 2, "running")
        assert variables.variables == {"a": 1, "b": 1}
        record = repository.reader.record(commit.tree)
        assert record["revises"] == {"branch": "main", "commit": line[-1].hex()}
        assert repository.resolve("mine~1").oid == line[3]
    assert place.run("mine") == "completed"
    assert replay_branch(place.workplace, place.task, "mine")[1].divergence is None
    place.fsck()


def test_a_time_in_the_future_is_not_inherited(place: Place) -> None:
    place.submit(LINE)
    pushed = place.push("mine", place.head(), changed(3, c=7))
    place.run("mine")
    with place.open() as repository:
        assert repository.commit(bytes.fromhex(pushed.pushed)).time == LATE
        times = [commit.time for commit in repository.log(repository.head("mine"))]
        assert max(times) < LATE and times == sorted(times, reverse=True)
        record = repository.reader.record(repository.resolve(pushed.commit).tree)
        assert repository.resolve(pushed.commit).time == record["decided_ms"] // 1000


def test_several_commits_are_taken_as_they_were_made(place: Place) -> None:
    place.submit(LINE)
    objects: Objects = {}
    with place.open() as repository:
        first = client_commit(repository, objects, place.head(), changed(2, b=4), message="one\n")
        second = client_commit(repository, objects, first, changed(2, b=5), message="two\n\nWhy: so\n")
    pushed = place.take("mine", second, objects)
    with place.open() as repository:
        for item in objects.values():
            assert repository.store.read(item.oid) == item
        assert repository.commit(bytes.fromhex(pushed.commit)).parents[0] == second
    place.run("mine")
    place.fsck()


def test_a_client_may_go_on_from_its_own_commit_and_from_a_pushed_run(place: Place) -> None:
    place.submit(LINE)
    first = place.push("one", place.head(), changed(3, c=7))
    place.run("one")
    second = place.push("two", bytes.fromhex(first.pushed), changed(4, final_answer="other"))
    assert second.revises == "main" and second.kept == 3
    third = place.push("three", place.head("one"), [*changed(3, c=7)[:3], assign(4, final_answer="x")])
    assert third.revises == "one" and third.kept == 3
    for branch in ("two", "three"):
        assert place.run(branch) == "completed"
        assert replay_branch(place.workplace, place.task, branch)[1].divergence is None
    place.fsck()


def test_what_was_done_beyond_is_known_also_where_the_client_began_before_it(place: Place) -> None:
    place.submit(
        [assign(1, a=1), assign(2, b=2), call(3, "send", "s", {"to": "x"}), assign(4, final_answer=1)]
    )
    place.run("main")
    pushed = place.push(
        "mine",
        place.line()[1],
        [assign(1, a=1), assign(2, b=3), call(3, "send", "s", {"to": "x"}), assign(4, final_answer=1)],
    )
    assert [call.tool for call in pushed.beyond] == ["send"]
    assert place.run("mine") == "waiting"


def test_a_plan_that_has_nothing_left_to_do_is_not_queued(place: Place) -> None:
    place.submit(LINE)
    pushed = place.push("mine", place.head(), [{**LINE[0], "description": "x"}, *LINE[1:]])
    assert pushed.next_step is None and place.queue.jobs == []
    views = {view.name: view.status for view in list_branches(place.workplace, place.task)}
    assert views["mine"] == "completed"
    assert replay_branch(place.workplace, place.task, "mine")[1].divergence is None


def test_where_the_backlog_is_full_the_branch_is_there_and_waits(place: Place) -> None:
    place.submit(LINE)
    place.queue.is_full = True
    pushed = place.push("mine", place.head(), changed(3, c=7))
    assert pushed.trouble is not None and "3 runs wait" in pushed.trouble
    assert find_task(place.workplace, place.task.id).status == "paused"
    assert place.run("mine") == "completed"


def test_a_death_before_the_row_knows_leaves_a_branch_that_can_be_run(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.submit(LINE)

    def die() -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(armed, "push.committed", die)
    with pytest.raises(KeyboardInterrupt):
        place.push("mine", place.head(), changed(3, c=7))
    views = {view.name: view.status for view in list_branches(place.workplace, place.task)}
    assert views["mine"] == "paused"
    assert place.run("mine") == "completed"


class TestRefusals:
    """What may not be pushed. Nothing is kept of it."""

    @pytest.fixture(autouse=True)
    def nothing_changes(self, place: Place) -> Iterator[None]:
        place.submit(LINE)
        self.place = place
        refs, objects = place.refs(), place.objects()
        yield
        assert place.refs() == refs and place.objects() == objects
        assert place.queue.jobs == []
        assert find_task(place.workplace, place.task.id).current_branch == "main"

    def refused(self, match: str, parent: bytes | None = None, plan: Any = None, **more: Any) -> StackVMError:
        with pytest.raises((InputError, PlanRejected), match=match) as raised:
            self.place.push(
                more.pop("name", "mine"),
                parent or self.place.head(),
                changed(3, c=7) if plan is None else plan,
                **more,
            )
        return raised.value

    def test_a_plan_with_faults(self) -> None:
        error = self.refused(
            "rejected", plan=[call(1, "loook", "a", {"value": 1}), assign(2, b="${nothing}")]
        )
        assert isinstance(error, PlanRejected)
        assert {finding.code for finding in error.findings} >= {"P005", "P007"}

    @pytest.mark.parametrize(
        "text",
        [
            b"",
            b"not JSON",
            b"[]",
            b"{}",
            b"\xff\xfe",
            b"[" * 5000,
            b"null",
            b"NaN",
            b"\xef\xbb\xbf[]",
            b"Sure:\n```json\n" + json.dumps(LINE[::3]).encode() + b"\n```\n",
        ],
    )
    def test_what_is_no_plan(self, text: bytes) -> None:
        assert isinstance(self.refused("rejected", plan=text), PlanRejected)

    def test_the_same_plan(self) -> None:
        with self.place.open() as repository:
            text = repository.store.read(
                repository.reader.top(repository.resolve("main").tree)["plan.json"].oid
            )
        self.refused("nothing to run", plan=text.data)
        with pytest.raises(Conflict, match="nothing to run"):
            self.place.take("mine", self.place.head(), {})

    @pytest.mark.parametrize(
        "name", ["state.json", "record.json", "goal.json", "format", "new.txt", "vars.json"]
    )
    def test_another_file(self, name: str) -> None:
        assert name in str(self.refused("changes", files={name: b"{}\n"}))

    def test_a_branch_that_is_there(self) -> None:
        self.refused("there is a branch 'main'", name="main")

    @pytest.mark.parametrize(
        "name",
        ["../x", "a..b", "-x", "HEAD", "a b", "a\0b", "x" * 10_000, "a.lock", "", "main/x", "é\udcff", "@{"],
    )
    def test_a_name_that_is_none(self, name: str) -> None:
        self.refused("branch|ref", name=name)

    def test_a_history_of_its_own_and_a_merge_and_what_is_not_there(self) -> None:
        place, objects = self.place, dict[bytes, Any]()
        with place.open() as repository:
            tip = client_commit(repository, objects, place.head(), changed(3, c=7))
            tree = bytes.fromhex(objects[tip].data[5:45].decode())
        for parents, match in (
            ([], "begins a history"),
            ([place.head(), place.line()[2]], "is a merge"),
            ([bytes(range(20))], "neither here"),
        ):
            made = raw(Kind.COMMIT, commit_bytes(tree, *parents))
            with pytest.raises(InputError, match=match):
                place.take("mine", made.oid, {**objects, made.oid: made})
        for lacking in objects:
            with pytest.raises(InputError, match="neither here"):
                place.take("mine", tip, {oid: item for oid, item in objects.items() if oid != lacking})
        with pytest.raises(InputError, match="is no commit"):
            place.take("mine", tree, objects)

    def test_a_commit_of_the_run_that_was_amended(self) -> None:
        place, objects = self.place, dict[bytes, Any]()
        with place.open() as repository:
            tip = client_commit(repository, objects, place.head(), changed(3, c=7))
            tree = bytes.fromhex(objects[tip].data[5:45].decode())
        amended = raw(Kind.COMMIT, commit_bytes(tree, place.line()[-2]))
        with pytest.raises(InputError, match=r"changes .*record\.json"):
            place.take("mine", amended.oid, {**objects, amended.oid: amended})

    @pytest.mark.parametrize(
        "damage",
        [
            (b"author ", b"author  0"), (b"+0200", b"0200"), (b"<ann", b"<<ann"), (b"\n\nmine", b"\n\nmi\0ne"),
            (b" 4102000000 ", b" 04102000000 "), (b" 4102000000 ", b" 99999999999999999999 "),
            (b"tree ", b"Tree "), (b"committer", b"compiler"),
        ],
    )  # fmt: skip
    def test_a_commit_that_git_would_not_make(self, damage: tuple[bytes, bytes]) -> None:
        place, objects = self.place, dict[bytes, Any]()
        with place.open() as repository:
            tip = client_commit(repository, objects, place.head(), changed(3, c=7))
        data = objects[tip].data.replace(*damage)
        if damage[0] == b"author ":
            data = data.replace(b"author  0Ann <ann@example.org> ", b"author Ann ", 1)
        made = raw(Kind.COMMIT, data)
        with pytest.raises(InputError, match=r"not as git writes|neither"):
            place.take("mine", made.oid, {**objects, made.oid: made})

    def test_a_plan_on_the_way_that_is_none(self) -> None:
        place, objects = self.place, dict[bytes, Any]()
        with place.open() as repository:
            first = client_commit(repository, objects, place.head(), b"not yet")
            tip = client_commit(repository, objects, first, changed(3, c=7))
        with pytest.raises(PlanRejected) as raised:
            place.take("mine", tip, objects)
        assert first.hex()[:12] in raised.value.findings[0].message

    def test_a_message_that_says_it_is_a_run_s(self) -> None:
        self.refused("message", message="step 1: done\n\nKind: step\nStep: 1\n")

    def test_who_may_only_look(self) -> None:
        place, objects = self.place, dict[bytes, Any]()
        with place.open() as repository:
            tip = client_commit(repository, objects, place.head(), changed(3, c=7))
        viewer = replace(place.workplace, actor=Actor("v", "viewer"))
        with pytest.raises(Forbidden):
            place.take("mine", tip, objects, viewer)


def test_no_run_begins_at_a_client_s_commit(place: Place) -> None:
    place.submit(LINE)
    pushed = place.push("mine", place.head(), changed(3, c=7))
    with pytest.raises(Conflict, match="pushed"):
        fork_branch(place.workplace, place.task, pushed.pushed, "other")
    with pytest.raises(Conflict, match="pushed"):
        set_variables(place.workplace, place.task, {"a": 1}, at=pushed.pushed)


def test_replay_tells_where_the_client_s_commit_is_lost_or_another(place: Place) -> None:
    place.submit(LINE)
    pushed = place.push("mine", place.head(), changed(3, c=7))
    task = place.task
    with place.open() as repository:
        objects: Objects = {}
        other = client_commit(repository, objects, place.head(), changed(3, c=8))
        repository.store.write(list(objects.values()))
        swapped = raw(
            Kind.COMMIT,
            repository.store.read(bytes.fromhex(pushed.commit)).data.replace(
                pushed.pushed.encode(), other.hex().encode()
            ),
        )
        repository.store.write([swapped])
        repository.fork(swapped.oid, "swapped")
    divergence = replay_branch(place.workplace, task, "swapped")[1].divergence
    assert divergence is not None and "not the one that was pushed" in divergence.reason


def test_everything_that_looks_back_passes_a_client_s_commits_by(place: Place, tmp_path: Path) -> None:
    place.submit(LINE)
    pushed = place.push("mine", place.head(), changed(3, c=7))
    place.run("mine")
    workplace, task = place.workplace, find_task(place.workplace, place.task.id)
    kinds = [entry.commit.kind for entry in read_log(workplace, task, "mine", with_records=True)]
    assert kinds == ["step", "step", "push", "step", "step", "plan", "goal"]
    blamed = {
        each.name: each.last_set.commit.kind for each in blame_variables(workplace, task, "mine").variables
    }
    assert set(blamed) == {"a", "b", "c", "final_answer"} and set(blamed.values()) == {"step"}
    assert [each.value for each in read_values(workplace, task, "mine", "c")] == [7]
    assert bisect_branch(workplace, task, "mine", "c != 7 or b > 1 or a < 0 or c == 7").first_false is None
    assert diff_revisions(workplace, task, "main", "mine").to_json()
    assert [step.state for step in show_task(workplace, task, "mine").steps] == ["done"] * 4
    _, fork, explanations = explain_run(workplace, task, "mine")
    assert fork is not None and fork.point.hex() == pushed.fork_point and explanations
    for revision in (pushed.pushed, pushed.commit):
        assert list(read_log(workplace, task, revision)) and show_task(workplace, task, revision)
    record_golden(workplace, task, "mine", "g")
    assert check_golden(workplace, "g").verdict == "same"


def test_what_was_pushed_is_no_damage_and_no_garbage(place: Place) -> None:
    place.submit(LINE)
    place.push("mine", place.line()[2], json.dumps(changed(3, c=7)).encode())
    place.run("mine")
    delete_branch(place.workplace, find_task(place.workplace, place.task.id), "main")
    assert list(find_damage(place.workplace, [place.task.id])) == []
    clear_away(place.workplace, [place.task.id], GcOptions())
    assert replay_branch(place.workplace, place.task, "mine")[1].divergence is None


def test_a_pushed_run_is_carried_whole(place: Place, tmp_path: Path) -> None:
    place.submit(LINE)
    pushed = place.push("mine", place.head(), changed(3, c=7))
    place.run("mine")
    delete_branch(place.workplace, find_task(place.workplace, place.task.id), "main")
    task = find_task(place.workplace, place.task.id)
    export_task(place.workplace, task, tmp_path / "file")
    before = place.refs()
    delete_task(place.workplace, task)
    import_task(place.workplace, tmp_path / "file")
    assert place.refs() == before
    with place.open() as repository:
        assert repository.commit(bytes.fromhex(pushed.pushed)).kind not in KINDS
    assert replay_branch(place.workplace, task, "mine")[1].divergence is None
    place.fsck()


@pytest.mark.parametrize("seed", range(12))
def test_of_random_plans_from_any_commit(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    place = Place(tmp_path, chance.choice(["sql", "git"]))
    steps = random_plan(chance)
    place.submit(numbered(steps, chance))
    versions = {"main": steps}
    client: list[bytes] = []
    for turn in range(5):
        place.task = find_task(place.workplace, place.task.id)
        starts = [*client, *(oid for branch in versions for oid in place.line(branch)[1:])]
        start = chance.choice(starts)
        steps = edited(versions[chance.choice(list(versions))], chance)
        plan = numbered(steps, chance)
        name = f"push-{turn}"
        try:
            pushed = place.push(name, start, plan)
        except PlanRejected:
            continue
        client.append(bytes.fromhex(pushed.pushed))
        expected = propose_revision(
            place.workplace,
            place.task,
            pushed.revises,
            plan_from_json(plan),
            RevisionOptions(name=f"{name}-r"),
        )
        _is_as_revised(place, name, pushed, expected.fork_point, expected.kept)
        place.run(name)
        versions[name] = steps
    for branch in versions:
        assert replay_branch(place.workplace, place.task, branch)[1].divergence is None
    assert len(versions) > 1
    place.fsck()
    place.database.close()


def _is_as_revised(place: Place, name: str, pushed: Pushed, fork_point: str, kept: int) -> None:
    assert (pushed.fork_point, pushed.kept) == (fork_point, kept)
    with place.open() as repository:
        commit, point = repository.resolve(name), repository.resolve(fork_point)
        entries = repository.reader.variable_entries
        assert entries(commit.tree) == entries(point.tree)
        assert HEADS + name in repository.store.refs()
        assert {each.kind for each in repository.log(commit.oid)} <= KINDS
