"""``/api/namespaces`` and ``/api/tools``."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from pydantic import BaseModel, ConfigDict, Field

from app.api.descriptions import problems
from app.api.etags import answer
from app.api.state import place
from app.api.task_models import In
from app.db.base import NamespaceRow
from app.plan.model import Json
from app.services.namespaces import (
    allowed_tools,
    create_namespace,
    delete_namespace,
    get_namespace,
    list_namespaces,
    namespace_document,
    unmatched_tools,
    update_namespace,
)
from app.services.toolcalls import call_document, call_tool, seen_tool, seen_tools, tool_document

namespaces = APIBlueprint("namespaces", __name__, url_prefix="/api", tag="namespaces and tools")


class NamespaceIn(In):
    """A namespace. ``allowed_tools`` are names or patterns with ``*``."""

    name: str = Field(max_length=100)
    allowed_tools: list[str] = Field(max_length=1_000)
    description: str = Field("", max_length=10_000)
    policies: dict[str, Any] = Field(default_factory=dict)


class NamespaceChange(In):
    """What changes; the rest is kept."""

    allowed_tools: list[str] | None = Field(None, max_length=1_000)
    description: str | None = Field(None, max_length=10_000)
    policies: dict[str, Any] | None = None


class NamespaceOut(BaseModel):
    """A namespace."""

    model_config = ConfigDict(extra="allow")

    namespace: str
    allowed_tools: list[str]
    description: str
    policies: dict[str, Any]
    tools: list[str] = Field(description="those that are here and allowed")
    unmatched: list[str] = Field(description="entries of `allowed_tools` that stand for no tool here")
    created_ms: int
    updated_ms: int


class NamespacesOut(BaseModel):
    """All that you see, by name."""

    items: list[NamespaceOut]


class ToolOut(BaseModel):
    """A tool: what it does, takes and gives."""

    model_config = ConfigDict(extra="allow")

    tool: str
    aliases: list[str]
    description: str
    effect: str
    parameters: dict[str, Any]
    version: str


class ToolsOut(BaseModel):
    """All that you may call, by name."""

    items: list[ToolOut]


class CallIn(In):
    """The arguments of a call."""

    arguments: dict[str, Json] = Field(default_factory=dict)


class CallOut(BaseModel):
    """What a call gave."""

    model_config = ConfigDict(extra="allow")


def _document(row: NamespaceRow) -> dict[str, Any]:
    """As the services have it, and what the list of tools comes to here."""
    here = place()
    return {
        **namespace_document(row),
        "tools": allowed_tools(here, row),
        "unmatched": unmatched_tools(here, row),
    }


@namespaces.get("/namespaces")
@namespaces.output(NamespacesOut)
@namespaces.doc(summary="List the namespaces", operation_id="list_namespaces", responses=problems())
def many() -> Any:
    """By name."""
    return answer({"items": [_document(row) for row in list_namespaces(place())]})


@namespaces.post("/namespaces")
@namespaces.input(NamespaceIn, location="json")
@namespaces.output(NamespaceOut, status_code=201)
@namespaces.doc(summary="Make a namespace", operation_id="create_namespace", responses=problems(409, 422))
def create(json_data: NamespaceIn) -> Any:
    """Takes the role admin."""
    row = create_namespace(
        place(), json_data.name, json_data.allowed_tools, json_data.description, json_data.policies
    )
    return answer(_document(row), 201)


@namespaces.get("/namespaces/<name>")
@namespaces.output(NamespaceOut)
@namespaces.doc(summary="One namespace", operation_id="get_namespace", responses=problems(404))
def one(name: str) -> Any:
    """With the tools it allows."""
    return answer(_document(get_namespace(place(), name)))


@namespaces.patch("/namespaces/<name>")
@namespaces.input(NamespaceChange, location="json")
@namespaces.output(NamespaceOut)
@namespaces.doc(summary="Change a namespace", operation_id="update_namespace", responses=problems(404, 422))
def update(name: str, json_data: NamespaceChange) -> Any:
    """Takes the role admin."""
    row = update_namespace(place(), name, json_data.allowed_tools, json_data.description, json_data.policies)
    return answer(_document(row))


@namespaces.delete("/namespaces/<name>")
@namespaces.output({}, status_code=204)
@namespaces.doc(summary="Remove a namespace", operation_id="delete_namespace", responses=problems(404))
def remove(name: str) -> Any:
    """Takes the role admin."""
    delete_namespace(place(), name)
    return ""


class ToolsQuery(BaseModel):
    """Whose tools."""

    model_config = ConfigDict(extra="forbid")

    namespace: str | None = Field(
        None, min_length=1, max_length=240, description="default: all that you may call"
    )


@namespaces.get("/tools")
@namespaces.input(ToolsQuery, location="query")
@namespaces.output(ToolsOut)
@namespaces.doc(summary="List the tools", operation_id="list_tools", responses=problems(404, 422))
def tools(query_data: ToolsQuery) -> Any:
    """Those that plans of your tasks may call."""
    return answer({"items": [tool_document(tool) for tool in seen_tools(place(), query_data.namespace)]})


@namespaces.get("/tools/<name>")
@namespaces.output(ToolOut)
@namespaces.doc(summary="One tool", operation_id="get_tool", responses=problems(404))
def tool(name: str) -> Any:
    """Its schema, effect class and description."""
    return answer(tool_document(seen_tool(place(), name)))


@namespaces.post("/tools/<name>/call")
@namespaces.input(CallIn, location="json")
@namespaces.output(CallOut)
@namespaces.doc(summary="Call a tool by hand", operation_id="call_tool", responses=problems(404, 422))
def call(name: str, json_data: CallIn) -> Any:
    """Outside of any run; what it does to the outside, it does."""
    return answer(call_document(*call_tool(place(), name, json_data.arguments)))
