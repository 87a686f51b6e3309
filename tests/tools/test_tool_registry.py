from __future__ import annotations

import pytest

from app.errors import ConfigurationError, NotFound, StepError
from app.plan.signature import ToolCatalog
from app.tools import Tool, tool
from app.tools.registry import TOOLSETS, Registry, ToolSettings


def make(name: str, *aliases: str) -> Tool:
    @tool(name=name, aliases=aliases, effect="read")
    def function(x: int) -> int:
        """Doc."""
        return x

    return function


@pytest.fixture
def registry() -> Registry:
    registry = Registry()
    for each in (make("read_file", "cat"), make("read_mail"), make("drop_table", "db.drop")):
        registry.add(each)
    return registry


def test_a_tool_is_found_by_name_and_by_alias(registry):
    assert registry.get("cat") is registry.get("read_file")
    assert [each.name for each in registry.list()] == ["drop_table", "read_file", "read_mail"]


def test_an_unknown_name_is_answered_with_the_nearest(registry):
    with pytest.raises(NotFound) as caught:
        registry.get("read_fil")
    assert str(caught.value) == "no tool 'read_fil' (nearest: read_file, read_mail)"


@pytest.mark.parametrize("late", [make("cat"), make("other", "read_file"), make("read_mail")])
def test_a_name_or_alias_that_is_taken_names_both_places(registry, late):
    with pytest.raises(ConfigurationError) as caught:
        registry.add(late)
    assert caught.value.message.count(f"{__file__}:") == 2
    assert len(registry.list()) == 3


def test_the_checker_sees_signatures(registry):
    signature = registry.signature("cat")
    assert signature is not None
    assert (signature.name, signature.aliases) == ("read_file", ("cat",))
    assert signature.result == {"type": "integer"}
    assert registry.signature("nothing") is None


@pytest.mark.parametrize(
    ("allowed", "names"),
    [
        (None, ["cat", "db.drop", "drop_table", "read_file", "read_mail"]),
        ([], []),
        (["read_*"], ["cat", "read_file", "read_mail"]),
        (["cat"], ["cat", "read_file"]),
        (["READ_*"], []),
        (["read_mail", "nothing"], ["read_mail"]),
    ],
)
def test_a_namespace_allows_names_and_globs(registry, allowed, names):
    catalog: ToolCatalog = registry.catalog(allowed)
    assert catalog.names() == names
    assert all(catalog.allowed(name) for name in names)
    assert catalog.allowed("drop_table") == ("drop_table" in names)
    assert catalog.signature("drop_table") is not None


def test_the_catalog_hands_out_allowed_tools_only(registry):
    catalog = registry.catalog(["read_*"])
    assert catalog.find("cat").name == "read_file"
    assert [each.name for each in catalog.list()] == ["read_file", "read_mail"]
    with pytest.raises(StepError, match=r"'db\.drop' is not allowed in the namespace"):
        catalog.find("db.drop")
    with pytest.raises(StepError, match=r"no tool 'read_fill' \(nearest: read_file"):
        catalog.find("read_fill")


def test_the_built_in_toolsets_work_for_any_folder(tmp_path):
    for make_tools in TOOLSETS.values():
        assert all(isinstance(each, Tool) for each in make_tools(ToolSettings(tmp_path)))
