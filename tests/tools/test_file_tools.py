from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from app.tools import Cancellation, Cancelled, ToolContext
from app.tools.files import MAX_HITS, file_tools
from app.tools.globs import Glob
from app.tools.linesearch import find_lines, lines_of
from app.tools.rooted import MAX_FILE_BYTES, Root

CONTEXT = ToolContext()


@pytest.fixture
def root(tmp_path) -> Path:
    root = tmp_path / "root"
    for path, text in {
        "a.py": "import os\n\nvalue = 1\n",
        "b.txt": "no newline at the end",
        "empty": "",
        ".env": "secret",
        "pkg/c.py": "VALUE = 'ä'\r\nother\r\n",
        "pkg/deep/d.py": "value = 2\n",
        "pkg-more/e.py": "value = 3\n",
        ".git/config": "value = 4\n",
        ".github/flow.yml": "value = 5\n",
    }.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode())
    (tmp_path / "outside.txt").write_text("value = secret\n")
    (tmp_path / "root-beside").mkdir()
    (tmp_path / "root-beside" / "x").write_text("x")
    return root


@pytest.fixture
def tools(root):
    return {each.name: each for each in file_tools(root)}


@pytest.fixture
def paths(tools):
    def listed(*arguments: str) -> list[str]:
        return [each["path"] for each in tools["list_files"](CONTEXT, *arguments)]

    return listed


def test_the_tools_only_read_and_tell_what_they_return(tools):
    assert list(tools) == ["list_files", "read_file", "search_text"]
    for each in tools.values():
        assert each.effect == "read"
        assert each.result is not None
    assert tools["read_file"].result["required"] == ["path", "text", "lines"]
    assert tools["list_files"].result["items"]["required"] == ["path", "size"]
    assert tools["search_text"].result["items"]["required"] == ["path", "line", "text"]


def test_versions_do_not_depend_on_the_folder(tools, tmp_path):
    assert [each.version for each in file_tools(tmp_path)] == [each.version for each in tools.values()]


def test_files_are_listed_with_their_sizes(tools):
    assert tools["list_files"](CONTEXT) == [
        {"path": "a.py", "size": 21},
        {"path": "b.txt", "size": 21},
        {"path": "empty", "size": 0},
    ]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((".", "*.py"), ["a.py"]),
        ((".", "**/*.py"), ["a.py", "pkg-more/e.py", "pkg/c.py", "pkg/deep/d.py"]),
        ((".", "**"), ["a.py", "b.txt", "empty", "pkg-more/e.py", "pkg/c.py", "pkg/deep/d.py"]),
        ((".", "*/*.py"), ["pkg-more/e.py", "pkg/c.py"]),
        ((".", "pkg/**/d.py"), ["pkg/deep/d.py"]),
        ((".", ".*"), [".env"]),
        ((".", ".github/**"), [".github/flow.yml"]),
        ((".", "**/.git/*"), [".git/config"]),
        ((".github", "*"), [".github/flow.yml"]),
        (("pkg", "**/*.py"), ["pkg/c.py", "pkg/deep/d.py"]),
        (("pkg/", "[cd].py"), ["pkg/c.py"]),
        (("pkg/../pkg/deep",), ["pkg/deep/d.py"]),
        ((".", "*.PY"), []),
    ],
)
def test_patterns_choose_files_below_the_path(paths, arguments, expected):
    assert paths(*arguments) == expected


def test_an_absolute_path_inside_is_as_good_as_a_relative_one(tools, root):
    assert tools["read_file"](str(root / "pkg" / "c.py"))["path"] == "pkg/c.py"


@pytest.mark.parametrize(
    "path", ["..", "../outside.txt", "pkg/../../outside.txt", "/etc/hostname", "../root-beside/x", "/"]
)
@pytest.mark.parametrize("name", ["list_files", "read_file", "search_text"])
def test_no_path_leads_out(tools, name, path):
    arguments = {"path": path} | ({"pattern": "."} if name == "search_text" else {})
    if name != "read_file":
        arguments["context"] = CONTEXT
    with pytest.raises(PermissionError, match="outside"):
        tools[name](**arguments)


