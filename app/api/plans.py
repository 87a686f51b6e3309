"""``/api/plans``: the checker, the diff, the JSON schema. Nothing is kept."""

from __future__ import annotations

import json
from typing import Any

from apiflask import APIBlueprint
from pydantic import BaseModel, ConfigDict, Field, RootModel

from app.api.descriptions import problems, tagged
from app.api.etags import answer, etag, not_modified, tagged_answer
from app.api.models import Out
from app.api.state import place
from app.plan.model import Json
from app.plan.schema import plan_schema
from app.services.plans import check_document, diff_documents, writer_document

plans = APIBlueprint("plans", __name__, url_prefix="/api/plans", tag="plans")


class Check(BaseModel):
    """A plan, as a document or as the text of one."""

    model_config = ConfigDict(extra="forbid", strict=True)

    plan: Json = Field(None, description="a plan document: an object, or the list of its steps")
    text: str | None = Field(
        None, description="instead of `plan`: findings then say where the JSON is broken"
    )
    namespace: str | None = Field(None, max_length=240, description="whose tools it may call; default: all")
    step: int | None = Field(
        None, ge=0, lt=1 << 53, description="the answer has `scope` then: what this step may read"
    )


class FindingOut(Out):
    """One fault of a plan: what is wrong, and what would be right."""

    code: str
    severity: str
    step: int | None
    path: str
    message: str
    hint: str


class InScopeOut(Out):
    """A variable that may be read. `always`: every path sets it. `set_by`: the steps that set it."""

    name: str
    always: bool
    set_by: list[int]


class CheckOut(Out):
    """What the checker found. `steps` and `scope` are null where it is no plan."""

    valid: bool
    steps: int | None
    errors: int
    warnings: int
    findings: list[FindingOut]
    scope: list[InScopeOut] | None = Field(None, description="there where `step` was given")


class WriterOut(Out):
    """Who writes and revises plans. `model` is null where no model is configured; `hint` says what to set then."""

    model: str | None
    scripted: bool = Field(description="replies are read from a file")
    hint: str | None


class PlanDiffOut(Out):
    """What differs between two plans."""

    changes: list[dict[str, Any]]
    steps: list[dict[str, Any]]


class SchemaOut(RootModel[dict[str, Any]]):
    """A JSON schema."""


@plans.post("/check")
@plans.input(Check, location="json")
@plans.output(CheckOut)
@plans.doc(
    summary="What the checker finds in a plan", operation_id="check_plan", responses=problems(404, 422)
)
def check(json_data: Check) -> Any:
    """As `stackvm verify`. A plan with errors is an answer, not an error."""
    text = json_data.text if json_data.text is not None else json.dumps(json_data.plan)
    return answer(check_document(place(), text, json_data.namespace, json_data.step))


class Compare(BaseModel):
    """Two plan documents."""

    model_config = ConfigDict(extra="forbid", strict=True)

    old: Json
    new: Json


@plans.post("/diff")
@plans.input(Compare, location="json")
@plans.output(PlanDiffOut)
@plans.doc(summary="What differs between two plans", operation_id="diff_plans", responses=problems(422))
def diff(json_data: Compare) -> Any:
    """By what their steps do: renumbering them changes nothing."""
    return answer(diff_documents(json_data.old, json_data.new))


@plans.get("/schema")
@plans.output(SchemaOut)
@plans.doc(summary="The JSON schema of plan documents", operation_id="get_plan_schema", responses=tagged())
def schema() -> Any:
    """What every plan fits; the checker finds more."""
    document = plan_schema()
    tag = etag(json.dumps(document, sort_keys=True))
    return not_modified(tag) or tagged_answer(document, tag)


@plans.get("/writer")
@plans.output(WriterOut)
@plans.doc(summary="Who writes plans here", operation_id="get_plan_writer", responses=problems())
def writer() -> Any:
    """The model that plans goals and revises plans; its server is not asked."""
    return answer(writer_document(place()))
