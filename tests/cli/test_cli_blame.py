"""``blame``, ``values``, ``bisect``, and ``diff`` of runs: what a person and a script are shown."""

from __future__ import annotations

import json
from typing import Any

import pytest
from command_line import CommandLine, assign, call, error_lines

from app.cli.exit_codes import COMPLETED, FAILED, USAGE


def loop(limit: int = 3, first: int = 0) -> list[dict[str, Any]]:
    return [
        assign(i=first, seen=[], long="x" * 300),
        call("double", "twice", number="${i}"),
        assign(seen="${{ seen + [twice] }}", i="${{ i + 1 }}", long="y" * 300),
        {"type": "jmp", "parameters": {"condition": f"i < {limit}", "jump_if_true": 2}},
        assign(final_answer="${seen}"),
    ]


@pytest.fixture
def task(cli: CommandLine) -> str:
    return str(cli.execute(*loop())["task_id"])


def test_blame_has_a_line_a_variable(cli: CommandLine, task: str) -> None:
    header, *lines = cli.ok("blame", task).splitlines()
    assert header.split() == ["VARIABLE", "COMMIT", "STEP", "FROM", "VALUE"]
    log = {entry["commit"][:8]: entry for entry in cli.json("log", task)}
    cells = [line.split(None, 2) for line in lines]
    assert [name for name, _, _ in cells] == ["final_answer", "i", "long", "seen", "twice"]
    assert [log[commit]["seq_no"] for _, commit, _ in cells] == [5, 3, 3, 3, 2]
    assert lines[0].endswith("5 assign     plan  [0, 2, 4]")
    assert lines[4].endswith("2 double ×3  tool  4")
    assert cli.ok("blame", task, "i").splitlines()[1].split()[2:] == ["3", "assign", "×3", "plan", "3"]


def test_blame_for_a_script_has_whole_values(cli: CommandLine, task: str) -> None:
    document = cli.json("blame", task, "long", "--branch", "main")
    assert document.keys() == {"task_id", "branch", "commit", "variables"}
    (found,) = document["variables"]
    assert found["value"] == "y" * 300
    assert found["origin"] == {"kind": "plan", "tool": None, "models": [], "who": None}
    assert (found["name"], found["seq_no"], found["visit"], found["kind"]) == ("long", 3, 3, "step")


def test_values_are_marked_by_what_became_of_them(cli: CommandLine, task: str) -> None:
    lines = cli.ok("values", task, "long").splitlines()
    assert [line[0] for line in lines] == ["+", "~", "=", "="]
    assert max(map(len, lines)) <= 100
    rows = [line.split(None, 2)[2] for line in cli.ok("values", task, "seen").splitlines()]
    assert [" ".join(row.split()) for row in rows] == [
        "1 assign 0 items []",
        "3 assign 1 item [0]",
        "3 assign ×2 2 items [0, 2]",
        "3 assign ×3 3 items [0, 2, 4]",
    ]
    assert cli.ok("values", task, "seen", "--limit", "1").splitlines()[0].endswith("3 items  [0, 2, 4]")


def test_values_for_a_script_are_one_list(cli: CommandLine, task: str) -> None:
    found = cli.json("values", task, "seen")
    assert [each["value"] for each in found] == [[], [0], [0, 2], [0, 2, 4]]
    assert [each["change"] for each in found] == ["set", "changed", "changed", "changed"]
    odd = {"lines": "a\nb\r\u2028\u0085c", "of": ["\x1b[31m", "\\n"]}
    other = cli.execute(assign(odd=odd), assign(final_answer=1))["task_id"]
    assert [each["value"] for each in cli.json("values", other, "odd")] == [odd]
    assert "\x1b" not in cli.ok("values", other, "odd") + cli.ok("blame", other)


@pytest.mark.parametrize(
    ("expression", "code"), [("len(seen) < 2", COMPLETED), ("i < 9", FAILED), ("i > 9", USAGE)]
)
def test_bisect_tells_a_script_by_its_exit_code(
    cli: CommandLine, task: str, expression: str, code: int
) -> None:
    result = cli.run("bisect", task, expression)
    assert result.exit_code == code
    document = cli.json("bisect", task, expression, code=code)
    if code == USAGE:
        assert "false from the start" in document["error"]["message"]
        assert len(error_lines(result)) == 2
    else:
        assert (document["first_false"] is None) == (code == FAILED)


def test_bisect_shows_where_and_why(cli: CommandLine, task: str) -> None:
    first, at, *rest = cli.ok("bisect", task, "i != 2").splitlines()
    assert first == "✗ it turns false  i != 2"
    assert at.split(None, 2)[2] == "step 3: assign -> i, long, seen (×2)"
    assert [line.split(None, 2)[:2] for line in rest] == [
        ["true", "from"], ["true", "until"], ["because", "i"], ["in", "the"], ["looked", "at"],
    ]  # fmt: skip
    assert rest[2].endswith("i  1 → 2")
    assert rest[3].endswith("true again")
    assert cli.run("bisect", task, "i < 9").stdout.startswith("✓ it never turns false  i < 9\n")


