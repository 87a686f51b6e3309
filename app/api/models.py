"""What answers about commits look like, for the OpenAPI document. Values of a history are any JSON."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, RootModel


class Out(BaseModel):
    model_config = ConfigDict(extra="forbid")


class DigestOut(Out):
    """What a commit did, on one line."""

    visit: int | None = Field(description="how often the step had come round, from 1")
    outcome: str = Field(description="ran, reused, partly reused, failed, or none: a step without an effect")
    result: str
    duration_ms: int | None
    model_calls: int
    cost: float | None = Field(
        description="of the models, in US dollars; null: there were none, or not known"
    )
    sets: list[str] = Field(description="the variables that it set")


class EntryOut(Out):
    """A commit as the log has it. `record` and `digest` are there where they were asked for."""

    commit: str
    parent: str | None
    kind: str = Field(description="goal, plan, step, failure, revision, decision, approval, edit, push, stop")
    seq_no: int | None
    tool: str | None
    subject: str
    author: str
    time: int = Field(description="seconds since the epoch")
    record: dict[str, Any] | None = None
    digest: DigestOut | None = None


class CommitOut(EntryOut):
    """A commit with its record."""

    record: dict[str, Any]


class LogOut(Out):
    """A page of commits, newest first."""

    items: list[EntryOut]
    next: str | None


class RecordOut(RootModel[dict[str, Any]]):
    """`record.json`."""


class PlanOut(RootModel[dict[str, Any]]):
    """A plan document."""


class SetByOut(Out):
    """The commit that set a value."""

    commit: str
    kind: str
    seq_no: int | None
    visit: int | None
    type: str | None
    tool: str | None
    subject: str
    author: str
    time: int


class ValueViewOut(Out):
    """A value: whole where `inline`, else as it begins; `href` has it whole, or in parts."""

    type: str = Field(description="null, boolean, number, text, list or object")
    size: int | None = Field(description="characters, items or keys")
    preview: str
    inline: bool
    value: Any = None
    href: str


class VariableOut(ValueViewOut):
    """A variable, and the commit that last set it."""

    name: str
    set_by: SetByOut | None


class StateOut(Out):
    """The state at a commit. `count` is how many variables there are; `next` leads to those behind these."""

    task_id: str
    commit: str
    goal: dict[str, Any]
    control: dict[str, Any]
    plan: dict[str, Any] | None
    count: int
    variables: list[VariableOut]
    next: str | None


class ValueOut(Out):
    """A value or a part of it: `type` and `size` are the whole's, `next` is the offset of what follows."""

    task_id: str
    commit: str
    name: str
    path: str
    type: str
    size: int | None
    offset: int
    next: int | None
    value: Any


class DiffOut(BaseModel):
    """What differs, by the forms that were asked for."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    from_: str = Field(alias="from")
    to: str
    plan: dict[str, Any] | None = None
    state: dict[str, Any] | None = None
    text: str | None = None
    runs: dict[str, Any] | None = None


class OriginOut(Out):
    """Where a value came from."""

    kind: str
    tool: str | None
    models: list[str]
    who: str | None


class BlamedOut(VariableOut):
    """A variable, the commit that last set it, and where the value came from."""

    set_by: SetByOut
    origin: OriginOut


class BlameOut(Out):
    """Every variable with the commit that last set it."""

    task_id: str
    branch: str | None
    commit: str
    variables: list[BlamedOut]


class PastValueOut(Out):
    """A value that a variable had. Where `change` is `unset` there is none, and no word about it."""

    change: str = Field(description="set, changed, again, unset")
    type: str | None = Field(None, description="null, boolean, number, text, list or object")
    size: int | None = Field(None, description="characters, items or keys")
    preview: str | None = None
    inline: bool | None = None
    value: Any = None
    set_by: SetByOut
    origin: OriginOut
    href: str | None


class ValuesOut(Out):
    """A page of the values that a variable had, newest first."""

    items: list[PastValueOut]
    next: str | None


class ReadersOut(Out):
    """A page of the commits whose step read a variable, newest first."""

    items: list[SetByOut]
    next: str | None


class TurnOut(Out):
    """A variable that changed where the expression turned."""

    name: str
    old: Any
    new: Any


class BisectOut(Out):
    """The first commit at which an expression is false, having been true."""

    task_id: str
    branch: str | None
    commit: str
    expression: str
    reads: list[str]
    start: SetByOut
    last_true: SetByOut
    first_false: SetByOut | None
    variables: list[TurnOut]
    at_head: bool | None
    commits: int
    evaluated: int
    skipped: int
    skipped_because: str | None


class ExplainOut(Out):
    """Why each step of a run ran, or was reused."""

    task_id: str
    branch: str
    forked_from: dict[str, Any] | None
    steps: list[dict[str, Any]]


class ReplayOut(Out):
    """What a replay found. `complete` is false, and `identical` null, where the time was up before the end."""

    task_id: str
    branch: str
    head: str
    identical: bool | None
    commits: int
    objects: int | None
    divergence: dict[str, Any] | None
    complete: bool
