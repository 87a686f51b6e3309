"""What a person sees at a terminal while models plan, judge and write: frame by frame."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from command_line import CommandLine, assign, call
from fake_openai import EVENTS, FakeOpenAI, chunk
from fake_server import Answer
from terminal import Terminal

from app.cli.live import Speech
from app.vm.events import TokenSaid

HOSTILE = "\x1b[2J\x1b]0;pwned\x07\x9b31m\u202e"
PLAN = {
    "version": 1,
    "reasoning": "Read it, then write.",
    "steps": [
        {
            "seq_no": 1,
            "description": "Read" + HOSTILE,
            **call("read_file", {"text": "text"}, path="poem.txt"),
        },
        {"seq_no": 2, **call("llm_generate", "said", prompt="Sing ${text}")},
        {"seq_no": 3, **assign(final_answer="${said}")},
    ],
}
BROKEN = {"version": 1, "steps": [{"seq_no": 1, **assign(final_answer="${missing}")}]}


def streams(server: FakeOpenAI, *pieces: str | threading.Event) -> None:
    """A reply in pieces; an event among them holds it back."""
    parts = [piece if isinstance(piece, threading.Event) else chunk({"content": piece}) for piece in pieces]
    server.put(Answer(pieces=[*parts, chunk({}, "stop"), "data: [DONE]\n\n"], headers=EVENTS))


def seen(*texts: str) -> Any:
    """Whether a frame holds all the texts."""
    return lambda frame: all(any(text in line for line in frame) for text in texts)


@pytest.mark.parametrize("columns", [80, 40])
def test_a_run_is_seen_from_its_first_round_to_its_end(
    cli: CommandLine, server: FakeOpenAI, columns: int
) -> None:
    gates = [threading.Event() for _ in range(3)]
    server.says(json.dumps(BROKEN), usage=(1_000, 50))
    streams(server, json.dumps(PLAN, indent=1)[:300], gates[0], json.dumps(PLAN, indent=1)[300:])
    streams(server, "roses are", gates[1], f" red {HOSTILE}\n" + "and violets blue " * 30, gates[2])
    goal = "Write a song " + "that goes on " * 50 + HOSTILE
    terminal = Terminal(cli.folder, "execute", "--goal", goal, columns=columns)

    terminal.read(seen("planning  round 2", '│     "output_vars"', "1 model call, 1,000 tokens in"))
    frame = terminal.frames[-1]
    assert frame[0].startswith("task ")
    (said_goal,) = [line for line in frame if line.startswith("goal Write a song")]
    assert said_goal.endswith("…")
    assert "! round 1: 1 error" in frame
    assert any("P005" in line for line in frame)

    gates[0].set()
    terminal.read(seen("2 llm_generate", "│ roses are"))
    frame = terminal.frames[-1]
    before = frame.index("✓ plan: 3 steps, round 2")
    assert frame[before + 1].startswith("  1 read_file -> text  Read")
    assert frame[before + 2 : before + 4] == ["  2 llm_generate -> said", "  3 assign -> final_answer"]
    assert frame[before + 4].startswith("✓ 1 read_file -> text")
    assert "planning  round" not in "\n".join(frame[before:])

    gates[1].set()
    terminal.read(seen("│ ", "violets blue and"))
    assert sum("│ " in line for line in terminal.frames[-1]) <= 4

    gates[2].set()
    assert terminal.end() == 0
    assert any(line.startswith("✓ completed") for line in terminal.frames[-1])
    assert not any("│ " in line for line in terminal.frames[-1])


def test_every_frame_fits_and_nothing_that_a_model_says_reaches_the_terminal(
    cli: CommandLine, server: FakeOpenAI
) -> None:
    """The screen refuses whatever is not ours: a control character of the model would end the test."""
    server.says(json.dumps(PLAN, ensure_ascii=False))
    server.says("la la " + HOSTILE)
    terminal = Terminal(cli.folder, "execute", "--goal", f"Sing {HOSTILE}", columns=60)
    assert terminal.end() == 0
    assert b"pwned" in terminal.said
    assert "la la �" in "\n".join(terminal.frames[-1])


def test_a_retry_is_said_and_what_was_streamed_is_void(cli: CommandLine, server: FakeOpenAI) -> None:
    gate = threading.Event()
    streams(server, "rubbish", gate, "\x00")
    server.turns[-1].answer.cut = True
    server.turns[-1].answer.pieces = server.turns[-1].answer.pieces[:2]
    server.refuses(429, "slow down", headers={"retry-after": "3"})
    streams(server, "fine")
    plan = cli.plan(call("llm_generate", "final_answer", prompt="Sing"))
    terminal = Terminal(cli.folder, "execute", "--goal", "g", "--plan", plan)
    terminal.read(seen("│ rubbish"))
    gate.set()
    terminal.read(seen("│ rate limited, again in "))
    assert not seen("rubbish")(terminal.frames[-1])
    assert terminal.end() == 0
    assert "fine" in terminal.frames[-1]


def test_of_texts_side_by_side_one_is_seen_at_a_time(cli: CommandLine, server: FakeOpenAI) -> None:
    gate = threading.Event()
    for letter in "xyz":
        streams(server, f"{letter}{letter}", gate, f" {letter}{letter}")
    step = call("llm_generate", "final_answer", on={"for_each": ["1", "2", "3"]}, prompt="${item}")
    terminal = Terminal(cli.folder, "execute", "--goal", "g", "--plan", cli.plan(step))
    terminal.read(seen("1 llm_generate  0 of 3 items", "│ "))
    (line,) = [line for line in terminal.frames[-1] if "│ " in line]
    assert line.strip() in ("│ xx", "│ yy", "│ zz")
    gate.set()
    assert terminal.end() == 0


def test_of_steps_side_by_side_the_first_is_shown_and_the_others_are_counted(cli: CommandLine) -> None:
    steps = [call("gate", "a"), call("gate", "b"), call("gate", "c"), assign(final_answer="${a} ${b} ${c}")]
    terminal = Terminal(cli.folder, "execute", "--goal", "g", "--plan", cli.plan(*steps))
    terminal.read(seen("1 gate", "2 more under way"))
    (cli.folder / "open").touch()
    assert terminal.end() == 0
    done = [line[:2] for line in terminal.frames[-1] if " gate -> " in line]
    assert done == ["✓ ", "✓ ", "✓ "]
    assert not seen("under way")(terminal.frames[-1])


def test_who_was_heard_first_is_not_talked_over(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("app.cli.live.monotonic", lambda: now[0])
    speech = Speech()
    for item, token in ((0, "one "), (1, "other "), (0, "goes on")):
        speech.hear(TokenSaid(1, item, token), 40)
    assert speech.lines() == ["one goes on"]
    now[0] += 5
    speech.hear(TokenSaid(1, 1, "at last"), 40)
    assert speech.lines() == ["at last"]


@pytest.mark.parametrize("how", ["--quiet", "--json"])
def test_who_wants_silence_gets_it(cli: CommandLine, server: FakeOpenAI, how: str) -> None:
    server.says(json.dumps({"version": 1, "steps": [{"seq_no": 1, **assign(final_answer="done")}]}))
    terminal = Terminal(cli.folder, "execute", "--goal", "g", how)
    assert terminal.end() == 0
    said = terminal.said.decode()
    assert "\x1b" not in said
    assert "planning" not in said
    assert said == "done\r\n" or json.loads(said)["final_answer"] == "done"


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_terminal_without_colours_gets_none(
    cli: CommandLine, server: FakeOpenAI, env: dict[str, str]
) -> None:
    server.says(json.dumps(PLAN))
    server.says("la la")
    terminal = Terminal(cli.folder, "execute", "--goal", "g", **env)
    assert terminal.end() == 0
    assert b"\x1b[3" not in terminal.said
    assert ("TERM" in env) == (b"\x1b" not in terminal.said)
    assert seen("✓ plan: 3 steps, round 1", "✓ completed")(terminal.frames[-1])


def test_a_pipe_gets_plain_lines(cli: CommandLine, server: FakeOpenAI) -> None:
    server.says(json.dumps(BROKEN))
    server.refuses(429, "slow down", headers={"retry-after": "1"})
    server.says(json.dumps(PLAN, ensure_ascii=False))
    server.says("la la")
    result = cli.run("execute", "--goal", "g")
    assert result.exit_code == 0
    lines = result.stderr.splitlines()
    assert lines[1] == "planning  m"
    assert "! round 1: 1 error" in lines
    assert any(line.startswith("  planning rate limited, again in 1 s: ") for line in lines)
    assert "✓ plan: 3 steps, round 2" in lines
    assert "  2 llm_generate -> said" in lines
    assert "\x1b" not in result.stderr
    assert "pwned" in result.stderr


def test_a_long_plan_is_shown_by_its_beginning(cli: CommandLine, server: FakeOpenAI) -> None:
    steps = [{"seq_no": number, **assign(a=number)} for number in range(1, 60)]
    server.says(json.dumps({"version": 1, "steps": [*steps, {"seq_no": 60, **assign(final_answer="${a}")}]}))
    lines = cli.run("plan", "--goal", "g").stderr.splitlines()
    assert lines[:2] == ["planning  m", "✓ plan: 60 steps, round 1"]
    assert lines[-2:] == ["  40 assign -> a", "  … 20 more steps"]
