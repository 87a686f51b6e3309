"""``/api/stream_execute_vm``: submits a goal, and streams its run as the AI SDK's ``useChat`` reads it."""

from __future__ import annotations

import json
from typing import Any, Final

from apiflask import APIBlueprint
from pydantic import BaseModel, ConfigDict, Field

from app.api.auditing import note_submission
from app.api.descriptions import event_stream, problems
from app.api.event_stream import StreamResponse, opened
from app.api.state import hub, place, server
from app.api.ui_messages import HEADERS, MessageStream
from app.errors import InputError
from app.plan.model import Json
from app.services.changes import find_changes, position_of
from app.services.positions import Position
from app.services.submissions import Submission, submit_goal
from app.services.tasks import NewTask

chat = APIBlueprint("chat", __name__, url_prefix="/api", tag="events")

_STREAM: Final = event_stream("a UI message stream, version 1")


class MessagePart(BaseModel):
    """A part of a message; those that are no text say nothing here."""

    model_config = ConfigDict(extra="ignore")

    type: str
    text: str | None = Field(None, max_length=100_000)


class ChatMessage(BaseModel):
    """A message as the AI SDK has it."""

    model_config = ConfigDict(extra="ignore")

    role: str
    parts: list[MessagePart] = Field(default_factory=list, max_length=10_000)


class StreamExecute(BaseModel):
    """What `useChat` sends, or just a goal. Other fields are passed over: the SDK adds some."""

    model_config = ConfigDict(extra="ignore")

    goal: str | None = Field(None, min_length=1, max_length=100_000, description="instead of `messages`")
    messages: list[ChatMessage] = Field(
        default_factory=list,
        max_length=10_000,
        description="the text of the last one by the user is the goal",
    )
    plan: Json = Field(None, description="a plan document; without it a model writes the plan")
    namespace: str | None = Field(None, max_length=240)
    response_format: dict[str, Any] | None = None
    max_steps: int | None = Field(None, ge=1)
    parallel: int | None = Field(None, ge=1, le=256)


@chat.post("/stream_execute_vm")
@chat.input(StreamExecute, location="json")
@chat.doc(
    operation_id="stream_execute",
    summary="Submit a goal, and stream its run to `useChat` of the AI SDK",
    responses={**_STREAM, **problems(404, 413, 415, 422)},
)
def stream_execute(json_data: StreamExecute) -> Any:
    """The run goes on when the client goes away. `messageMetadata` has the task's id."""
    parts, workplace = server(), place()
    workplace.actor.require("operator")
    hub().check_room()
    plan = None if json_data.plan is None else json.dumps(json_data.plan)
    new = NewTask(
        _goal(json_data),
        plan,
        json_data.namespace,
        json_data.response_format,
        max_steps=json_data.max_steps,
    )
    wanted = Submission(new, parallel=json_data.parallel)
    row = submit_goal(workplace, parts.queue, wanted, on_kept=note_submission)
    feeds = hub().feeds
    seen = feeds.read_one(row)
    stream = MessageStream(opened(), row, position_of(seen), feeds)
    repository = feeds.repository(row)
    stream.begin(find_changes(Position(), seen, repository).events(repository), repository)
    return StreamResponse(hub(), stream, seen, {**HEADERS, "Location": f"/api/tasks/{row.id}"})


def _goal(given: StreamExecute) -> str:
    if given.goal is not None:
        return given.goal
    for message in reversed(given.messages):
        if message.role == "user":
            return "\n".join(part.text for part in message.parts if part.type == "text" and part.text)
    raise InputError("there is no goal", hint="send goal, or messages with one by the user")