HOSTILE = {
    "an unknown variable": (["blame", "TASK", "sen"], "error: no variable 'sen'"),
    "an unknown variable's values": (["values", "TASK", "sen"], "error: no variable 'sen'"),
    "an unknown variable to bisect": (["bisect", "TASK", "sen == 1"], "error: no variable 'sen'"),
    "a name that no variable can have": (["values", "TASK", "../\x1b[31m"], "error: no variable '../\\x1b[31m'"),
    "an unknown branch": (["blame", "TASK", "--branch", "nowhere"], "error: no revision 'nowhere'"),
    "an expression that is none": (["bisect", "TASK", "i <"], "error: expression 'i <'"),
    "an expression that calls what is not there": (["bisect", "TASK", "exec('x')"], "error: expression"),
    "no values at all": (["values", "TASK", "seen", "--limit", "0"], "error: Invalid value for '--limit'"),
    "a task that is not there": (["diff", "TASK", "main", "ffffffff:main"], "error: no task 'ffffffff'"),
    "a revision of another task that is not there": (["diff", "TASK", "main", "TASK:no"], "error: no revision 'no'"),
    "a task instead of a revision": (["diff", "TASK", "TASK"], "error: no revision"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_not_there_is_one_clear_line(cli: CommandLine, task: str, name: str) -> None:
    words, message = HOSTILE[name]
    words = [word.replace("TASK", task) for word in words]
    result = cli.run(*words)
    assert result.exit_code == USAGE
    error, *hints = error_lines(result)
    assert error.startswith(message)
    assert len(hints) <= 1
    assert cli.json(*words, code=USAGE)["error"]["message"] == error.removeprefix("error: ")


def test_a_task_without_variables_says_so(cli: CommandLine) -> None:
    task = cli.execute(call("boom", "final_answer"), code=FAILED)["task_id"]
    assert cli.ok("blame", task).startswith("no variable is set at ")
    assert cli.json("blame", task)["variables"] == []
    assert cli.run("values", task, "final_answer").exit_code == USAGE


@pytest.fixture
def other(cli: CommandLine) -> str:
    return str(cli.execute(*loop(limit=2))["task_id"])


def test_runs_of_two_tasks_stand_side_by_side(cli: CommandLine, task: str, other: str) -> None:
    text = cli.ok("diff", task, "main", f"{other[:8]}:", "--runs")
    assert f"run     {task[:8]} main  {other[:8]} main" in text
    assert "completed" in text
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "… 6 steps the same" in lines
    start = lines.index("~ 4×2 4×2 jmp: true -> 2 | jmp: false -> 5 output")
    assert lines[start + 1 : start + 3] == ["↑ the first divergence", "answer true → false"]
    assert lines[start + 3] == "- 2×3 double -> twice left only"
    assert "final_answer [0, 2, 4] → [0, 2]" in lines
    assert "\nplan" not in text
    assert max(map(len, text.splitlines())) <= 100


def test_runs_for_a_script(cli: CommandLine, task: str, other: str) -> None:
    document = cli.json("diff", task, "main", f"{other}:main", "--runs")
    assert document.keys() == {
        "from", "to", "left", "right", "shared", "first_divergence", "steps", "variables", "final_answer",
    }  # fmt: skip
    assert document["left"]["task_id"] == task
    assert document["right"] | {"usage": 0} == document["right"] | {
        "task_id": other, "branch": "main", "head": document["to"], "status": "completed", "steps": 8, "usage": 0,
    }  # fmt: skip
    assert document["first_divergence"]["index"] == 6
    assert document["steps"][6]["change"] == "output"
    assert {each["name"] for each in document["variables"]} == {"final_answer", "i", "seen", "twice"}


def test_branches_that_parted_are_compared_as_runs_unasked(cli: CommandLine, task: str) -> None:
    cli.ok("fork", task, "--at", "main~2", "--name", "try")
    assert "\nruns" not in cli.ok("diff", task, "try", "main")
    cli.ok("resume", task, "--branch", "try", "--quiet")
    text = cli.ok("diff", task, "main", "try")
    assert "\nplan  the same" in text
    assert "\nruns" not in text  # it came to the same commits
    other = cli.execute(*loop())["task_id"]
    text = cli.ok("diff", task, "main", f"{other}:main")
    assert "\nplan  the same" in text
    assert "\nsteps  the same" in text
    assert "\nstate  the same" in text
    document = cli.json("diff", task, "main", f"{other}:main")
    assert document["runs"]["first_divergence"] is None
    assert "diff --git a/goal.json" not in document["text"]


def test_a_long_value_is_shown_where_it_differs(cli: CommandLine) -> None:
    rows = [f"row {number}" for number in range(400)]
    tasks = [
        cli.execute(assign(rows=rows, huge=["z" * 20_000, number], final_answer=number))["task_id"]
        for number in (1, 2)
    ]
    other = cli.execute(assign(rows=[*rows[:300], "another", *rows[300:]], huge=0, final_answer=1))["task_id"]
    text = cli.ok("diff", tasks[0], "main", f"{other}:", "--state")
    assert text.count("- …") == text.count("+ …") == 1
    assert '"row 299", "row 300", "row 301"' in text
    assert '"row 299", "another", "row 300"' in text
    text = cli.ok("diff", tasks[0], "main", f"{tasks[1]}:", "--state")
    assert "- 2 items, the same in its first 10,000 characters" in text
    assert json.loads(cli.run("diff", tasks[0], "main", f"{tasks[1]}:", "--json").stdout)["runs"] is not None
