"""``/api/tasks/{id}/events`` and ``/api/events``: what happens, as it happens (Server-Sent Events)."""

from __future__ import annotations

from typing import Any, Final

from apiflask import APIBlueprint
from flask import g, request
from pydantic import BaseModel, ConfigDict, Field

from app.api.descriptions import event_stream, problems
from app.api.event_stream import StreamResponse, opened
from app.api.lookup import the_task
from app.api.state import hub
from app.api.streams import RETRY_MS, ListStream, TaskStream, old_events
from app.errors import InputError
from app.services.changes import find_changes, position_of
from app.services.feeds import list_end, read_list_position
from app.services.positions import Position, read_position

events = APIBlueprint("events", __name__, url_prefix="/api", tag="events")

_HELLO: Final = f"retry: {RETRY_MS}\n\n".encode()
_STREAM: Final = event_stream("events; `id` is what to come back with")


class From(BaseModel):
    """Where to begin."""

    model_config = ConfigDict(extra="forbid")

    last_event_id: str | None = Field(None, description="as the header `Last-Event-ID`, which goes before it")
    since: str | None = Field(None, pattern="^(start|now)$", description="without an id: `start` or `now`")


@events.get("/tasks/<task_id>/events")
@events.input(From, location="query")
@events.doc(
    operation_id="watch_task",
    summary="Watch a task",
    responses={**_STREAM, **problems(404, 409, 422)},
)
def watch_task(task_id: str, query_data: From) -> Any:
    """`commit`, `branch`, `status` and `task` events, each once, in order, and only when it is durable; a
    connection that comes again with the id of its last event goes on behind it, on any server process.
    `live` events have no id: what is under way now, as a whole."""
    streams = hub()
    streams.check_room()
    text = _last_event_id(query_data)
    begin = read_position(text) if text else None
    seen = streams.feeds.read_one(the_task(task_id))
    now = position_of(seen)
    if begin is None:
        begin = now if query_data.since == "now" else Position()
    stream = TaskStream(opened(), seen.row.id, now)
    stream.tell([_HELLO])
    if begin != now:
        repository = streams.feeds.repository(seen.row)
        stream.tell(old_events(find_changes(begin, seen, repository), repository))
    return StreamResponse(streams, stream, seen)


@events.get("/events")
@events.input(From, location="query")
@events.doc(
    operation_id="watch_tasks",
    summary="Watch the list of tasks",
    responses={**_STREAM, **problems(422)},
)
def watch_tasks(query_data: From) -> Any:
    """`tasks` events: the tasks that are new or changed, as the list shows them. `deleted` events: the `task_id` of
    one that is gone. Without an id it begins with what
    changes from now on."""
    streams = hub()
    streams.check_room()
    text = _last_event_id(query_data)
    if not text and query_data.since == "start":
        raise InputError("the list has no start", hint="read GET /api/tasks, then watch from now on")
    namespace = g.actor.namespace
    stream = ListStream(
        opened(), namespace, read_list_position(text) if text else list_end(streams.feeds, namespace)
    )
    stream.tell([_HELLO])
    return StreamResponse(streams, stream)


def _last_event_id(given: From) -> str | None:
    return request.headers.get("Last-Event-ID") or given.last_event_id
