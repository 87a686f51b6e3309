from __future__ import annotations

import inspect
import re
from dataclasses import fields
from pathlib import Path

from app.tools import EFFECTS, ToolContext, tool
from app.tools.loader import load_registry
from app.tools.registry import TOOLSETS

DOCS = (Path(__file__).parents[2] / "docs" / "tools.md").read_text(encoding="utf-8")


def test_every_built_in_tool_is_documented_with_its_parameters(tmp_path):
    for each in load_registry([], tools_root=tmp_path, entry_points=False).list():
        found = re.search(rf"`{each.name}\((.*?)\)`", DOCS)
        assert found, each.name
        assert [part.split("=")[0].strip() for part in found[1].split(",")] == list(
            each.parameters["properties"]
        )


def test_every_toolset_argument_effect_class_and_context_field_is_documented():
    names = [*TOOLSETS, *EFFECTS, *(each.name for each in fields(ToolContext))]
    names += [name for name in inspect.signature(tool).parameters if name not in ("function", "name")]
    missing = [name for name in names if not re.search(rf"`{name}\b|Built in: {name}", DOCS)]
    assert missing == []


def test_the_first_example_is_a_tool(tmp_path):
    example = re.search(r"```python\n(.*?)```", DOCS, re.DOTALL)
    assert example is not None
    (tmp_path / "weather.py").write_text(example[1], encoding="utf-8")
    made = load_registry([tmp_path], tools_root=tmp_path, entry_points=False).get("temperature")
    assert (made.effect, made.timeout, made.result) == ("read", 10.0, {"type": "number"})
