"""``revise``: from a command to a branch that runs only what depends on the change; and what is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from command_line import CommandLine, assign, call, error_lines
from terminal import Terminal

from app.cli.exit_codes import CANCELLED, COMPLETED, REJECTED, USAGE, WAITING

STEPS = [
    assign(who="ann"),
    call("double", "n", number=4),
    call("note", "lines", text="first"),
    call("send", "sent", to="${who}"),
    assign(final_answer="${sent}, ${n}"),
]
PURE = [assign(x=1), call("double", "n", number=4), assign(final_answer="${n}")]
OTHER_NUMBER = ("--step", "2", "--set", "parameters.tool_params.number=5")


@pytest.fixture
def task(cli: CommandLine) -> str:
    return str(cli.execute(*PURE)["task_id"])


@pytest.fixture
def writer(cli: CommandLine) -> str:
    """A task that wrote and sent."""
    return str(cli.execute(*STEPS)["task_id"])


def branches(cli: CommandLine, task: str) -> set[str]:
    return {each["branch"] for each in cli.json("branches", task)}


class TestARevision:
    def test_says_what_it_will_do_and_does_it(self, cli: CommandLine, task: str) -> None:
        result = cli.run("revise", task, *OTHER_NUMBER)
        assert (result.exit_code, result.stdout) == (COMPLETED, "10\n")
        lines = result.stderr.splitlines()
        assert lines[0].startswith("revision of main as revision-1, behind ")
        assert lines[0].endswith("  1 step kept")
        assert lines[1:3] == ["  1 will run", "  > 2 double  will run"]
        assert max(map(len, lines)) <= 80

    def test_for_a_script_is_one_document(self, cli: CommandLine, task: str) -> None:
        plan = cli.plan(assign(x=2), *PURE[1:], name="new.json")
        report = cli.json("revise", task, "--plan", plan)
        assert (report["status"], report["final_answer"], report["branch"]) == ("completed", 8, "revision-1")
        log = {entry["commit"]: entry["kind"] for entry in cli.json("log", task, "--branch", "main")}
        assert log[report["fork_point"]] == "plan" and report["kept"] == 0
        (reused,) = report["reused"]
        assert (reused["seq_no"], reused["tool"], report["ran"]) == (2, "double", [])
        assert reused["from_commit"] in log
        assert cli.json("replay", task)["identical"]

    def test_without_a_run_is_committed_and_resumed_later(self, cli: CommandLine, task: str) -> None:
        document = cli.json("revise", task, *OTHER_NUMBER, "--name", "later", "--no-run")
        assert document["branch"] == "later"
        assert [each["will"] for each in document["foreseen"]] == ["run"]
        assert cli.ok("resume", task) == "10\n"

    def test_from_stdin_with_nothing_taken_again(self, cli: CommandLine, task: str) -> None:
        plan = json.dumps([{"seq_no": n, **step} for n, step in enumerate([assign(x=2), *PURE[1:]])])
        result = cli.run("revise", task, "--plan", "-", "--no-reuse", "--quiet", stdin=plan)
        assert (result.exit_code, result.stdout, result.stderr) == (COMPLETED, "8\n", "")
        (changed,) = cli.json("explain", task)[1]["changed"]
        assert changed == {"part": "reuse", "old": None, "new": False}

    def test_by_a_suggestion_of_one_step(
        self, cli: CommandLine, task: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        steps = [{"seq_no": n, **step} for n, step in enumerate(PURE, 1)]
        steps[1]["parameters"] = {**PURE[1]["parameters"], "tool_params": {"number": 7}}
        reply = json.dumps({"purpose": "revise", "reply": json.dumps(steps)})
        Path("replies.yaml").write_text(f"- {reply}\n")
        monkeypatch.setenv("LLM_PROVIDER", "scripted")
        monkeypatch.setenv("SCRIPTED_REPLIES", "replies.yaml")
        report = cli.json("revise", task, "--suggestion", "take seven", "--step", "2")
        assert report["final_answer"] == 14
        assert [each["seq_no"] for each in report["ran"]] == [2]


class TestWhatWasWritten:
    def test_is_listed_and_has_to_be_acknowledged(self, cli: CommandLine, writer: str) -> None:
        result = cli.run("revise", writer, *OTHER_NUMBER)
        assert result.exit_code == USAGE and branches(cli, writer) == {"main"}
        assert "  ? 4 send  will ask" in result.stderr.splitlines()
        assert "    step 3 note  write" in result.stderr
        assert "error: beyond the fork point" in result.stderr and "hint: --yes" in result.stderr

    def test_runs_again_but_nothing_irreversible_does_unasked(self, cli: CommandLine, writer: str) -> None:
        report = cli.json("revise", writer, *OTHER_NUMBER, "--yes", code=WAITING)
        assert [each["tool"] for each in report["ran"]] == ["double", "note"]
        assert Path("notes.txt").read_text() == "first\nfirst\n"
        again = cli.json(
            "revise", writer, "--step", "2", "--set", "parameters.tool_params.number=6", "--yes", code=WAITING
        )
        assert again["branch"] == "revision-2"
        cli.ok("decide", writer, "--reuse")
        assert cli.ok("resume", writer, "--quiet") == "sent to ann, 12\n"

    @pytest.mark.parametrize(
        ("policy", "code", "answer"),
        [("reuse", COMPLETED, "sent to ann, 10"), ("skip", COMPLETED, "null, 10"), ("ask", WAITING, None)],
    )
    def test_as_the_command_says(
        self, cli: CommandLine, writer: str, policy: str, code: int, answer: str | None
    ) -> None:
        report = cli.json("revise", writer, *OTHER_NUMBER, "--yes", "--irreversible", policy, code=code)
        assert report["final_answer"] == answer

    def test_at_a_terminal_somebody_is_asked(self, cli: CommandLine, writer: str) -> None:
        terminal = Terminal(cli.folder, "revise", writer, *OTHER_NUMBER)
        terminal.read(lambda frame: any("[y/N]" in line for line in frame))
        terminal.type("n\r")
        assert terminal.end() == CANCELLED
        assert branches(cli, writer) == {"main"}


@pytest.fixture
def editor(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An editor that keeps what it was shown in ``shown-N``, and saves ``save-N`` in its place where there is one."""
    script = cli.folder / "editor.py"
    script.write_text(
        "import shutil, sys\nfrom pathlib import Path\n"
        "number = len(list(Path().glob('shown-*')))\n"
        "shutil.copy(sys.argv[-1], f'shown-{number}')\n"
        "saved = Path(f'save-{number}')\n"
        "if saved.exists():\n    Path(sys.argv[-1]).write_text(saved.read_text())\n"
    )
    monkeypatch.setenv("EDITOR", f"{sys.executable} {script}")
    return cli.folder


