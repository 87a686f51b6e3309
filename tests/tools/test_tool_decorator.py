from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, Literal, Optional

import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from app.errors import ConfigurationError
from app.plan.model import Retry
from app.tools import Tool, ToolContext, tool

if TYPE_CHECKING:
    from somewhere_else import Unknown


class Row(TypedDict):
    name: str
    count: int


@dataclass
class Node:
    label: str
    children: list[Node]


class Colour(Enum):
    RED = "red"


@tool
def greet(name: str, times: int = 1, context: ToolContext | None = None) -> str:
    """Greet somebody.

    As often as you like.
    """
    return " ".join([f"hello {name}"] * times)


def test_a_bare_decorator_makes_a_tool_of_everything_the_function_says():
    assert isinstance(greet, Tool)
    assert greet.name == "greet"
    assert greet.description == "Greet somebody.\n\nAs often as you like."
    assert greet.parameters == {
        "type": "object",
        "properties": {"name": {"type": "string"}, "times": {"type": "integer", "default": 1}},
        "required": ["name"],
        "additionalProperties": False,
    }
    assert greet.result == {"type": "string"}
    assert greet.context_parameter == "context"
    assert greet.place.split(":")[0] == __file__


def test_what_is_not_declared_must_be_assumed_irreversible():
    assert (greet.effect, greet.declared) == ("irreversible", False)
    assert greet.timeout is greet.retry is None
    assert greet.reuse is True


def test_a_tool_is_called_like_its_function():
    assert greet("Ann", times=2) == "hello Ann hello Ann"


def test_a_decorator_with_arguments_sets_them():
    @tool(name="send.mail", effect="write", timeout=3, retry=4, aliases=["mail"], version="7", reuse=False)
    def send() -> None:
        """Send."""

    assert (send.name, send.effect, send.declared, send.timeout) == ("send.mail", "write", True, 3.0)
    assert (send.retry, send.aliases, send.version, send.reuse) == (Retry(4), ("mail",), "7", False)
    assert send.names == ("send.mail", "mail")
    assert send.signature.aliases == ("mail",)


@pytest.mark.parametrize("retry", [Retry(3, 0.5), {"max_attempts": 3, "backoff": 0.5}])
def test_retry_may_be_a_policy_or_its_fields(retry):
    assert tool(effect="read", retry=retry)(lambda_with_docs()).retry == Retry(3, 0.5)


def lambda_with_docs():
    def anything():
        """Do anything."""

    return anything


def test_coroutine_functions_are_asynchronous_tools():
    @tool(effect="pure")
    async def later(x):
        """Give it back later."""
        return x

    assert later.is_async and not greet.is_async
    assert asyncio.run(later(3)) == 3


def test_parameters_without_a_hint_take_any_json():
    @tool
    def anything(value, other=None):
        """Take anything."""

    assert anything.parameters["properties"] == {"value": {}, "other": {"default": None}}
    assert anything.result is None


def test_hints_become_schemas_in_one_piece():
    @tool
    def many(
        row: Row,
        colour: Colour,
        mode: Literal["a", "b"],
        size: Annotated[int, Field(ge=1, description="in pages")],
        maybe: Optional[float] = None,  # noqa: UP045 - the older spelling is what is tried
    ) -> list[Row]:
        """Take many things."""

    properties = many.parameters["properties"]
    assert properties["row"]["properties"] == {"name": {"type": "string"}, "count": {"type": "integer"}}
    assert properties["colour"]["enum"] == ["red"]
    assert properties["mode"]["enum"] == ["a", "b"]
    assert properties["size"] == {"type": "integer", "minimum": 1, "description": "in pages"}
    assert properties["maybe"]["anyOf"] == [{"type": "number"}, {"type": "null"}]
    assert many.result is not None
    assert many.result["items"]["required"] == ["name", "count"]
    assert "$defs" not in many.parameters and "$defs" not in many.result


def test_a_type_that_contains_itself_stays_a_reference():
    @tool
    def plant(node: Node):
        """Plant a tree."""

    assert plant.parameters["properties"]["node"] == {"$ref": "#/$defs/Node"}
    items = plant.parameters["$defs"]["Node"]["properties"]["children"]["items"]
    assert items == {"$ref": "#/$defs/Node"}


def test_keyword_arguments_open_the_schema():
    @tool
    def any_names(**values):
        """Take any names."""

    @tool
    def numbers(**values: int):
        """Take numbers by name."""

    assert any_names.parameters["additionalProperties"] is True
    assert numbers.parameters["additionalProperties"] == {"type": "integer"}


