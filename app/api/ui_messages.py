"""A run as the AI SDK's UI message stream, version 1: what its ``useChat`` shows as the answer to a message.

Each step is a step of the message: its tool call with input and output, and a ``data-step`` part. The final answer is
the text, streamed while a model writes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from app.api.streams import News, TaskStream
from app.db.base import TaskRow
from app.history.canonical import canonical
from app.history.repository import Repository
from app.plan.dataflow import FINAL_ANSWER
from app.plan.model import Json
from app.plan.values import to_json_text
from app.services.changes import TaskEvent
from app.services.feeds import Feeds
from app.services.positions import Position

HEADERS: Final = {"x-vercel-ai-ui-message-stream": "v1"}
MAX_VALUE_BYTES: Final = 64 * 1024
"""A longer input or output is left where it is; the part says in which commit."""

_DONE: Final = b"data: [DONE]\n\n"
_ENDED_BADLY: Final = {
    "failed": "the run failed",
    "cancelled": "the run was cancelled",
}


def part(kind: str, **fields: Any) -> bytes:
    """One part of the stream."""
    return f"data: {to_json_text({'type': kind, **fields})}\n\n".encode(errors="replace")


class MessageStream(TaskStream):
    """A task's first message: it ends when nobody runs the task any more."""

    def __init__(self, opened: float, task: TaskRow, position: Position, feeds: Feeds) -> None:
        super().__init__(opened, task.id, position)
        self._task = task
        self._feeds = feeds
        self._row: dict[str, Any] = {}
        self._text = _Text()
        self._begun: set[str] = set()
        self._ends = False

    def begin(self, events: Iterable[TaskEvent], repository: Repository) -> None:
        """What happened before the stream was opened."""
        self.tell(self._start(events, repository))

    def hear(self, news: News) -> None:
        if not self._ends:
            # What ends it is known before anything of it is written down: nothing more is to be heard then.
            self._ends = news.is_at_rest
            self.tell(self._say(news))

    def end(self) -> None:
        self.tell([part("error", errorText="the task was deleted"), part("finish"), _DONE])
        self.is_over = True

    def _start(self, events: Iterable[TaskEvent], repository: Repository) -> Iterator[bytes]:
        yield part("start", messageId=self.task_id, messageMetadata={"task_id": self.task_id})
        yield from self._say_events(events, repository)

    def _say(self, news: News) -> Iterator[bytes]:
        for event in news.events:
            yield from self._say_events([event], self._repository())
        if news.live is not None and not news.is_at_rest:
            yield from self._say_live(news.live)
        if news.is_at_rest:
            yield from self._finish()

    def _repository(self) -> Repository:
        return self._feeds.repository(self._task)

    def _say_events(self, events: Iterable[TaskEvent], repository: Repository) -> Iterator[bytes]:
        for event in events:
            if event.kind == "task":
                self._row = event.data
                yield part("data-task", id="task", data=event.data)
            elif event.kind == "status":
                yield part("data-state", id=f"state:{event.data['branch']}", data=event.data)
            elif event.kind == "commit":
                yield from self._say_commit(event, repository)

    def _say_commit(self, event: TaskEvent, repository: Repository) -> Iterator[bytes]:
        kind = event.data["kind"]
        if event.oid is None:
            return
        tree = repository.commit(event.oid).tree
        if kind in ("plan", "revision"):
            plan = repository.reader.plan(tree) or {}
            yield part("data-plan", id=f"plan:{event.data['branch']}", data={**event.data, "plan": plan})
        elif kind in ("step", "failure"):
            # A part of the text must not be cut by the end of a step.
            framed = not self._text.is_open
            record = repository.reader.record(tree)
            if framed:
                yield part("start-step")
            if record.get("type") == "calling":
                yield from self._say_call(event, record)
            yield part("data-step", id=event.data["commit"], data=event.data)
            if framed:
                yield part("finish-step")

    def _say_call(self, event: TaskEvent, record: dict[str, Any]) -> Iterator[bytes]:
        tool = str(record.get("tool"))
        key = _call_id(event.data["branch"], record.get("seq_no"), record.get("visit"))
        if event.data["kind"] == "failure" or key in self._begun:
            # The same call again after a failure is a part of its own.
            key = f"{key}@{event.data['commit'][:12]}"
        self._begun.add(key)
        inputs = {**record.get("inputs", {}), **record.get("item_inputs", {})}
        commit = event.data["commit"]
        yield part(
            "tool-input-available",
            toolCallId=key,
            toolName=tool,
            input=_short(inputs, commit),
            dynamic=True,
        )
        error = record.get("error")
        if error is not None:
            yield part("tool-output-error", toolCallId=key, errorText=str(error), dynamic=True)
        else:
            output = record.get("values", record.get("value"))
            yield part("tool-output-available", toolCallId=key, output=_short(output, commit), dynamic=True)

    def _say_live(self, live: dict[str, Any]) -> Iterator[bytes]:
        yield part("data-live", data={"branches": live}, transient=True)
        branch = live.get(str(self._row.get("branch")))
        if branch is not None:
            yield from self._text.grow(branch)

    def _finish(self) -> Iterator[bytes]:
        status = str(self._row.get("status"))
        if status == "completed":
            yield from self._text.finish(self._final_answer())
        else:
            yield from self._text.close()
        if status in _ENDED_BADLY:
            yield part("error", errorText=str(self._row.get("error") or _ENDED_BADLY[status]))
        metadata = {"task_id": self.task_id, "status": status}
        yield part("finish", messageMetadata=metadata)
        yield _DONE
        self.is_over = True

    def _final_answer(self) -> Json:
        repository = self._repository()
        commit = repository.commit(repository.head(str(self._row["branch"])))
        return repository.reader.snapshot(commit.tree).variables.get(FINAL_ANSWER)