def edit(cli: CommandLine, task: str) -> tuple[int, str]:
    terminal = Terminal(cli.folder, "revise", task, "--edit", rows=60)
    code = terminal.end()
    return code, "\n".join(terminal.screen.shown())


class TestTheEditor:
    def test_opens_again_with_the_findings_until_the_plan_is_clean(
        self, cli: CommandLine, task: str, editor: Path
    ) -> None:
        steps: list[dict[str, Any]] = [{"seq_no": n, **step} for n, step in enumerate(PURE, 1)]
        (editor / "save-0").write_text(json.dumps(steps).replace("double", "dubble"))
        (editor / "save-1").write_text(
            "// a comment\n" + json.dumps(steps).replace('"number": 4', '"number": 6')
        )
        code, shown = edit(cli, task)
        assert (code, "12" in shown) == (COMPLETED, True), shown
        assert json.loads((editor / "shown-0").read_text())["steps"] == steps
        again = (editor / "shown-1").read_text().splitlines()
        assert again[0].startswith("// ") and "P007" in again[0] and "dubble" in again[-1]

    def test_a_plan_saved_as_it_was_changes_nothing(self, cli: CommandLine, task: str, editor: Path) -> None:
        code, shown = edit(cli, task)
        assert code == USAGE and "error: nothing was changed" in shown
        assert branches(cli, task) == {"main"}

    def test_findings_that_are_saved_as_they_are_end_it(
        self, cli: CommandLine, task: str, editor: Path
    ) -> None:
        (editor / "save-0").write_text("{")
        code, shown = edit(cli, task)
        assert code == REJECTED and "P001" in shown
        assert branches(cli, task) == {"main"} and not (editor / "shown-2").exists()

    def test_texts_with_other_ends_of_lines_stay_whole(self, cli: CommandLine, editor: Path) -> None:
        text = "one\u2028// two\x85// three"
        task = cli.execute(assign(x=text), assign(final_answer="${x}"))["task_id"]
        shown = json.dumps([assign(x=text, y=1), assign(final_answer="${x}")], ensure_ascii=False)
        steps = [{"seq_no": n, **step} for n, step in enumerate(json.loads(shown), 1)]
        (editor / "save-0").write_text(json.dumps(steps, ensure_ascii=False))
        assert edit(cli, task)[0] == COMPLETED
        assert cli.json("resume", task)["final_answer"] == text

    def test_an_editor_that_is_not_there_is_one_error(
        self, cli: CommandLine, task: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("EDITOR", "no-such-editor")
        code, shown = edit(cli, task)
        assert code != COMPLETED and "error: " in shown and "Traceback" not in shown
        assert branches(cli, task) == {"main"}

    def test_without_a_terminal_says_what_else_there_is(self, cli: CommandLine, task: str) -> None:
        result = cli.run("revise", task, "--edit")
        assert result.exit_code == USAGE
        assert error_lines(result)[0] == "error: --edit needs a terminal"


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        ([], USAGE, "exactly one of --plan, --edit, --set, --suggestion"),
        (["--edit", "--suggestion", "x"], USAGE, "exactly one of"),
        (["--set", "x=1"], USAGE, "--set needs --step"),
        (["--step", "1", "--edit"], USAGE, "--step goes with"),
        (["--step", "9", "--set", "parameters.x=1"], USAGE, "no step '9'"),
        (["--step", "2", "--set", "parameters.nix.x=1"], USAGE, "has no parameters.nix"),
        (["--step", "2", "--set", "parameters.tool_params[0]=1"], USAGE, "has no parameters.tool_params"),
        (["--step", "2", "--set", "parameters"], USAGE, "has no ="),
        (["--step", "2", "--set", "=1"], USAGE, "path of --set is empty"),
        (["--step", "2", "--set", "parameters.tool_params.number=one"], USAGE, "no JSON"),
        (["--step", "2", "--set", 'parameters.tool_name="nix"'], REJECTED, "P007"),
        (["--plan", "nix.json"], USAGE, "there is no file"),
        (["--plan", "poem.txt"], REJECTED, "P001"),
        (["--suggestion", " "], USAGE, "the suggestion is empty"),
        (["--suggestion", "x"], USAGE, "no model is configured"),
        (["--branch", "nix", *OTHER_NUMBER], USAGE, "no branch 'nix'"),
        (["--name", "main", *OTHER_NUMBER], USAGE, "there is a branch 'main'"),
        (["--name", "main/x", *OTHER_NUMBER], USAGE, "refs/heads/main"),
        (["--name", "a b", *OTHER_NUMBER], USAGE, "not a branch name"),
        (["--irreversible", "repeat", *OTHER_NUMBER], USAGE, "repeat"),
    ],
)
def test_what_is_wrong_is_one_error_and_leaves_nothing(
    cli: CommandLine, task: str, arguments: list[str], code: int, expected: str
) -> None:
    result = cli.run("revise", task, *arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert "error: " in result.stderr and expected in result.stderr
    assert branches(cli, task) == {"main"}


def test_a_task_without_a_plan_says_that_resume_has_one_written(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("replies.yaml").write_text('- {"purpose": "judge", "reply": "none"}\n')
    monkeypatch.setenv("LLM_PROVIDER", "scripted")
    monkeypatch.setenv("SCRIPTED_REPLIES", "replies.yaml")
    assert cli.run("execute", "--goal", "g").exit_code != COMPLETED
    (task,) = cli.json("tasks")
    for way in (["--plan", cli.plan(*PURE)], list(OTHER_NUMBER), ["--suggestion", "x"]):
        result = cli.run("revise", task["task_id"], *way)
        assert result.exit_code == USAGE, result.output
        assert "has no plan yet" in result.stderr
