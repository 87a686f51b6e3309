"""What users can type or set is documented; a new command, tool, instruction or setting without a word fails here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.cli.reference import commands_page
from app.config import Settings
from app.plan.expressions import FUNCTIONS
from app.plan.findings import CODES
from app.tools.registry import TOOLSETS, ToolSettings
from app.vm.instructions import INSTRUCTIONS

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"


def test_the_page_of_commands_is_what_their_help_says() -> None:
    assert (DOCS / "commands.md").read_text() == commands_page(), "run `make docs`"


@pytest.mark.parametrize("name", [*INSTRUCTIONS, *FUNCTIONS, *CODES])
def test_the_language_is_documented(name: str) -> None:
    assert f"`{name}" in (DOCS / "plan-language.md").read_text() or name in CODES


@pytest.mark.parametrize(
    "name", [tool.name for make in TOOLSETS.values() for tool in make(ToolSettings(ROOT))]
)
def test_every_built_in_tool_is_documented(name: str) -> None:
    assert f"`{name}" in (DOCS / "tools.md").read_text()


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_in_the_example(name: str) -> None:
    name = "stackvm_secret_name" if name == "secrets" else name
    assert re.search(rf"^#? ?{name.upper()}=", (ROOT / ".env.example").read_text(), re.MULTILINE)


PAGES = sorted([ROOT / "README.md", *DOCS.glob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
