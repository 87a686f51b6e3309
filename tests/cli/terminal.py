"""A terminal of a given size for a command: what a person would see on it, moment by moment."""

from __future__ import annotations

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from app.cli.screen import cells

_PIECE = re.compile(
    r"\x1b\[([?0-9;]*)([A-Za-z])|(\r\n|[\r\n\t])|(\x1b|[\x00-\x1f\x7f-\x9f])|([^\x00-\x1f\x7f-\x9f]+)"
)
_HARMLESS = {("?25", "l"), ("?25", "h")}
"""Hiding and showing the cursor."""


class Screen:
    """Rows of cells. Knows what our display writes; whatever else a terminal obeys is an error."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns = columns
        self.rows = rows
        self.lines: list[str] = [""]
        self.row = self.column = 0

    def feed(self, text: str) -> None:
        for match in _PIECE.finditer(text):
            number, command, control, unknown, printed = match.groups()
            if unknown:
                raise AssertionError(f"a control character came through: {unknown!r} in {text!r}")
            if printed:
                self._print(printed)
            elif control:
                self._move(control)
            else:
                self._obey(number, command)

    def shown(self) -> list[str]:
        """The rows that fit, without the spaces at their ends and the empty ones below."""
        lines = [line.rstrip() for line in self.lines[-self.rows :]]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    def _print(self, text: str) -> None:
        for char in text:
            if cells(self.lines[self.row][: self.column]) + cells(char) > self.columns:
                self._move("\r\n")
            line = self.lines[self.row].ljust(self.column)
            self.lines[self.row] = line[: self.column] + char + line[self.column + 1 :]
            self.column += 1

    def _move(self, control: str) -> None:
        if "\r" in control:
            self.column = 0
        if "\n" in control:
            self.row += 1
            if self.row == len(self.lines):
                self.lines.append("")

    def _obey(self, number: str, command: str) -> None:
        if command == "A":
            self.row = max(0, self.row - int(number or 1))
        elif (number, command) == ("2", "K"):
            self.lines[self.row] = ""
        elif command != "m" and (number, command) not in _HARMLESS:
            raise AssertionError(f"an escape sequence came through: {number}{command}")


class Terminal:
    """Runs a command on a pseudo-terminal, and keeps a frame whenever it pauses."""

    def __init__(self, folder: Path, *arguments: str, columns: int = 80, rows: int = 24, **env: str) -> None:
        self.screen = Screen(columns, rows)
        self.frames: list[list[str]] = []
        self.said = b""
        self._ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from app.cli import main; main()", *arguments],
            cwd=folder,
            env={**_without_size(os.environ), "TERM": "xterm-256color", **env},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)

    def read(self, until: Callable[[list[str]], bool] | None = None, seconds: float = 30) -> None:
        """Watch until a frame is as wanted, or else until the command ends."""
        deadline = time.monotonic() + seconds
        while True:
            assert time.monotonic() < deadline, self.screen.shown()
            if not select.select([self._ours], [], [], 0.02)[0]:
                if self._keep_frame() and until is not None and until(self.frames[-1]):
                    return
                continue
            try:
                chunk = os.read(self._ours, 65_536)
            except OSError:  # the other end is closed: that is how a terminal says so
                chunk = b""
            if not chunk:
                self._keep_frame()
                assert until is None, self.frames[-1]
                return
            self.said += chunk
            self.screen.feed(chunk.decode(errors="replace"))

    def _keep_frame(self) -> bool:
        frame = self.screen.shown()
        if self.frames and self.frames[-1] == frame:
            return False
        self.frames.append(frame)
        return True

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def press_control_c(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def end(self, seconds: float = 30) -> int:
        """Watch to the end; the exit code."""
        self.read(seconds=seconds)
        os.close(self._ours)
        return self.process.wait(seconds)


def _without_size(environment: Mapping[str, str]) -> dict[str, str]:
    """What says how large another terminal is."""
    return {name: value for name, value in environment.items() if name not in ("COLUMNS", "LINES")}
