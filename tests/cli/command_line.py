"""Drives the command line for tests: in this process, or as processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from app.cli import stackvm

PROJECT = Path(__file__).parent.parent.parent

TOOLS = '''
import os
import time
from pathlib import Path

from . import NotPerformed, ToolContext, tool


@tool(effect="pure")
def double(number: int) -> int:
    """Twice the number."""
    return 2 * number


@tool(effect="read")
def boom(message: str = "no luck") -> str:
    """Raise."""
    raise RuntimeError(message)


@tool(effect="read")
def nap(seconds: float, context: ToolContext) -> str:
    """Sleep."""
    context.progress("sleeping", 0.5)
    context.cancellation.wait(seconds)
    return "rested"


@tool(effect="read")
def gate(context: ToolContext) -> str:
    """Wait until there is a file called open."""
    while not Path("open").exists():
        context.cancellation.raise_if_requested()
        context.cancellation.wait(0.02)
    return "passed"


@tool(effect="read")
def crowd(item: int) -> int:
    """Say how many are here at once."""
    here = Path(f"here-{item}")
    here.touch()
    time.sleep(0.1)
    count = len(list(Path().glob("here-*")))
    here.unlink()
    return count


@tool(effect="read", timeout=0.1)
def hang() -> str:
    """Overrun."""
    time.sleep(2)
    return "late"


@tool(effect="read")
def odd(kind: str):
    """Give what JSON can't hold, or what is too large."""
    return {
        "nan": float("nan"),
        "bytes": b"abc",
        "surrogate": "\\ud800",
        "huge": "x" if kind != "huge" else "x" * 100_000_000,
    }[kind]


@tool(effect="write")
def note(text: str) -> int:
    """Append a line to notes.txt; gives the number of lines."""
    with Path("notes.txt").open("a") as file:
        file.write(text + "\\n")
    return len(Path("notes.txt").read_text().splitlines())


@tool(effect="irreversible")
def send(to: str) -> str:
    """Send, unless the line is broken."""
    if Path("broken").exists():
        raise RuntimeError("the line broke")
    return f"sent to {to}"


@tool(effect="read")
def chatter(context: ToolContext) -> str:
    """Print in every way there is."""
    print("printed")
    os.write(1, b"written\\n")
    os.system("echo from a child")
    return "quiet"


@tool(effect="read")
def snippet() -> str:
    """Text with what would upset a terminal."""
    return "a\\x1b[31mb\\nc\\td"
'''


class CommandLine:
    """Runs commands in ``folder``, in this process or as processes of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = folder / "var" / "stackvm.db"

    def run(self, *arguments: str, stdin: str | bytes | None = None) -> Result:
        """One command, in this process. Whatever goes wrong, nobody sees a traceback."""
        result = CliRunner().invoke(stackvm, list(arguments), input=stdin, prog_name="stackvm")
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert "Traceback" not in result.output
        return result

    def ok(self, *arguments: str) -> str:
        """What a command that has to work writes to stdout."""
        result = self.run(*arguments)
        assert result.exit_code == 0, result.output
        return result.stdout

    def json(self, *arguments: str, code: int = 0) -> Any:
        """The one document that a command writes with ``--json``, and nothing else anywhere."""
        result = self.run(*arguments, "--json")
        assert result.exit_code == code, result.output
        assert result.stderr == ""
        return json.loads(result.stdout)

    def plan(self, *steps: dict[str, Any], name: str = "plan.json") -> str:
        """The name of a file with a plan of these steps, numbered from 1."""
        numbered = [{"seq_no": number, **step} for number, step in enumerate(steps, 1)]
        (self.folder / name).write_text(json.dumps(numbered))
        return name

    def execute(self, *steps: dict[str, Any], options: Sequence[str] = (), code: int = 0) -> dict[str, Any]:
        """The report of a run of these steps."""
        report = self.json("execute", "--goal", "test", "--plan", self.plan(*steps), *options, code=code)
        assert isinstance(report, dict)
        return report

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
        """A command as a process."""
        environment = {**os.environ, **options.pop("env", {})}
        return subprocess.Popen(
            [sys.executable, "-c", "from app.cli import main; main()", *arguments],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **options,
        )

    def process(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
        """A command as a process, to its end."""
        started = self.start(*arguments, **options)
        out, err = started.communicate(timeout=60)
        assert b"Traceback" not in err, err.decode()
        return subprocess.CompletedProcess(arguments, started.returncode, out, err)


def assign(**values: Any) -> dict[str, Any]:
    return {"type": "assign", "parameters": values}


def call(
    tool: str, outputs: Any = None, *, on: dict[str, Any] | None = None, **params: Any
) -> dict[str, Any]:
    parameters: dict[str, Any] = {"tool_name": tool, "tool_params": params, **(on or {})}
    if outputs is not None:
        parameters["output_vars"] = outputs
    return {"type": "calling", "parameters": parameters}


def error_lines(result: Result) -> list[str]:
    """What stderr has to say; stdout says nothing."""
    assert result.stdout == ""
    return result.stderr.splitlines()
