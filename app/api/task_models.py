"""What requests and answers about tasks look like."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.api.paging import PageQuery
from app.plan.model import Json

BRANCH = Field(None, max_length=240, description="default: the task's current branch, that of its latest run")


class In(BaseModel):
    """A request's body: what is not known is refused, and what is not of its type is not made to be."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Submit(In):
    """A goal, with the plan where a model is not to write it."""

    goal: str = Field(min_length=1, max_length=100_000, description="what you want, in your own words")
    plan: Json = Field(
        None, description="a plan document, or the text of one; without it a model writes the plan"
    )
    namespace: str | None = Field(None, max_length=240)
    response_format: dict[str, Any] | None = None
    history: Literal["sql", "git"] | None = Field(None, description="default: the server's HISTORY_BACKEND")
    max_steps: int | None = Field(None, ge=1, le=1_000_000)
    revise: bool = Field(False, description="let a model revise the plan where a step fails")
    parallel: int | None = Field(None, ge=1, le=256, description="calls under way at once")
    priority: int = Field(0, ge=-100, le=100, description="the highest first")
    tags: list[str] = Field(default_factory=list, max_length=32)


class TaskOut(BaseModel):
    """A task as lists show it."""

    task_id: str
    goal: str
    namespace: str | None
    status: str
    branch: str
    steps: int = Field(description="executed on `branch`, failed ones included")
    planned_steps: int | None = Field(
        description="of the plan; loops execute some more than once, jumps leave some out; null: no plan yet"
    )
    worked_ms: int | None = Field(description="what the calls of `branch` took together")
    cost: float | None = Field(description="of the models, in US dollars; null: not known")
    error: str | None
    branches: int = Field(description="how many there are")
    history: str
    created_ms: int
    updated_ms: int
    tags: list[str] = Field(default_factory=list)


class TasksOut(BaseModel):
    """A page of tasks, newest first."""

    items: list[TaskOut]
    next: str | None


class TaskQuery(PageQuery):
    """Which tasks."""

    status: str | None = Field(None, max_length=200, description="one, or several with commas")
    any_branch: bool = Field(
        False, description="`status` may be that of any branch, not only the current one"
    )
    namespace: str | None = Field(None, max_length=240)
    tag: str | None = Field(None, max_length=100)
    text: str | None = Field(None, max_length=200, description="looked for in the goals")
    since: int | None = Field(
        None, ge=0, le=1 << 53, description="made then or later, milliseconds since the epoch"
    )
    until: int | None = Field(None, ge=0, le=1 << 53, description="made before")


class OnBranch(In):
    """Which branch."""

    branch: str | None = BRANCH


class Resume(OnBranch):
    """How to go on."""

    max_steps: int | None = Field(None, ge=1, le=1_000_000, description="raise the limit of executed steps")
    parallel: int | None = Field(None, ge=1, le=256)
    priority: int = Field(0, ge=-100, le=100)


class Decide(OnBranch):
    """What a person says about the call that waits."""

    choice: Literal["reuse", "run", "skip", "fail"]
    value: Json = Field(None, description="the result, for `skip`")
    items: list[int] | None = Field(
        None, description="of a for_each; [] is all that wait; default: the one that waits"
    )
    key: str | None = Field(
        None, max_length=64, description="only if the call with this idempotency key waits"
    )
    resume: bool = Field(True, description="go on at once")


class SetVariables(In):
    """Variables to set on a new branch."""

    variables: dict[str, Json] = Field(min_length=1)
    at: str | None = Field(None, max_length=300, description="a revision; default: the current branch")
    name: str | None = Field(None, max_length=240, description="of the new branch")
    resume: bool = Field(True, description="run it from there")


class Fork(In):
    """A new branch."""

    revision: str = Field(max_length=300)
    name: str = Field(max_length=240)


class SteeredOut(BaseModel):
    """How the branch stands. One that somebody runs obeys at its next step: watch its events."""

    task_id: str
    branch: str
    status: str
    commit: str
    steps: int
    asked: str | None


class BranchOut(BaseModel):
    """A branch."""

    branch: str
    status: str
    commit: str
    subject: str
    time: int
    steps: int
    current: bool


class ForkOut(BaseModel):
    """The commit at which a branch left another."""

    model_config = ConfigDict(extra="allow")

    branch: str
    commit: str
    kind: str
    seq_no: int | None
    subject: str


class TreeBranchOut(BranchOut):
    """A branch in the tree of all."""

    commits: int = Field(description="how many there are back to the goal")
    own: int = Field(description="those of them that no branch before it has")
    fork: ForkOut | None = Field(description="where it left another branch")
    marks: list[dict[str, Any]] = Field(
        description="its own commits that are more than a step: failures, decisions, revisions"
    )


class TreeOut(BaseModel):
    """All branches of a task, each behind the one it left."""

    items: list[TreeBranchOut]


class BranchesOut(BaseModel):
    """All branches of a task, by name."""

    items: list[BranchOut]


class DecidedOut(BaseModel):
    """The decision, as a commit."""

    task_id: str
    branch: str
    commit: str
    choice: str
    step: int
    visit: int
    item: int | None
    items: list[int]
    tool: str


class SetOut(BaseModel):
    """The branch on which variables were set."""

    model_config = ConfigDict(extra="allow")

    task_id: str
    branch: str
    commit: str


class WaitingItemOut(BaseModel):
    """An item of a `for_each` that waits."""

    item: int
    inputs: dict[str, Any]
    attempt: int
    reason: str


class WaitingOut(BaseModel):
    """A branch that waits, and for what. `error`: it can't be read."""

    task: TaskOut
    branch: str
    waiting: dict[str, Any] | None
    items: list[WaitingItemOut] = Field(description="of a for_each: those that wait, at most 100")
    count: int = Field(description="how many items wait; 0: the call is no item of a for_each")
    error: str | None


class WaitingPageOut(BaseModel):
    """A page of what waits for a person."""

    items: list[WaitingOut]
    next: str | None
