from __future__ import annotations

import sys
from pathlib import Path
from textwrap import dedent

import pytest

from app.errors import ConfigurationError
from app.tools.loader import load_registry

BUILT_IN = [
    "list_files", "llm_generate", "read_file", "retrieve_knowledge_graph", "search_text", "vector_search",
]  # fmt: skip


def write(folder: Path, name: str, source: str) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(dedent(source), encoding="utf-8")
    return file


def load(*folders: Path, entry_points: bool = False):
    return load_registry(folders, tools_root=Path(__file__).parent, entry_points=entry_points)


def own_names(registry) -> list[str]:
    return [each.name for each in registry.list() if each.name not in BUILT_IN]


def complaint(*folders: Path, entry_points: bool = False) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(*folders, entry_points=entry_points)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_without_folders_the_built_in_tools_are_there():
    assert [each.name for each in load().list()] == BUILT_IN


def test_files_find_the_decorator_both_ways_and_their_siblings(tmp_path):
    write(tmp_path, "_shared.py", "def double(x): return 2 * x")
    write(
        tmp_path,
        "numbers.py",
        """
        from . import tool, ToolContext, NotPerformed
        from ._shared import double

        @tool(effect="pure")
        def twice(x: int, context: ToolContext) -> int:
            'Double a number.'
            return double(x)
        """,
    )
    write(
        tmp_path,
        "texts.py",
        """
        from app.tools import tool
        from .numbers import twice

        @tool(effect="pure")
        def shout(text: str) -> str:
            'Make it loud.'
            return text.upper()
        """,
    )
    registry = load(tmp_path)
    assert own_names(registry) == ["shout", "twice"]
    assert registry.get("twice")(4, None) == 8
    assert registry.get("shout").place == f"{tmp_path / 'texts.py'}:5"


def test_files_with_underscores_dots_and_other_endings_are_not_scanned(tmp_path):
    tool_source = "from . import tool\n@tool\ndef hidden():\n    'Doc.'\n"
    for name in ("_own.py", ".swap.py", "notes.txt"):
        write(tmp_path, name, tool_source)
    assert own_names(load(tmp_path)) == []


def test_an_init_file_is_the_packages_own(tmp_path):
    write(tmp_path, "__init__.py", "LIMIT = 3")
    write(tmp_path, "a.py", "from . import LIMIT, tool\n@tool\ndef f(x=LIMIT):\n    'Doc.'\n")
    assert load(tmp_path).get("f").parameters["properties"] == {"x": {"default": 3}}


def test_library_functions_and_own_decorators_make_tools_too(tmp_path):
    write(
        tmp_path,
        "_own.py",
        """
        from . import tool
        def reader(function):
            return tool(effect="read")(function)
        """,
    )
    write(
        tmp_path,
        "a.py",
        """
        import textwrap
        from . import tool
        from ._own import reader

        short = tool(name="short", effect="pure")(textwrap.shorten)
        same = short

        @reader
        def mine():
            'Doc.'
        """,
    )
    registry = load(tmp_path)
    assert own_names(registry) == ["mine", "short"]
    assert registry.get("short")("a  b", 10) == "a b"


def test_two_folders_may_hold_files_of_the_same_name(tmp_path):
    for name in ("one", "two"):
        write(tmp_path / name, "tools.py", f"from . import tool\n@tool\ndef {name}():\n    'Doc.'\n")
    registry = load(tmp_path / "one", tmp_path / "two", tmp_path / "one")
    assert own_names(registry) == ["one", "two"]


def test_loading_again_sees_what_changed(tmp_path):
    write(tmp_path, "a.py", "from . import tool\n@tool\ndef before():\n    'Doc.'\n")
    assert own_names(load(tmp_path)) == ["before"]
    write(tmp_path, "a.py", "from . import tool\n@tool\ndef afterwards():\n    'Doc.'\n")
    assert own_names(load(tmp_path)) == ["afterwards"]


def test_the_same_name_twice_names_both_places(tmp_path):
    for name in ("a.py", "b.py"):
        write(tmp_path, name, "from . import tool\n@tool\ndef same():\n    'Doc.'\n")
    text = complaint(tmp_path)
    assert f"{tmp_path / 'a.py'}:2" in text and f"{tmp_path / 'b.py'}:2" in text


