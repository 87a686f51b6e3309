"""``/api/tasks``: submit, list, look, delete; ``/api/waiting``."""

from __future__ import annotations

import json
from typing import Any

from apiflask import APIBlueprint

from app.api.auditing import note_submission
from app.api.descriptions import problems, tagged
from app.api.etags import etag, not_modified, tagged_answer
from app.api.lookup import the_task
from app.api.paging import PageQuery, page, read_cursor, write_cursor
from app.api.state import place, server
from app.api.task_models import Submit, TaskOut, TaskQuery, TasksOut, WaitingPageOut
from app.db.serving import TaskFilter
from app.services.deletion import delete_task
from app.services.submissions import Submission, submit_goal
from app.services.task_lists import page_tasks, task_with_tags, waiting_tasks
from app.services.tasks import NewTask, task_document

tasks = APIBlueprint("tasks", __name__, url_prefix="/api", tag="tasks")


@tasks.post("/tasks")
@tasks.input(Submit, location="json")
@tasks.output(TaskOut, status_code=202)
@tasks.doc(summary="Submit a goal", operation_id="submit", responses=problems(404, 409, 413, 422))
def submit(json_data: Submit) -> Any:
    """The task is there when this answers; a worker runs it. `Location` is where to look."""
    new = NewTask(
        json_data.goal,
        json_data.plan if isinstance(json_data.plan, str | None) else json.dumps(json_data.plan),
        json_data.namespace,
        json_data.response_format,
        json_data.history,
        json_data.max_steps,
        json_data.revise,
    )
    wanted = Submission(new, json_data.tags, json_data.priority, json_data.parallel)
    row = submit_goal(place(), server().queue, wanted, on_kept=note_submission)
    document = {**task_document(row), "tags": sorted(set(wanted.tags))}
    return document, 202, {"Location": f"/api/tasks/{row.id}"}


@tasks.get("/tasks")
@tasks.input(TaskQuery, location="query")
@tasks.output(TasksOut)
@tasks.doc(summary="List the tasks, newest first", operation_id="list_tasks", responses=problems(422))
def many(query_data: TaskQuery) -> Any:
    """Filters may be combined."""
    chosen = TaskFilter(
        statuses=tuple(filter(None, (query_data.status or "").split(","))),
        any_branch=query_data.any_branch,
        namespace=query_data.namespace,
        tag=query_data.tag,
        text=query_data.text,
        since_ms=query_data.since,
        until_ms=query_data.until,
    )
    found = page_tasks(place(), chosen, query_data.limit, _after(query_data))
    return page(found.documents, _cursor(found.after))


@tasks.get("/tasks/<task_id>")
@tasks.output(TaskOut)
@tasks.doc(summary="One task", operation_id="get_task", responses=tagged(404, 409))
def one(task_id: str) -> Any:
    """By its id or the beginning of one."""
    document = task_with_tags(place(), the_task(task_id))
    tag = etag(json.dumps(document))
    return not_modified(tag) or tagged_answer(document, tag)


@tasks.delete("/tasks/<task_id>")
@tasks.output({}, status_code=204)
@tasks.doc(summary="Remove a task and its history", operation_id="delete_task", responses=problems(404, 409))
def remove(task_id: str) -> Any:
    """Refused while it runs."""
    row = the_task(task_id)
    delete_task(place(), row)
    return ""


@tasks.get("/waiting")
@tasks.input(PageQuery, location="query")
@tasks.output(WaitingPageOut)
@tasks.doc(summary="What waits for a person", operation_id="list_waiting", responses=problems(422))
def waiting(query_data: PageQuery) -> Any:
    """Across all tasks: which call, why, and what each choice will do."""
    items, after = waiting_tasks(place(), query_data.limit, _after(query_data))
    return page(items, _cursor(after))


def _after(query: PageQuery) -> tuple[int, int] | None:
    parts = read_cursor(query.cursor, int, int)
    return None if parts is None else (parts[0], parts[1])


def _cursor(after: tuple[int, int] | None) -> str | None:
    return None if after is None else write_cursor(*after)
