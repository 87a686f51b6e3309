"""Steering a task: pause, resume, cancel, decide, set; and its branches."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint

from app.api.descriptions import problems
from app.api.lookup import the_task
from app.api.state import place, server
from app.api.task_models import (
    BranchesOut,
    BranchOut,
    Decide,
    DecidedOut,
    Fork,
    OnBranch,
    Resume,
    SetOut,
    SetVariables,
    SteeredOut,
)
from app.services.branches import delete_branch, fork_branch, list_branches
from app.services.edits import set_variables
from app.services.going_on import go_on
from app.services.steering import cancel_run, look_at, pause_run
from app.services.waiting import Decision, decide

steering = APIBlueprint("steering", __name__, url_prefix="/api/tasks/<task_id>", tag="steering")


@steering.post("/pause")
@steering.input(OnBranch, location="json")
@steering.output(SteeredOut, status_code=202)
@steering.doc(summary="Pause at the next step", operation_id="pause", responses=problems(404, 409, 422))
def pause(task_id: str, json_data: OnBranch) -> Any:
    """What nobody runs is paused when this answers."""
    row = the_task(task_id)
    branch = json_data.branch or row.current_branch
    server().queue.withdraw(row.id, branch)
    return pause_run(place(), row, branch, wait=False).to_json()


@steering.post("/cancel")
@steering.input(OnBranch, location="json")
@steering.output(SteeredOut, status_code=202)
@steering.doc(summary="End the run for good", operation_id="cancel", responses=problems(404, 409, 422))
def cancel(task_id: str, json_data: OnBranch) -> Any:
    """Calls under way are told to end. What nobody runs is cancelled when this answers."""
    row = the_task(task_id)
    return cancel_run(place(), row, json_data.branch, wait=False).to_json()


@steering.post("/resume")
@steering.input(Resume, location="json")
@steering.output(SteeredOut, status_code=202)
@steering.doc(summary="Go on with the run", operation_id="resume", responses=problems(404, 409, 422))
def resume(task_id: str, json_data: Resume) -> Any:
    """From where it stands; a failed step is tried again."""
    row = the_task(task_id)
    branch = go_on(
        place(),
        server().queue,
        row,
        json_data.branch,
        max_steps=json_data.max_steps,
        parallel=json_data.parallel,
        priority=json_data.priority,
    )
    return look_at(place(), row, branch).to_json()


@steering.post("/decide")
@steering.input(Decide, location="json")
@steering.output(DecidedOut)
@steering.doc(
    summary="Decide about a call that waits", operation_id="decide", responses=problems(404, 409, 422)
)
def decide_about(task_id: str, json_data: Decide) -> Any:
    """The decision is a commit. 409 where nothing waits any more, or another call does."""
    row = the_task(task_id)
    items = None if json_data.items is None else tuple(json_data.items)
    decision = Decision(json_data.choice, json_data.value, items, json_data.key)
    decided = decide(place(), row, json_data.branch or row.current_branch, decision)
    if json_data.resume:
        go_on(place(), server().queue, the_task(row.id), decided.branch)
    return decided.to_json()


@steering.post("/set")
@steering.input(SetVariables, location="json")
@steering.output(SetOut, status_code=201)
@steering.doc(
    summary="Set variables at any commit", operation_id="set_variables", responses=problems(404, 409, 422)
)
def set_at(task_id: str, json_data: SetVariables) -> Any:
    """On a new branch, which goes on from there."""
    row = the_task(task_id)
    edited = set_variables(place(), row, json_data.variables, json_data.at, json_data.name)
    if json_data.resume:
        go_on(place(), server().queue, the_task(row.id), edited.branch)
    return edited.to_json()


@steering.get("/branches")
@steering.output(BranchesOut)
@steering.doc(summary="List the branches", operation_id="list_branches", responses=problems(404, 409))
def branches(task_id: str) -> Any:
    """By name."""
    return {"items": [view.to_json() for view in list_branches(place(), the_task(task_id))]}


@steering.post("/branches")
@steering.input(Fork, location="json")
@steering.output(BranchOut, status_code=201)
@steering.doc(summary="Fork at any commit", operation_id="fork", responses=problems(404, 409, 422))
def fork(task_id: str, json_data: Fork) -> Any:
    """Nothing is copied. `resume` runs it from there."""
    return fork_branch(place(), the_task(task_id), json_data.revision, json_data.name).to_json()


@steering.delete("/branches/<path:name>")
@steering.output({}, status_code=204)
@steering.doc(summary="Remove a branch", operation_id="delete_branch", responses=problems(404, 409, 422))
def remove(task_id: str, name: str) -> Any:
    """Its commits stay until garbage is collected."""
    row = the_task(task_id)
    delete_branch(place(), row, name)
    return ""
