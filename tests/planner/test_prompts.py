"""The prompts: complete, made from the language's own tables, and without logic."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from pathlib import Path

import pytest
from fake_asker import catalog
from jinja2 import UndefinedError

from app.plan.check import check_plan
from app.plan.expression_functions import FUNCTIONS
from app.plan.findings import CODES
from app.plan.parse import plan_from_json
from app.plan.schema import FORMS
from app.planner import prompts
from app.planner.language import EXAMPLE, language_values
from app.planner.prompts.templates import prompt_hash, render
from app.planner.shapes import shape
from app.tools.base import EFFECTS
from app.tools.decorator import tool
from app.tools.registry import Registry

FOLDER = Path(prompts.__file__).parent
FILES = sorted(FOLDER.glob("*.jinja"))
PLAN = plan_from_json(EXAMPLE)


def system_texts() -> list[str]:
    revise = prompts.revise_prompt(
        "g", catalog(), None, plan=PLAN, variables={}, error=None, keep=(), only_step=None, suggestion=None
    )
    return [prompts.plan_prompt("g", catalog(), None).messages[0].content, revise.messages[0].content]


@pytest.mark.parametrize("text", system_texts(), ids=["plan", "revise"])
class TestTheWholeLanguageIsThere:
    def test_every_function(self, text):
        for function in FUNCTIONS.values():
            assert f"- {function.signature}: {function.doc}" in text

    def test_every_type_of_step_with_every_parameter(self, text):
        for form in FORMS.values():
            assert f'"type": "{form.type}"' in text and form.doc in text
            for name, parameter in form.parameters.items():
                assert re.search(rf"- {name} \((required|optional)\): {re.escape(parameter.doc)}", text)

    def test_every_code(self, text):
        for code, meaning in CODES.items():
            assert f"- {code}: {meaning}" in text

    def test_every_allowed_tool_with_its_effect_arguments_and_result(self, text):
        assert "## search (read)\nAlso called find.\nFind pages by their words." in text
        assert "- query (required): string\n- limit (optional): integer (default 10)" in text
        assert "Result: list of {any other name: string}" in text
        assert "## save (write)" in text and "format_disk" not in text

    def test_every_effect(self, text):
        for effect in EFFECTS:
            assert f"- {effect}: " in text

    def test_the_sections_are_apart(self, text):
        for heading in re.finditer(r"^# ", text, re.MULTILINE):
            assert text[: heading.start()].endswith("\n\n")


class TestTheExample:
    def test_the_checker_finds_nothing_in_it(self):
        @tool(effect="read")
        def list_pages(topic: str) -> list[dict[str, str]]:
            """Pages."""
            return []

        @tool(effect="read")
        def read_page(path: str) -> dict[str, int]:
            """A page."""
            return {}

        registry = Registry()
        registry.add(list_pages)
        registry.add(read_page)
        assert check_plan(PLAN, registry.catalog()) == []

    def test_it_is_shown_as_it_was_checked(self):
        _, _, text = language_values()["example"].partition("\n\n")
        assert plan_from_json(json.loads(text)) == PLAN


class TestTemplates:
    @pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
    def test_they_hold_text_names_and_optional_sections_no_logic(self, path):
        text = re.sub(r"{% raw %}.*?{% endraw %}", "", path.read_text())
        assert set(re.findall(r"{%-?\s*(\w+)", text)) <= {
            "block", "endblock", "include", "if", "else", "endif",
        }  # fmt: skip
        assert all(re.fullmatch(r"\w+", name) for name in re.findall(r"{{ (.*?) }}", text))
        assert all(re.fullmatch(r"\w+", name) for name in re.findall(r"{% if (.*?) %}", text))

    def test_a_value_that_is_missing_is_an_error(self):
        with pytest.raises(UndefinedError):
            render("repair", {})

    def test_the_hash_is_that_of_the_file(self):
        text = (FOLDER / "retry.jinja").read_bytes()
        assert prompt_hash("retry") == sha256(b"retry.jinja\0" + text + b"\0").hexdigest()[:16]

    def test_the_hash_holds_what_the_file_includes(self):
        names = ("advice", "data", "language", "plan", "tools")
        parts = [
            f"{name}.jinja\0".encode() + (FOLDER / f"{name}.jinja").read_bytes() + b"\0" for name in names
        ]
        assert prompt_hash("plan") == sha256(b"".join(parts)).hexdigest()[:16]

    def test_one_prompt_rendered_twice_is_the_same(self):
        assert prompts.plan_prompt("g", catalog(), None) == prompts.plan_prompt("g", catalog(), None)

    def test_without_tools_that_is_said(self):
        assert "There are no tools" in prompts.plan_prompt("g", catalog("none"), None).messages[0].content


class TestShapes:
    @pytest.mark.parametrize(
        ("schema", "text"),
        [
            (True, "any JSON"),
            (False, "nothing"),
            ({}, "any JSON"),
            ({"type": "string", "title": "T"}, "string"),
            ({"type": "integer", "minimum": 1}, "integer (minimum 1)"),
            ({"type": ["string", "null"]}, "string | null"),
            ({"enum": ["a", 1, None]}, '"a" | 1 | null'),
            ({"const": "x"}, '"x"'),
            (
                {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
                "string | null (default null)",
            ),
            ({"type": "array"}, "list of any JSON"),
            ({"type": "array", "items": {"type": "number"}, "maxItems": 3}, "list of number (maxItems 3)"),
            ({"type": "object"}, "object"),
            (
                {"type": "object", "properties": {"a": {"type": "string"}, "b": {}}, "required": ["a"]},
                '{"a": string, "b"?: any JSON}',
            ),
            ({"$ref": "#/$defs/Node"}, 'any JSON ($ref "#/$defs/Node")'),
        ],
    )
    def test_a_schema_is_short_and_whole(self, schema, text):
        assert shape(schema) == text

    def test_keywords_may_be_left_out(self):
        schema = {"type": "array", "items": {"type": "string", "pattern": "x"}, "minItems": 1}
        assert shape(schema, frozenset({"pattern"})) == "list of string (minItems 1)"

    def test_a_deep_schema_ends(self):
        schema = {"type": "string"}
        for _ in range(50):
            schema = {"type": "array", "items": schema}
        assert shape(schema).startswith("list of list of")