def test_a_parameter_may_have_a_name_that_pydantic_uses_itself():
    @tool
    def odd(schema: str, model_config: int, json: bool, _hidden: str = ""):
        """Take odd names."""

    assert list(odd.parameters["properties"]) == ["schema", "model_config", "json", "_hidden"]


def test_a_default_that_json_cannot_hold_only_makes_the_parameter_optional():
    sentinel = object()

    @tool
    def with_default(value=sentinel):
        """Have a default."""

    assert with_default.parameters["properties"] == {"value": {}}
    assert with_default.parameters["required"] == []


def test_the_context_is_found_below_type_checking():
    namespace: dict[str, Any] = {"tool": tool, "__name__": "elsewhere"}
    source = "@tool\ndef f(x: int, context: 'ToolContext'):\n    'Doc.'\n"
    exec(source, namespace)
    assert namespace["f"].context_parameter == "context"
    assert list(namespace["f"].parameters["properties"]) == ["x"]


def test_the_version_is_the_source_and_nothing_else():
    def make(root):
        @tool
        def same():
            """Be the same."""
            return root

        return same

    @tool
    def other():
        """Be another."""

    assert make("a").version == make("b").version != other.version
    assert len(other.version) == 12


def test_without_source_the_version_is_the_bytecode_in_every_process():
    program = (
        "from app.tools import tool\n"
        "exec(\"@tool\\ndef f(x):\\n    'Doc.'\\n    return x in {'a', 'b', 'c', 'd'}\")\n"
        "print(f.version)"
    )
    versions = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in "123"
    }
    assert len(versions) == 1


class NoSchema:
    pass


def undocumented():
    pass


def positional_only(x, /):
    """Doc."""


def starred(*xs):
    """Doc."""


def two_contexts(a: ToolContext, b: ToolContext):
    """Doc."""


def unknown_hint(x: Unknown):
    """Doc."""


def hint_without_schema(x: NoSchema):
    """Doc."""


def result_without_schema() -> NoSchema:
    """Doc."""
    return NoSchema()


def field_as_default(x: int = Field(3)):
    """Doc."""


def yields():
    """Doc."""
    yield 1


def fine():
    """Doc."""


@pytest.mark.parametrize(
    ("function", "arguments", "complaint"),
    [
        (undocumented, {}, "no docstring"),
        (positional_only, {}, "'x' is positional-only"),
        (starred, {}, "'*xs' has no name"),
        (two_contexts, {}, "a and b are both a ToolContext"),
        (unknown_hint, {}, "'Unknown' is not defined"),
        (hint_without_schema, {}, "parameter 'x': the hint NoSchema has no JSON schema"),
        (result_without_schema, {}, "its result: the hint NoSchema has no JSON schema"),
        (field_as_default, {}, "'x' has a Field as its default"),
        (yields, {}, "it yields"),
        (fine, {"effect": "writes"}, "effect='writes' is no effect class"),
        (fine, {"name": "7up"}, "'7up' is no tool name"),
        (fine, {"name": "a" * 129}, "is no tool name"),
        (fine, {"name": "näme"}, "is no tool name"),
        (fine, {"aliases": ["a", "a"]}, "'a' is given twice"),
        (fine, {"aliases": ["fine"]}, "'fine' is given twice"),
        (fine, {"aliases": "abc"}, "is text"),
        (fine, {"timeout": 0}, "timeout=0"),
        (fine, {"timeout": float("nan")}, "timeout=nan"),
        (fine, {"timeout": True}, "timeout=True"),
        (fine, {"retry": 0}, "retry="),
        (fine, {"retry": True}, "retry=True"),
        (fine, {"retry": {"attempts": 3}}, "retry="),
        (fine, {"retry": {"max_attempts": 3, "backoff": -1}}, "retry="),
        (fine, {"version": ""}, "version=''"),
    ],
)
def test_a_mistake_names_the_function_its_file_and_line(function, arguments, complaint):
    with pytest.raises(ConfigurationError) as caught:
        tool(**arguments)(function)
    line = function.__code__.co_firstlineno
    assert caught.value.message.startswith(f"{__file__}:{line}: tool function {function.__name__}: ")
    assert complaint in caught.value.message
    assert "\n" not in str(caught.value)
    assert caught.value.hint


def test_a_tool_is_not_decorated_twice():
    with pytest.raises(ConfigurationError, match="a tool already"):
        tool(greet)


def test_a_class_is_no_tool():
    class Model(BaseModel):
        """Doc."""

    with pytest.raises(ConfigurationError, match="not a function"):
        tool(Model)
