"""Streams of an application in this process, whose threads wait for them; `test_served_streams.py` has gunicorn's."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from served import read_events

sys.path.insert(0, str(Path(__file__).parent.parent / "services"))

from place import make_workplace

from app.api.application import make_application
from app.api.connections import ThreadConnection
from app.api.hub import Hub
from app.api.state import Server
from app.api.streams import TaskStream, Watched
from app.config import Settings
from app.db.base import TaskRow
from app.db.feed import LiveRow, SqlFeed
from app.db.jobs import SqlJobs
from app.db.requests_table import SqlAudit, SqlRequests
from app.errors import StorageError
from app.queue.embedded import EmbeddedQueue
from app.services.changes import position_of
from app.services.deletion import delete_task
from app.services.feeds import Feeds
from app.services.keys import create_key
from app.services.namespaces import create_namespace
from app.services.runs import RunOptions, run_branch
from app.services.tasks import NewTask, submit_task
from app.vm.interrupts import Interrupts

MOST = 20


class Here:
    """The application, and ways to make runs by hand."""

    def __init__(self, folder: Path) -> None:
        self.place, self.database = make_workplace(folder)
        self.feed = SqlFeed(self.database)
        self.hub = Hub(Feeds(self.place, self.feed), most=MOST)
        settings = Settings(_env_file=None, var_dir=folder / "var", tools_root=folder)  # type: ignore[call-arg]
        jobs = SqlJobs(self.database)
        self.app: APIFlask = make_application(
            Server(
                settings,
                self.place,
                jobs,
                SqlRequests(self.database),
                SqlAudit(self.database),
                EmbeddedQueue(jobs),
                self.hub,
            )
        )
        self.client: FlaskClient = self.app.test_client()

    def submit(self, **more: Any) -> TaskRow:
        steps = [{"seq_no": 1, "type": "assign", "parameters": {"final_answer": "done"}}]
        return submit_task(self.place, NewTask("a goal", json.dumps({"steps": steps}), **more))

    def run(self, task: TaskRow) -> None:
        run_branch(self.place, task, "main", RunOptions(Interrupts()))

    def events(self, path: str, **options: Any) -> Iterator[dict[str, Any]]:
        """The events of a stream as they come."""
        response = self.client.get(path, **options)
        assert response.status_code == 200, response.text
        assert response.mimetype == "text/event-stream"
        return read_events(line for chunk in response.iter_encoded() for line in chunk.decode().split("\n"))

    def key(self, namespace: str | None = None, role: str = "viewer") -> dict[str, str]:
        """The header of a new key."""
        return {"Authorization": f"Bearer {create_key(self.place, 'k', role, namespace).secret}"}


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Here]:
    opened = Here(tmp_path)
    yield opened
    opened.hub.stop()
    opened.database.close()


def take(events: Iterator[dict[str, Any]], until: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    """The events up to the first that fits."""
    taken = []
    for event in events:
        taken.append(event)
        if until(event):
            return taken
    raise AssertionError(f"the stream ended: {taken}")


def is_live(event: dict[str, Any]) -> bool:
    return event["event"] == "live"


def test_a_stream_tells_what_was_what_is_under_way_and_what_follows(here: Here) -> None:
    task = here.submit()
    here.feed.put_live([LiveRow(task.id, "main", '{"steps": []}')])
    events = here.events(f"/api/tasks/{task.id[:8]}/events")
    first = take(events, is_live)
    assert [event["event"] for event in first] == ["task", "branch", "commit", "commit", "status", "live"]
    assert first[-1]["data"] == {"branches": {"main": {"steps": []}}} and "id" not in first[-1]
    here.run(task)
    here.feed.put_live([], [(task.id, "main")])
    news = take(events, lambda event: event["event"] == "live" and not event["data"]["branches"])
    assert [event["data"].get("subject") for event in news if event["event"] == "commit"] == [
        "step 1: assign -> final_answer"
    ]
    [*_, status] = [event["data"]["status"] for event in news if event["event"] == "status"]
    assert status == "completed"


@pytest.mark.parametrize("how", ["header", "query"])
def test_with_the_id_of_its_last_event_a_client_misses_and_repeats_nothing(here: Here, how: str) -> None:
    task = here.submit()
    here.run(task)
    whole = take(here.events(f"/api/tasks/{task.id}/events"), is_live)[:-1]
    for number, event in enumerate(whole, 1):
        path = f"/api/tasks/{task.id}/events"
        if how == "query":
            rest = here.events(f"{path}?last_event_id={event['id']}")
        else:
            rest = here.events(path, headers={"Last-Event-ID": event["id"]})
        assert take(rest, is_live)[:-1] == whole[number:]


def test_what_happens_while_a_client_comes_is_told_once(here: Here) -> None:
    task = here.submit()
    feeds = here.hub.feeds

    def client() -> TaskStream:
        stream = TaskStream(0.0, task.id, position_of(feeds.read_one(task)))
        stream.connection = ThreadConnection()
        return stream

    early = client()
    watched = Watched(task.id, feeds.read_one(task))
    here.run(task)
    late = client()
    watched.newcomers += [early, late]
    for _ in range(3):
        watched.look(feeds, feeds.read_one(task), {})
    assert watched.streams == {early, late}
    told = []
    for stream in (early, late):
        stream.pump()
        stream.connection.close()
        assert isinstance(stream.connection, ThreadConnection)
        told.append(b"".join(stream.connection.chunks()).count(b"event: commit"))
    assert told == [1, 0]


def test_who_wants_only_news_gets_only_news(here: Here) -> None:
    task = here.submit()
    events = here.events(f"/api/tasks/{task.id}/events?since=now")
    assert take(events, is_live)[:-1] == []
    here.run(task)
    assert take(events, lambda event: event["event"] == "commit")


def test_the_stream_of_a_deleted_task_ends(here: Here) -> None:
    task = here.submit()
    events = here.events(f"/api/tasks/{task.id}/events")
    take(events, is_live)
    assert here.client.delete(f"/api/tasks/{task.id}").status_code == 204
    assert [event["event"] for event in events] == ["deleted"]
    assert here.client.get(f"/api/tasks/{task.id}/events").status_code == 404


def test_the_list_is_watched(here: Here) -> None:
    old = here.submit()
    events = here.events("/api/events")
    time.sleep(0.3)
    new = here.submit()
    [event] = take(events, lambda event: True)
    assert [task["task_id"] for task in event["data"]["tasks"]] == [new.id]
    here.run(old)
    again = here.events("/api/events", headers={"Last-Event-ID": event["id"]})
    [event] = take(again, lambda event: True)
    assert [(task["task_id"], task["status"]) for task in event["data"]["tasks"]] == [(old.id, "completed")]
    assert here.client.delete(f"/api/tasks/{old.id}").status_code == 204
    [event] = take(again, lambda event: True)
    assert (event["event"], event["data"]) == ("deleted", {"task_id": old.id})
    after = here.events("/api/events", headers={"Last-Event-ID": event["id"]})
    assert here.client.delete(f"/api/tasks/{new.id}").status_code == 204
    [event] = take(after, lambda event: True)
    assert (event["event"], event["data"]) == ("deleted", {"task_id": new.id})


def test_a_key_for_a_namespace_sees_nothing_else(here: Here) -> None:
    create_namespace(here.place, "ours", ["*"], "")
    create_namespace(here.place, "theirs", ["*"], "")
    ours, theirs = here.submit(namespace="ours"), here.submit(namespace="theirs")
    key = here.key("ours")
    assert here.client.get(f"/api/tasks/{theirs.id}/events", headers=key).status_code == 404
    assert take(here.events(f"/api/tasks/{ours.id}/events", headers=key), is_live)
    events = here.events("/api/events", headers=key)
    time.sleep(0.3)
    here.run(theirs)
    here.run(ours)
    [event] = take(events, lambda event: True)
    assert {task["task_id"] for task in event["data"]["tasks"]} == {ours.id}
    delete_task(here.place, theirs)
    delete_task(here.place, here.submit(namespace="ours"))
    told = take(events, lambda event: event["event"] == "deleted")
    assert theirs.id not in str(told)
    assert here.client.get("/metrics", headers=key).status_code == 403
    assert here.client.get("/metrics", headers=here.key()).status_code == 200
    for path in (f"/api/tasks/{ours.id}/events", "/api/events", "/metrics"):
        assert here.client.get(path).status_code == 401
    answer = here.client.post("/api/stream_execute_vm", json={"goal": "x"}, headers=key)
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/api/tasks/{}/events", {"Last-Event-ID": "nonsense"}, 422),
        ("/api/tasks/{}/events?last_event_id=e30", {}, 422),
        ("/api/tasks/{}/events?since=yesterday", {}, 422),
        ("/api/tasks/{}/events?other=1", {}, 422),
        ("/api/events", {"Last-Event-ID": "\u00e9"}, 422),
        ("/api/events?since=start", {}, 422),
        ("/api/tasks/nobody/events", {}, 404),
        ("/api/tasks/{}/events", {"Last-Event-ID": ""}, 200),
    ],
)
def test_wrong_requests_are_problems(here: Here, path: str, headers: dict[str, str], status: int) -> None:
    answer = here.client.get(path.format(here.submit().id), headers=headers)
    assert answer.status_code == status
    assert answer.mimetype == ("application/problem+json" if status != 200 else "text/event-stream")


def test_there_is_a_limit_of_streams(here: Here) -> None:
    task = here.submit()
    opened = [here.events(f"/api/tasks/{task.id}/events?since=now") for _ in range(MOST)]
    for each in opened:
        take(each, is_live)
    answer = here.client.get("/api/events")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "5")
    assert answer.json is not None and answer.json["code"] == "too-many-streams"


def test_whoever_only_asks_for_the_head_gets_it(here: Here) -> None:
    answer = here.client.head(f"/api/tasks/{here.submit().id}/events")
    assert (answer.status_code, answer.mimetype, here.hub.count) == (200, "text/event-stream", 0)


def test_nothing_is_asked_while_nobody_watches(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    task = here.submit()
    take(here.events(f"/api/tasks/{task.id}/events"), is_live)
    asked: list[object] = []
    monkeypatch.setattr(here.hub.feeds, "read", lambda ids: asked.append(ids) or {})
    here.hub.stop()
    asked.clear()
    idle = Hub(here.hub.feeds)
    time.sleep(0.4)
    assert asked == [] and idle.count == 0
    idle.stop()


def test_trouble_of_the_database_ends_no_stream(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    task = here.submit()
    events = here.events(f"/api/tasks/{task.id}/events?since=now")
    take(events, is_live)
    right = here.hub.feeds.read

    def wrong(ids: list[str]) -> Any:
        raise StorageError("the database is away")

    monkeypatch.setattr(here.hub.feeds, "read", wrong)
    time.sleep(0.4)
    here.run(task)
    monkeypatch.setattr(here.hub.feeds, "read", right)
    assert take(events, lambda event: event["event"] == "commit")


def test_a_goal_is_needed_for_a_chat(here: Here) -> None:
    for body in ({}, {"messages": []}, {"messages": [{"role": "user", "parts": []}]}, {"goal": ""}, [], "x"):
        answer = here.client.post("/api/stream_execute_vm", json=body)
        assert (answer.status_code, answer.mimetype) == (422, "application/problem+json"), body
    answer = here.client.post("/api/stream_execute_vm", json={"goal": "x", "plan": [float("nan"), 2**70]})
    assert answer.status_code == 422