def test_a_pattern_does_not_lead_out(tools):
    for pattern in ("../*", "/etc/*", "pkg/../../*", ""):
        with pytest.raises(ValueError, match="pattern"):
            tools["list_files"](CONTEXT, ".", pattern)


def test_no_link_leads_out(tools, paths, root, tmp_path):
    (root / "file-link").symlink_to(tmp_path / "outside.txt")
    (root / "folder-link").symlink_to(tmp_path)
    (root / "hop").symlink_to("folder-link")
    for path in ("file-link", "folder-link/outside.txt", "hop/outside.txt"):
        with pytest.raises(PermissionError, match="outside"):
            tools["read_file"](path)
    assert not [path for path in paths(".", "**") if "link" in path or "hop" in path]
    assert tools["search_text"](CONTEXT, "secret") == []


def test_a_link_that_stays_inside_can_be_read(tools, root):
    (root / "inner").symlink_to("pkg")
    assert tools["read_file"]("inner/deep/d.py") == {
        "path": "pkg/deep/d.py",
        "text": "value = 2\n",
        "lines": 1,
    }


def test_a_link_put_in_place_after_the_check_is_not_followed(root, tmp_path):
    rooted = Root(root)
    parts = rooted.locate("pkg/c.py")
    (root / "pkg").rename(root / "moved")
    (tmp_path / "c.py").write_text("stolen")
    (root / "pkg").symlink_to(tmp_path)
    with pytest.raises(OSError, match=r"pkg/c\.py"):
        rooted.read_text(parts)


def test_links_in_a_circle_are_no_file(tools, root):
    (root / "x").symlink_to("y")
    (root / "y").symlink_to("x")
    with pytest.raises(OSError, match="'x'"):
        tools["read_file"]("x")


def test_a_file_is_read_exactly(tools):
    assert tools["read_file"]("pkg/c.py") == {
        "path": "pkg/c.py",
        "text": "VALUE = 'ä'\r\nother\r\n",
        "lines": 2,
    }
    assert tools["read_file"]("b.txt")["lines"] == 1
    assert tools["read_file"]("empty") == {"path": "empty", "text": "", "lines": 0}


@pytest.mark.parametrize(
    ("text", "count"), [("", 0), ("\n", 1), ("a", 1), ("a\n", 1), ("a\n\n", 2), ("a\nb", 2)]
)
def test_lines_are_counted_as_an_editor_does(text, count):
    assert len(lines_of(text)) == count


@pytest.mark.parametrize(
    ("path", "error", "text"),
    [
        ("none.py", FileNotFoundError, "there is no 'none.py'"),
        ("none/x.py", FileNotFoundError, "there is no 'none/x.py'"),
        ("a.py/x", FileNotFoundError, "there is no 'a.py/x'"),
        ("pkg", IsADirectoryError, "'pkg' is a folder"),
        ("", IsADirectoryError, "'.' is a folder"),
        ("a\0b", ValueError, "null character"),
        ("latin", ValueError, "'latin' is not UTF-8 text: byte 0xe4 at 1"),
        ("nulls", ValueError, "'nulls' is not text: a null byte at 1"),
        ("huge", ValueError, "has 8,388,609 bytes, the limit is 8 MiB"),
        ("pipe", ValueError, "'pipe' is not a regular file"),
    ],
)
def test_what_cannot_be_read_is_said_clearly(tools, root, path, error, text):
    (root / "latin").write_bytes(b"n\xe4h")
    (root / "nulls").write_bytes(b"a\0b")
    (root / "huge").write_bytes(b"x" * (MAX_FILE_BYTES + 1))
    os.mkfifo(root / "pipe")
    with pytest.raises(error) as caught:
        tools["read_file"](path)
    assert text in str(caught.value)


def test_a_folder_is_expected_where_files_are_listed(tools):
    with pytest.raises(NotADirectoryError, match=r"'a\.py' is not a folder"):
        tools["list_files"](CONTEXT, "a.py")
    with pytest.raises(FileNotFoundError, match="there is no 'none'"):
        tools["list_files"](CONTEXT, "none")