@pytest.mark.parametrize(
    ("source", "line", "cause"),
    [
        ("x = 1\ndef f(:\n", 2, "SyntaxError: "),
        (
            "\nimport no_such_module_anywhere\n",
            2,
            "ModuleNotFoundError: No module named 'no_such_module_anywhere'",
        ),
        ("from . import nothing_here\n", 1, "ImportError: "),
        ("def f():\n    return 1 / 0\nf()\n", 2, "ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)\n", 1, "SystemExit: 3"),
        ("raise ValueError('two\\nlines')\n", 1, "ValueError: two lines"),
        ("import json\njson.loads('{')\n", 2, "JSONDecodeError: "),
        ("from . import tool\n@tool\ndef f():\n    pass\n", 2, "it has no docstring"),
    ],
)
def test_a_broken_file_is_named_with_line_and_cause(tmp_path, source, line, cause):
    file = write(tmp_path, "broken.py", source)
    text = complaint(tmp_path)
    assert text.startswith(f"{file}:{line}: ")
    assert cause in text


def test_a_file_that_is_not_text_is_named(tmp_path):
    (tmp_path / "broken.py").write_bytes(b"\xff\xfe\x00")
    assert str(tmp_path / "broken.py") in complaint(tmp_path)


def test_a_missing_folder_is_named(tmp_path):
    assert f"TOOLS_PATH: no folder {tmp_path / 'none'}" in complaint(tmp_path / "none")
    assert "is not a folder" in complaint(write(tmp_path, "a.py", ""))


@pytest.mark.parametrize("name", ["tool.py", "a.b.py"])
def test_file_names_that_cannot_be_imported_are_refused(tmp_path, name):
    write(tmp_path, name, "")
    assert "rename the file" in complaint(tmp_path)


def test_a_missing_tools_root_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match="TOOLS_ROOT: no folder"):
        load_registry([], tools_root=tmp_path / "none")


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Puts a distribution with one entry point on the path."""

    def installed(value: str, source: str) -> None:
        site = tmp_path / "site"
        package = site / "sample_tools"
        package.mkdir(parents=True)
        write(package, "__init__.py", "from .parts import *\n")
        write(package, "parts.py", source)
        info = site / "sample_tools-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: sample-tools\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[stackvm.tools]\nsample = {value}\n")
        monkeypatch.syspath_prepend(site)

    yield installed
    for name in [name for name in sys.modules if name.split(".")[0] == "sample_tools"]:
        del sys.modules[name]


SAMPLE = """
from app.tools import tool

@tool
def first():
    'Doc.'

@tool
def second():
    'Doc.'

both = [first, second]
number = 3
"""


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("sample_tools", ["first", "second"]),
        ("sample_tools.parts", ["first", "second"]),
        ("sample_tools:first", ["first"]),
        ("sample_tools:both", ["first", "second"]),
    ],
)
def test_installed_packages_bring_tools(install, value, names):
    install(value, SAMPLE)
    assert own_names(load(entry_points=True)) == names
    assert own_names(load(entry_points=False)) == []


@pytest.mark.parametrize(
    ("value", "cause"),
    [
        ("sample_tools:number", "found int"),
        ("sample_tools:missing", "AttributeError"),
        ("sample_tools.none", "ModuleNotFoundError"),
    ],
)
def test_a_broken_entry_point_is_named(install, value, cause):
    install(value, SAMPLE)
    text = complaint(entry_points=True)
    assert f"entry point sample = {value}" in text and cause in text


def test_a_tool_that_changed_within_the_second_is_the_new_one(tmp_path: Path) -> None:
    for number in (2, 3, 4):
        (tmp_path / "quick.py").write_text(
            f'from app.tools import tool\n\n\n@tool(effect="pure")\ndef times(n: int) -> int:\n    """Times."""\n'
            f"    return {number} * n\n"
        )
        assert load_registry([tmp_path], tools_root=tmp_path).get("times")(n=1) == number
