"""What is under way in one run, as whoever comes by should see it: gathered from what the machine tells."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from app.history.commits import one_line
from app.plan.model import Calling, Json, Step
from app.vm.events import (
    Event,
    ItemDone,
    ModelRetried,
    PlanChecked,
    PlanningStarted,
    RevisionMade,
    RevisionStarted,
    StepCommitted,
    StepStarted,
    StopRequested,
    TokenSaid,
    ToolSaid,
    UsageGrew,
)

SHOWN_AFTER_MS: Final = 250
"""What takes no longer is not shown: a run of fast steps writes nothing down."""

TEXT_CHARS: Final = 8_000
"""So much of the end of a text is shown while a model writes it."""

_MESSAGE_CHARS: Final = 500
_STEPS: Final = 64
_TEXTS: Final = 8

Mask = Callable[[str], str]


@dataclass(slots=True)
class _Text:
    """What a model is writing. ``since_ms``: when it began, or began anew."""

    seq_no: int | None
    item: int | None
    since_ms: int
    tail: str = ""
    chars: int = 0
    retry: dict[str, Json] | None = None


@dataclass(slots=True)
class _Begun:
    step: Step
    visit: int
    count: int | None
    since_ms: int
    done: int = 0
    message: str | None = None
    fraction: float | None = None


@dataclass(slots=True)
class UnderWay:
    """One run's. Told by the run's threads, read by another. ``branch`` is where the run is by now."""

    task_id: str
    branch: str
    mask: Mask
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _steps: dict[int, _Begun] = field(default_factory=dict)
    _texts: dict[tuple[int | None, int | None], _Text] = field(default_factory=dict)
    _planning: dict[str, Json] | None = None
    _usage: dict[str, Json] | None = None
    _asked: dict[str, Json] | None = None

    def hear(self, event: Event) -> None:
        """Something happened in the run."""
        with self._lock:
            if isinstance(event, TokenSaid):
                self._add(event)
            elif isinstance(event, StepStarted):
                self._steps[event.step.seq_no] = _Begun(event.step, event.visit, event.count, _now_ms())
            elif isinstance(event, StepCommitted):
                self._steps.pop(event.step.seq_no, None)
                if self._texts:
                    self._end_texts(event.step.seq_no)
            elif isinstance(event, ItemDone | ToolSaid):
                self._progress(event)
            else:
                self._hear_rarely(event)

    def _hear_rarely(self, event: Event) -> None:
        if isinstance(event, ModelRetried):
            self._retry(event)
        elif isinstance(event, UsageGrew):
            self._usage = dict(event.usage)
        elif isinstance(event, StopRequested):
            self._asked = {"request": event.request, "who": event.who}
        elif isinstance(event, PlanningStarted | RevisionStarted):
            self._planning = {"model": event.model, "round": 1, "since_ms": _now_ms()}
            self._planning["revises"] = isinstance(event, RevisionStarted)
        elif isinstance(event, PlanChecked):
            self._end_texts(None)
            if event.clean_plan is not None:
                self._planning = None
            elif self._planning is not None:
                self._planning["round"] = event.round + 1
        elif isinstance(event, RevisionMade):
            self.branch = event.branch
            self._planning = None
            self._steps.clear()

    def to_json(self) -> dict[str, Json]:
        """What has been under way for a while; empty where nothing has."""
        with self._lock:
            latest = _now_ms() - SHOWN_AFTER_MS
            steps = [_step_json(begun) for begun in self._steps.values() if begun.since_ms <= latest]
            planning = self._planning
            if planning is not None and int(planning["since_ms"]) > latest:
                planning = None
            if not steps and planning is None:
                return {}
            texts = [_text_json(text) for text in list(self._texts.values())[-_TEXTS:]]
            more = {"planning": planning and dict(planning), "usage": self._usage, "asked": self._asked}
            return {"steps": steps[:_STEPS], "texts": texts, **more}

    def _add(self, event: TokenSaid) -> None:
        text = self._text(event.seq_no, event.item)
        text.tail = (text.tail + event.token)[-TEXT_CHARS:]
        text.chars += len(event.token)
        text.retry = None

    def _text(self, seq_no: int | None, item: int | None) -> _Text:
        key = seq_no, item
        if key not in self._texts:
            self._texts[key] = _Text(seq_no, item, _now_ms())
        return self._texts[key]

    def _retry(self, event: ModelRetried) -> None:
        """What the model said is void."""
        self._texts.pop((event.seq_no, event.item), None)
        self._text(event.seq_no, event.item).retry = {
            "kind": event.kind,
            "message": one_line(self.mask(event.message).encode(errors="replace").decode(), _MESSAGE_CHARS),
            "until_ms": _now_ms() + round(event.wait_seconds * 1000),
        }

    def _end_texts(self, seq_no: int | None) -> None:
        for key in [key for key in self._texts if key[0] == seq_no]:
            del self._texts[key]

    def _progress(self, event: ItemDone | ToolSaid) -> None:
        begun = self._steps.get(event.step.seq_no if isinstance(event, ItemDone) else event.seq_no)
        if begun is None:
            return
        if isinstance(event, ItemDone):
            begun.done = event.done
            # Of a wide `for_each`, texts of items that are done would pile up.
            if len(self._texts) > _STEPS:
                del self._texts[next(iter(self._texts))]
        else:
            begun.message = one_line(
                self.mask(event.message).encode(errors="replace").decode(), _MESSAGE_CHARS
            )
            begun.fraction = event.fraction


def _step_json(begun: _Begun) -> dict[str, Json]:
    step, instruction = begun.step, begun.step.instruction
    return {
        "seq_no": step.seq_no,
        "type": step.type,
        "tool": instruction.tool_name if isinstance(instruction, Calling) else None,
        "description": step.description,
        "visit": begun.visit,
        "since_ms": begun.since_ms,
        "count": begun.count,
        "done": begun.done if begun.count is not None else None,
        "message": begun.message,
        "fraction": begun.fraction,
        "output_vars": step.parameters.get("output_vars"),
    }


def _text_json(text: _Text) -> dict[str, Any]:
    return {
        "seq_no": text.seq_no,
        "item": text.item,
        "since_ms": text.since_ms,
        "text": text.tail.encode(errors="replace").decode(),
        "chars": text.chars,
        "retry": text.retry,
    }


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