def test_names_that_are_not_utf8_are_listed_with_escapes(paths, root):
    try:
        Path(os.fsdecode(os.fsencode(root) + b"/n\xe4me")).write_text("x")
    except OSError:
        pytest.skip("this file system refuses the name")
    assert "n\\xe4me" in paths()


def test_lines_are_found_in_order_of_path_and_line(tools):
    assert tools["search_text"](CONTEXT, r"(?i)value\s*=") == [
        {"path": "a.py", "line": 3, "text": "value = 1"},
        {"path": "pkg-more/e.py", "line": 1, "text": "value = 3"},
        {"path": "pkg/c.py", "line": 1, "text": "VALUE = 'ä'"},
        {"path": "pkg/deep/d.py", "line": 1, "text": "value = 2"},
    ]


@pytest.mark.parametrize("pattern", ["^value", "v[a]lue", "value = \\d$"])
def test_plain_and_other_patterns_find_the_same(tools, pattern):
    hits = tools["search_text"](CONTEXT, pattern, "pkg/deep")
    assert hits == [{"path": "pkg/deep/d.py", "line": 1, "text": "value = 2"}]


def test_one_file_can_be_searched(tools):
    assert tools["search_text"](CONTEXT, "value", "a.py") == [
        {"path": "a.py", "line": 3, "text": "value = 1"}
    ]


def test_a_hidden_folder_is_searched_when_it_is_named(tools):
    assert [hit["path"] for hit in tools["search_text"](CONTEXT, "value", ".git")] == [".git/config"]


def test_files_that_are_not_text_are_passed_over(tools, root):
    (root / "pkg" / "binary").write_bytes(b"value\0\xff")
    assert len(tools["search_text"](CONTEXT, "value", "pkg")) == 1


@pytest.mark.parametrize("pattern", ["((", "[z-a]", "\\1", "", "x" * 1001, "(" * 900])
def test_what_is_no_expression_is_said(tools, pattern):
    with pytest.raises(ValueError, match=r"pattern|regular expression"):
        tools["search_text"](CONTEXT, pattern)


def test_an_expression_is_checked_even_where_there_is_no_file(tools, root):
    (root / "none").mkdir()
    with pytest.raises(ValueError, match="no regular expression"):
        tools["search_text"](CONTEXT, "((", "none")


def test_too_many_hits_are_an_error_rather_than_half_an_answer(tools, root):
    (root / "many").write_text("hit\n" * MAX_HITS)
    assert len(tools["search_text"](CONTEXT, "hit", "many")) == MAX_HITS
    (root / "many").write_text("hit\n" * (MAX_HITS + 1))
    with pytest.raises(ValueError, match="more than 1,000 lines match"):
        tools["search_text"](CONTEXT, "hit", "many")


def test_a_long_line_is_cut(tools, root):
    (root / "long").write_text("x" * 5_000)
    assert tools["search_text"](CONTEXT, "x", "long")[0]["text"] == "x" * 1_000 + "…"


def test_an_expression_that_never_ends_is_ended():
    began = time.monotonic()
    with pytest.raises(TimeoutError, match="exponential"):
        find_lines("(a+)+$", ["a" * 50 + "!"], 10, lambda: None, max_seconds=0.5)
    assert time.monotonic() - began < 5


def test_a_search_stops_when_it_is_asked_to():
    cancellation = Cancellation()
    looks = 0

    def check() -> None:
        nonlocal looks
        looks += 1
        if looks == 3:
            cancellation.request()
        cancellation.raise_if_requested()

    with pytest.raises(Cancelled):
        find_lines("(a+)+$", ["a" * 50 + "!"], 10, check)


def test_listing_stops_when_it_is_asked_to(tools):
    cancellation = Cancellation()
    cancellation.request()
    with pytest.raises(Cancelled):
        tools["list_files"](ToolContext(cancellation=cancellation))


def test_a_pattern_of_many_stars_takes_no_time():
    glob = Glob("/".join(["**", "a"] * 40).removeprefix("/"))
    states = glob.start
    for _ in range(2_000):
        states = glob.follow(states, "a")
    assert glob.is_match(states)
