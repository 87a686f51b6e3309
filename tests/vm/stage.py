"""A stage for calls: each says when it begins and ends, and may wait for what others do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from rig import call

from app.tools import Tool, tool
from app.vm.events import Event, StepCommitted

PATIENCE = 5.0


class Stage:
    """``log`` is what happened, in order: ``begin NAME``, ``end NAME``, ``commit SEQ_NO``.

    ``before`` is what else a call does as it begins.
    """

    def __init__(self) -> None:
        self.log: list[str] = []
        self.threads: dict[str, threading.Thread] = {}
        self.before: dict[str, Callable[[], object]] = {}
        self.most = self._on_stage = 0
        self._changed = threading.Condition()

    def tools(self) -> list[Tool]:
        """``look`` (read), ``mix`` (pure), ``put`` (write), ``pay`` (irreversible): each gives its ``gives``."""

        def act(name: str, until: Any = None, gives: Any = None, after: Any = None, fails: str = "") -> Any:
            """Begin, wait until all that is named has happened, end."""
            self._begin(name)
            try:
                for line in until or []:
                    self.wait_for(line)
                if fails:
                    raise ValueError(fails)
                return name if gives is None else gives
            finally:
                self._end(name)

        names = {"look": "read", "mix": "pure", "put": "write", "pay": "irreversible"}
        return [tool(name=name, effect=effect, version="1")(act) for name, effect in names.items()]

    def note(self, line: str) -> None:
        """Add a line to the log."""
        with self._changed:
            self.log.append(line)
            self._changed.notify_all()

    def wait_for(self, line: str, patience: float = PATIENCE) -> None:
        """Until it has happened. Raises ``TimeoutError``."""
        with self._changed:
            if not self._changed.wait_for(lambda: line in self.log, patience):
                raise TimeoutError(f"{line!r} did not happen: {self.log}")

    def listen(self, event: Event) -> None:
        """For the machine's events."""
        if isinstance(event, StepCommitted):
            self.note(f"commit {event.step.seq_no}")

    def in_order(self, *lines: str) -> bool:
        """Whether all happened, in this order."""
        found = [line for line in self.log if line in lines]
        return found == list(lines)

    def calls(self) -> list[str]:
        """The names of all calls, in the order they began."""
        return [line.removeprefix("begin ") for line in self.log if line.startswith("begin ")]

    def _begin(self, name: str) -> None:
        with self._changed:
            self._on_stage += 1
            self.most = max(self.most, self._on_stage)
        self.threads[name] = threading.current_thread()
        self.note(f"begin {name}")
        self.before.get(name, lambda: None)()

    def _end(self, name: str) -> None:
        with self._changed:
            self._on_stage -= 1
        self.note(f"end {name}")


class _Thought:
    calls = ()

    def __init__(self, value: Any) -> None:
        self.value = value


class Models:
    """A thinker whose texts take as long as the stage says."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    def generate(self, prompt: str, context: Any, *rest: Any) -> _Thought:
        self.stage.note(f"begin {prompt}")
        for line in context or []:
            self.stage.wait_for(line)
        self.stage.note(f"end {prompt}")
        return _Thought(f"text of {prompt}")

    def judge(self, prompt: str, context: Any) -> _Thought:
        raise AssertionError("nothing is judged here")


def act(seq_no: int, tool_name: str, name: str, until: Sequence[str] = (), **more: Any) -> dict[str, Any]:
    """A step that calls a tool of the stage; what it gives becomes the variable ``name``."""
    params = {"name": name, "until": list(until)}
    for word in ("gives", "after", "fails"):
        if word in more:
            params[word] = more.pop(word)
    return call(seq_no, tool_name, more.pop("output_vars", name), params, **more)
