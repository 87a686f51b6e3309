"""The stock git client against a server: clone, fetch, push to fork and run, and every push that is refused."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from databases import KINDS, new_database
from git_server import Clone, GitServer, clone, serving
from plans import assign, call, jump

from app.bootstrap import workplace
from app.config import Settings
from app.services.keys import create_key
from app.services.namespaces import create_namespace

PLAN = [
    call(1, "double", "a", {"number": 3}),
    call(2, "note", "n", {"text": "a is ${a}"}),
    call(3, "double", "b", {"number": "${a}"}),
    assign(4, final_answer="${b}"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    with serving(
        tmp_path_factory.mktemp("server"), PUSH_MAX_BYTES="1000000", PUSH_MAX_OBJECTS="50"
    ) as started:
        yield started


@pytest.fixture(params=["sql", "git"])
def task(request: pytest.FixtureRequest, server: GitServer) -> str:
    return server.submit(PLAN, history=request.param)


@pytest.fixture
def work(server: GitServer, task: str, tmp_path: Path) -> Clone:
    return clone(server.remote(task), tmp_path / "work")


def with_number(plan: dict[str, Any], step: int, number: Any) -> dict[str, Any]:
    plan = json.loads(json.dumps(plan))
    plan["steps"][step - 1]["parameters"]["tool_params"] = {"number": number}
    return plan


def replays(server: GitServer, task: str, branch: str) -> bool:
    """Whether a replay by the command line gives identical ids."""
    done = subprocess.run(
        [sys.executable, "-c", "from app.cli import main; main()", "replay", task, "--branch", branch, "--json"],
        cwd=server.folder, env=server.environment, capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    return done.returncode == 0 and bool(json.loads(done.stdout)["identical"])


class TestCloneAndFetch:
    @pytest.mark.parametrize("version", ["0", "1", "2"])
    def test_a_clone_has_the_run_commit_by_commit(
        self, server: GitServer, task: str, tmp_path: Path, version: str
    ) -> None:
        work = clone(server.remote(task), tmp_path / "work", "-c", f"protocol.version={version}")
        assert work.ok("log", "--format=%s").splitlines() == [
            "step 4: assign -> final_answer", "step 3: double -> b", "step 2: note -> n", "step 1: double -> a",
            "plan: 4 steps", "goal: test",
        ]  # fmt: skip
        assert work.ok("fsck", "--strict", "--full") == ""
        assert work.ok("branch", "--show-current").strip() == "main"
        assert work.json("HEAD", "vars/b.json") == 12
        assert '-    "pc": 1' in work.ok("log", "-p").replace('  "pc"', '    "pc"')
        assert work.ok("fetch") == ""

    @pytest.mark.parametrize("version", ["0", "2"])
    def test_fetch_brings_what_was_done_since(self, server: GitServer, tmp_path: Path, version: str) -> None:
        gate = f"gate-{version}-{tmp_path.name}"
        steps = [*PLAN[:3], call(4, "gate", None, {"name": gate}), assign(5, final_answer="${b}")]
        task = server.ask("/api/tasks", {"goal": "test", "plan": steps})[1]["task_id"]
        options = ("-c", f"protocol.version={version}")
        for _ in range(200):
            work = clone(server.remote(task), tmp_path / str(time.monotonic_ns()), *options)
            if len(work.ok("log", "--format=%h").splitlines()) == 5:
                break
            time.sleep(0.05)
        (server.folder / gate).touch()
        server.wait(task)
        said = work.ok("fetch")
        assert "main" in said and "-> origin/main" in said
        assert work.json("origin/main", "vars/final_answer.json") == 12
        assert work.ok("fsck", "--strict") == ""
        assert work.ok("rev-list", "--count", "origin/main").strip() == "7"

    @pytest.mark.parametrize("version", ["0", "2"])
    def test_a_shallow_clone_can_be_made_whole(
        self, server: GitServer, task: str, tmp_path: Path, version: str
    ) -> None:
        options = ("--depth", "2", "-c", f"protocol.version={version}")
        work = clone(server.remote(task), tmp_path / "work", *options)
        assert work.ok("rev-list", "--count", "HEAD").strip() == "2"
        work.ok("fetch", "--depth", "3")
        assert work.ok("rev-list", "--count", "HEAD").strip() == "3"
        work.ok("fetch", "--unshallow")
        assert work.ok("rev-list", "--count", "HEAD").strip() == "6"
        assert work.ok("fsck", "--strict") == ""

    def test_many_branches_are_fetched_with_little(self, server: GitServer, work: Clone, task: str) -> None:
        for number in range(4):
            work.ok("checkout", "-q", "main")
            work.commit_plan(with_number(work.plan(), 3, number))
            work.ok("push", "-q", "origin", f"HEAD:refs/heads/b{number}")
            server.wait(task)
        said = work.ok("fetch")
        assert all(f"origin/b{number}" in said for number in range(4))
        assert work.ok("fsck", "--strict") == ""

    @pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "sqlite"])
    def test_from_the_other_databases(self, tmp_path: Path, kind: str) -> None:
        (tmp_path / "server").mkdir()
        with new_database(kind) as url, serving(tmp_path / "server", url) as server:
            task = server.submit(PLAN)
            work = clone(server.remote(task), tmp_path / "work")
            work.commit_plan(with_number(work.plan(), 3, 50))
            work.ok("push", "origin", "HEAD:refs/heads/mine")
            assert server.wait(task)["status"] == "completed"
            work.ok("fetch")
            assert work.json("origin/mine", "vars/final_answer.json") == 100
            assert work.ok("fsck", "--strict") == ""
            assert replays(server, task, "mine")

    def test_two_thousand_commits_are_cloned_in_seconds(self, server: GitServer, tmp_path: Path) -> None:
        steps = [call(number, "double", f"v{number}", {"number": number}) for number in range(1, 2000)]
        task = server.submit([*steps, assign(2000, final_answer=1)], max_steps=3000)
        began = time.monotonic()
        work = clone(server.remote(task), tmp_path / "work")
        assert time.monotonic() - began < 12, "about one second on an idle machine, three are allowed"
        assert work.ok("rev-list", "--count", "HEAD").strip() == "2002"

    @pytest.mark.parametrize("name", ["nothing", "..", "a%2fb", "x" * 3000, "%00", "é"])
    def test_a_task_that_is_not_there(self, server: GitServer, tmp_path: Path, name: str) -> None:
        status, told = server.ask(f"/git/{urlquoted(name)}.git/info/refs?service=git-upload-pack")
        assert status in (404, 400) and b"Traceback" not in told

    def test_what_a_person_is_told_of_a_task_that_is_not_there(
        self, server: GitServer, tmp_path: Path
    ) -> None:
        said = Clone(tmp_path).refused("clone", server.remote("nothing"), "x")
        assert "remote: no task 'nothing'" in said and "not found" in said

    def test_the_dumb_protocol_and_other_services_are_refused(self, server: GitServer, task: str) -> None:
        assert server.ask(f"/git/{task}.git/info/refs")[0] == 403
        assert server.ask(f"/git/{task}.git/info/refs?service=git-upload-archive")[0] == 403
        assert server.ask(f"/git/{task}.git/HEAD")[0] == 404
        assert server.ask(f"/git/{task}.git/objects/info/packs")[0] == 404

    @pytest.mark.parametrize("version", ["0", "2"])
    def test_what_a_branch_had_while_it_goes_on_is_given(
        self, server: GitServer, work: Clone, task: str, version: str
    ) -> None:
        want = f"want {work.rev('HEAD~2')}\n".encode()
        asked = b"%04x%s" % (len(want) + 4, want)
        body = (
            asked + b"00000009done\n"
            if version == "0"
            else b"0011command=fetch0001" + asked + b"0009done\n0000"
        )
        status, said = post(
            server, f"/git/{task}.git/git-upload-pack", body, {"Git-Protocol": f"version={version}"}
        )
        assert status == 200 and b"PACK" in said

    @pytest.mark.parametrize(
        "body",
        [b"", b"zzzz", b"0003", b"0032want 1234", b"0011command=fetch0001000dwant xyz\n0000",
         b"0011command=wrong0000", b"0011command=fetch00010032want " + b"0" * 40 + b"\n0009done\n0000"],
    )  # fmt: skip
    @pytest.mark.parametrize("version", ["0", "2"])
    def test_requests_that_are_none(self, server: GitServer, task: str, body: bytes, version: str) -> None:
        status = post(
            server, f"/git/{task}.git/git-upload-pack", body, {"Git-Protocol": f"version={version}"}
        )
        assert status[0] in (200, 422), status
        assert status[0] == 422 or not body or body == b"0000" or version == "0", status


def urlquoted(name: str) -> str:
    return "".join(char if char.isascii() else "%C3%A9" for char in name)


def post(server: GitServer, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
    request = urllib.request.Request(server.url + path, body, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


class TestPush:
    def test_a_new_plan_is_forked_and_run(self, server: GitServer, work: Clone, task: str) -> None:
        start = work.rev()
        mine = work.commit_plan(
            with_number(work.plan(), 3, 50),
            GIT_COMMITTER_DATE="@4102000000 +0000",
            GIT_AUTHOR_DATE="@4102000000 +0000",
        )
        said = work.ok("push", "origin", "HEAD:refs/heads/mine")
        assert (
            f"remote: forked at {work.rev('HEAD~3')[:12]} of main: 2 steps kept, goes on with step 3" in said
        )
        assert (
            f"remote: queued: branch mine of task {task}" in said and f"{server.url}/api/tasks/{task}" in said
        )
        assert server.wait(task)["branch"] == "mine"
        work.ok("fetch")
        assert work.json("origin/mine", "vars/final_answer.json") == 100
        push = work.rev("origin/mine~2")
        assert work.ok("show", "-s", "--format=%P", push).split() == [mine, work.rev("HEAD~3")]
        assert work.rev(f"{mine}~1") == start
        times = [int(line) for line in work.ok("log", "--format=%ct", f"{mine}..origin/mine").split()]
        assert max(times) < time.time() + 60
        assert work.ok("fsck", "--strict", "--full") == ""
        assert replays(server, task, "mine")

    def test_from_an_earlier_commit_nothing_that_was_done_is_done_again(
        self, server: GitServer, work: Clone, task: str
    ) -> None:
        def lines() -> int:
            return len((server.folder / "notes.txt").read_text().splitlines())

        noted = lines()
        work.ok("checkout", "-q", "HEAD~4")
        work.commit_plan(with_number(work.plan(), 3, 50))
        assert "2 steps kept" in work.ok("push", "origin", "HEAD:refs/heads/mine")
        server.wait(task)
        assert lines() == noted
        work.commit_plan(with_number(work.plan(), 1, 8))
        said = work.ok("push", "origin", "HEAD:refs/heads/again")
        assert "0 steps kept" in said and "done behind that already: step 2, note (write)" in said
        server.wait(task)
        assert lines() == noted + 1
        assert replays(server, task, "again")

    def test_warnings_are_told(self, work: Clone) -> None:
        steps = work.plan()["steps"][:3]
        steps += [
            jump(4, condition="a > 100", jump_if_true=6),
            assign(5, y=1),
            assign(6, final_answer="${y}"),
        ]
        work.commit_plan(steps)
        assert "P006 warning at step 6" in work.ok("push", "origin", "HEAD:refs/heads/mine")

    def test_several_branches_in_one_push_each_for_itself(
        self, server: GitServer, work: Clone, task: str
    ) -> None:
        good = work.commit_plan(with_number(work.plan(), 3, 50))
        bad = work.commit_plan(with_number(work.plan(), 3, "${nothing}"))
        said = work.refused(
            "push", "origin", f"{good}:refs/heads/good", f"{bad}:refs/heads/bad", "HEAD:refs/tags/t"
        )
        assert "[new branch]" in said and "P005 error at step 3" in said
        assert "[remote rejected] HEAD -> t (only branches can be pushed)" in said
        assert server.wait(task)["branch"] == "good"
        work.ok("fetch")
        assert work.run("rev-parse", "--verify", "-q", "origin/bad").returncode != 0


class TestRefusedPushes:
    @pytest.fixture(autouse=True)
    def nothing_changes(self, server: GitServer, work: Clone, task: str) -> Iterator[None]:
        self.work, self.start = work, work.rev()
        before = work.ok("ls-remote", "origin")
        row = server.wait(task)
        yield
        assert work.ok("ls-remote", "origin") == before
        assert server.wait(task) == row

    def refused(self, *refs: str) -> str:
        said = self.work.refused("push", "origin", *(refs or ("HEAD:refs/heads/mine",)))
        assert "remote rejected" in said and "Traceback" not in said, said
        return said

    def test_a_plan_with_faults(self) -> None:
        plan = self.work.plan()
        plan["steps"][0]["parameters"]["tool_name"] = "dubble"
        self.work.commit_plan(with_number(plan, 3, "${nothing}"))
        said = self.refused()
        assert "remote: P007 error at step 1" in said and "did you mean double" in said
        assert "remote: P005 error at step 3" in said
        assert "(the plan was rejected: 2 errors)" in said

    @pytest.mark.parametrize(
        "text", ["not JSON", "{}", '{"steps": 3}', "", "```json\n[]\n```", "\x1b[31mred"]
    )
    def test_no_plan_at_all(self, text: str) -> None:
        self.work.commit_plan(text)
        assert "P001 error" in self.refused() and "\x1b[31m" not in self.refused()

    def test_other_files(self) -> None:
        (self.work.folder / "notes.md").write_text("mine")
        self.work.ok("add", "notes.md")
        self.work.commit_plan(with_number(self.work.plan(), 3, 50))
        assert "changes 'notes.md'" in self.refused()
        self.work.ok("reset", "-q", "--hard", self.start)
        (self.work.folder / "state.json").write_text("{}")
        self.work.ok("commit", "-q", "-a", "-m", "cheat")
        assert "changes 'state.json'" in self.refused()
        self.work.ok("reset", "-q", "--hard", self.start)
        self.work.ok("rm", "-q", "plan.json")
        self.work.ok("commit", "-q", "-m", "none")
        assert "has no plan.json" in self.refused()

    def test_a_plan_that_is_a_link_or_can_be_executed(self) -> None:
        (self.work.folder / "plan.json").unlink()
        (self.work.folder / "plan.json").symlink_to("goal.json")
        self.work.ok("commit", "-q", "-a", "-m", "link")
        assert "something else than a plain file" in self.refused()
        self.work.ok("reset", "-q", "--hard", self.start)
        (self.work.folder / "plan.json").chmod(0o755)
        self.work.commit_plan(with_number(self.work.plan(), 3, 50))
        assert "something else than a plain file" in self.refused()

    def test_what_is_there_is_not_moved_and_not_deleted(self) -> None:
        self.work.commit_plan(with_number(self.work.plan(), 3, 50))
        for refs in (["HEAD:main"], ["+HEAD:main"], ["+HEAD~3:main"]):
            assert "a push moves no branch" in self.refused(*refs)
        assert "a push deletes no branch" in self.refused(":main")

    def test_no_tags_and_no_other_refs(self) -> None:
        self.work.commit_plan(with_number(self.work.plan(), 3, 50))
        self.work.ok("tag", "light")
        self.work.ok("tag", "-a", "-m", "heavy", "heavy")
        for ref in (
            "light",
            "heavy",
            "HEAD:refs/notes/x",
            "HEAD:refs/remotes/origin/x",
            "HEAD:refs/stackvm/x",
        ):
            assert "only branches can be pushed" in self.refused(ref)

    def test_a_rewritten_history(self) -> None:
        (self.work.folder / "plan.json").write_text(json.dumps(with_number(self.work.plan(), 3, 50)))
        self.work.ok("commit", "-q", "-a", "--amend", "-m", "mine")
        assert "can't be amended" in self.refused()
        self.work.ok("reset", "-q", "--hard", self.start)
        self.work.ok("rebase", "-q", "--force-rebase", "--root")
        assert "is none of this task's" in self.refused() or "ends with Kind" in self.refused()

    def test_an_unrelated_history_and_a_merge(self) -> None:
        self.work.ok("checkout", "-q", "--orphan", "own")
        self.work.commit_plan(with_number(self.work.plan(), 3, 50))
        assert "is none of this task's" in self.refused()
        self.work.ok("checkout", "-q", "-B", "one", self.start)
        self.work.commit_plan(with_number(self.work.plan(), 3, 50))
        self.work.ok("checkout", "-q", "-B", "two", self.start)
        self.work.ok("commit", "-q", "--allow-empty", "-m", "nothing")
        self.work.ok("merge", "-q", "--no-ff", "-m", "both", "one")
        assert "is a merge" in self.refused()

    def test_another_task_s_history(self, server: GitServer, tmp_path: Path) -> None:
        other = clone(
            server.remote(server.submit([*PLAN[:3], assign(4, final_answer=1)])), tmp_path / "other"
        )
        other.commit_plan(with_number(other.plan(), 3, 50))
        said = other.refused(
            "push", self.work.ok("remote", "get-url", "origin").strip(), "HEAD:refs/heads/mine"
        )
        assert "remote rejected" in said

    def test_nothing_new(self) -> None:
        assert "there is nothing to run" in self.refused("HEAD:refs/heads/mine")
        assert "there is nothing to run" in self.refused("HEAD~2:refs/heads/mine")
        self.work.ok("commit", "-q", "--allow-empty", "-m", "nothing")
        assert "there is nothing to run" in self.refused()

    def test_what_is_too_large(self) -> None:
        text = json.dumps([random.Random(1).random() for _ in range(100_000)])
        self.work.commit_plan(text)
        assert "larger than 1,000,000 bytes" in self.refused()
        self.work.ok("reset", "-q", "--hard", self.start)
        self.work.commit_plan("[" + " " * 30_000_000 + "]")  # small on its way
        assert "larger than 1,000,000 bytes" in self.refused()

    def test_a_hundred_megabytes(self) -> None:
        noise = random.Random(2).randbytes(100 << 20)
        (self.work.folder / "plan.json").write_bytes(noise)
        self.work.ok("-c", "core.compression=0", "commit", "-q", "-a", "-m", "large")
        began = time.monotonic()
        said = self.work.refused("-c", "core.compression=0", "push", "origin", "HEAD:refs/heads/mine")
        assert "larger than 1,000,000 bytes" in said
        assert time.monotonic() - began < 60

    def test_too_many_objects(self) -> None:
        for number in range(20):
            self.work.commit_plan(with_number(self.work.plan(), 3, number))
        assert "at most 50 are taken" in self.refused()

    @pytest.mark.parametrize(
        "name",
        [
            "a..b",
            "-x",
            "a.lock",
            "HEAD",
            "main/x",
            "a//b",
            "x" * 300,
            "a b",
            "a\\b",
            ".x",
            "../../x",
        ],
    )
    def test_tricks_in_names(self, server: GitServer, task: str, name: str) -> None:
        self.work.commit_plan(with_number(self.work.plan(), 3, 50))
        done = self.work.run("push", "origin", f"HEAD:refs/heads/{name}")
        assert done.returncode != 0
        # The client has rules of its own; another may not.
        pack = self.work.run(
            "pack-objects", "--stdout", "--revs", stdin=f"HEAD\n^{self.start}\n".encode()
        ).stdout
        ref = f"refs/heads/{name}".encode()
        line = b"0" * 40 + b" " + self.work.rev().encode() + b" " + ref + b"\0report-status"
        body = b"%04x%s0000" % (len(line) + 4, line) + pack
        status, said = post(server, f"/git/{task}.git/git-receive-pack", body, {})
        assert status == 200 and b"unpack ok" in said and b"ng refs/heads/" in said, said

    @pytest.mark.parametrize("damage", ["cut", "flip", "empty", "short", "bomb"])
    def test_packs_that_are_none(self, server: GitServer, task: str, damage: str) -> None:
        self.work.commit_plan(with_number(self.work.plan(), 3, 50))
        pack = self.work.run(
            "pack-objects", "--stdout", "--revs", stdin=f"HEAD\n^{self.start}\n".encode()
        ).stdout
        pack = {
            "cut": pack[:-30], "flip": pack[:40] + b"x" + pack[41:], "empty": b"", "short": pack[:7],
            "bomb": b"PACK\0\0\0\2\xff\xff\xff\xff" + pack[12:],
        }[damage]  # fmt: skip
        line = b"0" * 40 + b" " + self.work.rev().encode() + b" refs/heads/mine\0report-status"
        body = b"%04x%s0000" % (len(line) + 4, line) + pack
        status, said = post(server, f"/git/{task}.git/git-receive-pack", body, {})
        assert status == 200 and b"ng refs/heads/mine" in said, said

    @pytest.mark.parametrize("body", [b"zzzz", b"0010short", b"0009hello0000", b"fff0" + b"x" * 100])
    def test_commands_that_are_none(self, server: GitServer, task: str, body: bytes) -> None:
        assert post(server, f"/git/{task}.git/git-receive-pack", body, {})[0] == 422


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[GitServer, dict[str, str]]]:
    folder = tmp_path_factory.mktemp("guarded")
    with serving(folder, ADMIN_API_KEY="the-admin-key-0123456789") as server:
        settings = Settings(
            _env_file=None, var_dir=folder / "var", database_uri=f"sqlite:///{folder}/server.db"
        )  # type: ignore[call-arg]
        keys = {"admin": "the-admin-key-0123456789"}
        with workplace(settings) as place:
            create_namespace(place, "ours", ["double", "note"])
            create_namespace(place, "theirs", ["double"])
            for name, role, namespace in (
                ("viewer", "viewer", "ours"), ("operator", "operator", "ours"), ("stranger", "admin", "theirs"),
            ):  # fmt: skip
                keys[name] = create_key(place, name, role, namespace).secret
        yield server, keys


class TestKeys:
    def test_who_may_what(self, guarded: tuple[GitServer, dict[str, str]], tmp_path: Path) -> None:
        server, keys = guarded
        task = server.submit(PLAN, keys["admin"], namespace="ours")
        work = clone(server.remote(task, keys["viewer"]), tmp_path / "work")
        work.commit_plan(with_number(work.plan(), 3, 50))
        said = work.refused("push", "origin", "HEAD:refs/heads/mine")
        assert "403" in said and "remote: this takes the role operator" in said
        for wrong in (None, "wrong", keys["viewer"][:-1] + "x"):
            said = Clone(tmp_path).refused("clone", server.remote(task, wrong), "x")
            assert "Authentication failed" in said or "could not read Username" in said
        said = Clone(tmp_path).refused("clone", server.remote(task, keys["stranger"]), "x")
        assert f"remote: no task '{task}'" in said
        body = b"0011command=fetch0001" + b"0000"
        for path in ("git-upload-pack", "git-receive-pack"):
            assert server.ask(f"/git/{task}.git/{path}", {}, keys["stranger"])[0] == 404
            assert server.ask(f"/git/{task}.git/{path}", {})[0] == 401
        assert server.ask(f"/git/{task}.git/git-receive-pack", {}, keys["viewer"])[0] == 403
        assert post(server, f"/git/{task}.git/git-upload-pack", body, {})[0] == 401
        said = work.ok("push", server.remote(task, keys["operator"]), "HEAD:refs/heads/mine")
        assert "queued" in said
        work.refused("push", server.remote(task, keys["operator"]), "HEAD:refs/heads/mine2", "HEAD:main")
        status, told = server.ask(f"/api/audit?task={task}", None, keys["admin"])
        assert status == 200
        pushes = [each for each in told["items"] if each["action"].startswith("git")]
        assert {(each["actor"], each["action"], each["task_id"]) for each in pushes} == {
            ("operator", "git.push", task)
        }
        outcomes = {each["detail"]["branch"]: each["detail"]["outcome"] for each in pushes}
        assert outcomes == {"mine": "taken", "mine2": "taken", "main": "refused"}
        server.wait(task, key=keys["admin"])
        work.ok("fetch")
        assert work.ok("log", "-1", "--format=%an", "origin/mine~2").strip() == "operator"
        assert all(key not in server.said() for key in keys.values())
