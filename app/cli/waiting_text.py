"""What a run waits for, for the person who has to decide."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from app.cli.options import command_line
from app.cli.screen import NAME, QUIET, WARN, Line
from app.cli.texts import preview, short_task
from app.vm.decisions import Waiting

_INPUT_CHARACTERS: Final = 500
_VALUES: Final = {"skip": " JSON"}


def waiting_lines(waiting: Waiting, task_id: str, branch: str | None = None) -> Iterator[Line]:
    """Which call waits, why, its inputs, and the command of each choice. ``branch`` where it has to be named."""
    place = waiting.place
    item = f", item {place.item}" if place.item is not None else ""
    yield [("waiting", WARN), f" at step {place.seq_no}{item}: ", (waiting.tool, NAME)]
    yield [f"  {waiting.reason}"]
    yield [("  inputs  ", QUIET), preview(dict(waiting.inputs), _INPUT_CHARACTERS)]
    yield [("  key     ", QUIET), waiting.idempotency_key, (f"  attempt {waiting.attempt}", QUIET)]
    words = [short_task(task_id), *(["--branch", branch] if branch is not None else [])]
    yield ["decide with one of"]
    commands = {
        choice.name: command_line("decide", *words, f"--{choice.name}{_VALUES.get(choice.name, '')}")
        for choice in waiting.choices
    }
    wide = max(map(len, commands.values()), default=0)
    for choice in waiting.choices:
        yield [f"  {commands[choice.name]:<{wide}}", (f"  {choice.does}", QUIET)]
    yield [f"then `{command_line('resume', *words)}` goes on"]