class _Text:
    """The text of the answer: while a model writes what becomes the final answer, each piece of it."""

    def __init__(self) -> None:
        self._number = 0
        self._said = ""
        self._source: tuple[Any, ...] | None = None
        self.is_open = False

    def grow(self, branch: dict[str, Any]) -> Iterator[bytes]:
        """Say what was written since. What goes under way is the end of a text, so a piece may be missing: then the
        rest comes at the end."""
        text = _answer_text(branch)
        if text is None or not text["chars"]:
            return
        source = text["seq_no"], text["since_ms"]
        if source != self._source:
            yield from self.close()  # the model began anew
            self._source = source
        missing = text["chars"] - len(self._said)
        if 0 < missing <= len(text["text"]):
            yield from self._say(text["text"][-missing:])

    def finish(self, answer: Json) -> Iterator[bytes]:
        """Say what is missing of the answer, or all of it where something else was said."""
        if answer is None:
            yield from self.close()
            return
        whole = answer if isinstance(answer, str) else canonical(answer).decode().rstrip("\n")
        rest = _rest(whole, self._said)
        if rest is None:
            yield from self.close()
            rest = whole
        if rest:
            yield from self._say(rest)
        yield from self.close()

    def _say(self, piece: str) -> Iterator[bytes]:
        if not self.is_open:
            self.is_open = True
            self._number += 1
            yield part("text-start", id=f"text-{self._number}")
        self._said += piece
        yield part("text-delta", id=f"text-{self._number}", delta=piece)

    def close(self) -> Iterator[bytes]:
        """End the text, if one was begun."""
        if self.is_open:
            yield part("text-end", id=f"text-{self._number}")
        self.is_open, self._said, self._source = False, "", None


def _rest(whole: str, said: str) -> str | None:
    """What is missing of a text; ``None`` where something else was said. White space around an answer is cut off
    when it is there as a whole."""
    for begun in (said, said.lstrip()):
        if whole.startswith(begun):
            return whole[len(begun) :]
    return "" if said.strip() == whole.strip() else None


def _answer_text(branch: dict[str, Any]) -> dict[str, Any] | None:
    """The text that a model is writing straight into the final answer."""
    writers = {
        step["seq_no"]
        for step in branch.get("steps", ())
        if step["output_vars"] in (FINAL_ANSWER, [FINAL_ANSWER]) and step["count"] is None
    }
    texts = [text for text in branch.get("texts", ()) if text["seq_no"] in writers]
    return texts[0] if texts else None


def _call_id(branch: str, seq_no: Any, visit: Any) -> str:
    return f"{branch}:{seq_no}:{visit}"


def _short(value: Json, commit: str) -> Json:
    size = len(to_json_text(value).encode(errors="replace"))
    return value if size <= MAX_VALUE_BYTES else {"left_out_bytes": size, "commit": commit}
