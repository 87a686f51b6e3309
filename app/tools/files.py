"""The built-in toolset ``files``: list, read and search text files below ``TOOLS_ROOT``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from typing_extensions import TypedDict

from app.tools.base import Tool
from app.tools.context import Cancellation, ToolContext
from app.tools.decorator import tool
from app.tools.globs import Glob, States
from app.tools.linesearch import find_lines, lines_of
from app.tools.rooted import Parts, Root, show

MAX_FILES: Final = 100_000
MAX_HITS: Final = 1_000
_BATCH_CHARACTERS: Final = 4 * 1024 * 1024
_SECONDS: Final = 60.0


class ListedFile(TypedDict):
    """A file: ``path`` relative to the root, ``size`` in bytes."""

    path: str
    size: int


class FileText(TypedDict):
    """A file's whole text, and how many lines it has."""

    path: str
    text: str
    lines: int


class FoundLine(TypedDict):
    """A line that matches: its number, from 1, and its text."""

    path: str
    line: int
    text: str


def file_tools(root: Path) -> list[Tool]:
    """The toolset for one folder. Raises ``ConfigurationError`` where there is none.

    The versions are given by hand: the tools' sources don't hold all that decides what they return.
    """
    rooted = Root(root)

    @tool(effect="read", timeout=_SECONDS, version="files-1")
    def list_files(context: ToolContext, path: str = ".", pattern: str = "*") -> list[ListedFile]:
        """List the files of a folder, sorted by path: each with its path and its size in bytes.

        `path` is a folder. `pattern` is a glob for paths below it: `*.py` for the folder itself, `**/*.py`
        for all folders below it as well. Names that begin with a dot are left out, unless the pattern names
        the dot (`.github/**`). Links are left out. The paths are what read_file takes.
        """
        return _listed(rooted, rooted.locate(path), Glob(pattern), context.cancellation)

    @tool(effect="read", version="files-1")
    def read_file(path: str) -> FileText:
        """Read a text file: its path, its whole text, and the number of its lines.

        The file must be UTF-8 text of at most 8 MiB.
        """
        parts = rooted.locate(path)
        text = rooted.read_text(parts)
        return {"path": show(parts), "text": text, "lines": len(lines_of(text))}

    @tool(effect="read", timeout=_SECONDS, version="files-1")
    def search_text(context: ToolContext, pattern: str, path: str = ".") -> list[FoundLine]:
        """Find the lines that match a regular expression, sorted by path and line: path, line number, text.

        `pattern` is a Python regular expression, found anywhere in a line. `path` is a file, or a folder to
        search with all folders below it. Passed over: names that begin with a dot, links, and files that
        are not UTF-8 text or above 8 MiB. A line above 1,000 characters is cut. More than 1,000 matching
        lines are an error.
        """
        return _found(rooted, pattern, path, context.cancellation)

    return [list_files, read_file, search_text]


def _listed(root: Root, folder: Parts, glob: Glob, cancellation: Cancellation) -> list[ListedFile]:
    return [{"path": show(parts), "size": size} for parts, size in _walk(root, folder, glob, cancellation)]


def _walk(root: Root, folder: Parts, glob: Glob, cancellation: Cancellation) -> list[tuple[Parts, int]]:
    """The files below ``folder`` that fit, with their sizes, sorted by path as text."""
    found: list[tuple[Parts, int]] = []
    left: list[tuple[Parts, States]] = [(folder, glob.start)]
    while left:
        cancellation.raise_if_requested()
        parts, states = left.pop()
        try:
            entries = root.entries(parts)
        except OSError:
            if parts == folder:
                raise
            continue  # removed meanwhile, or closed to us: the rest is still worth having
        for entry in entries:
            reached = glob.follow(states, entry.name)
            below = (*parts, entry.name)
            if entry.is_folder and glob.may_go_on(reached):
                left.append((below, reached))
            elif not entry.is_folder and glob.is_match(reached):
                found.append((below, entry.size))
        if len(found) > MAX_FILES:
            raise ValueError(f"more than {MAX_FILES:,} files; narrow the path or the pattern")
    return sorted(found, key=lambda item: "/".join(item[0]))


def _found(root: Root, pattern: str, path: str, cancellation: Cancellation) -> list[FoundLine]:
    hits: list[FoundLine] = []
    for batch in _batches(root, root.locate(path), cancellation):
        texts = [text for _, text in batch]
        found = find_lines(pattern, texts, MAX_HITS + 1 - len(hits), cancellation.raise_if_requested)
        hits += [{"path": show(batch[index][0]), "line": line, "text": text} for index, line, text in found]
        if len(hits) > MAX_HITS:
            raise ValueError(f"more than {MAX_HITS:,} lines match; narrow the pattern or the path")
    return hits


def _batches(root: Root, place: Parts, cancellation: Cancellation) -> Iterator[list[tuple[Parts, str]]]:
    """The texts at or below a place, some megabytes at a time. One batch at least: it checks the pattern."""
    batch: list[tuple[Parts, str]] = []
    characters = 0
    for parts, text in _texts(root, place, cancellation):
        batch.append((parts, text))
        characters += len(text)
        if characters > _BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    yield batch


def _texts(root: Root, place: Parts, cancellation: Cancellation) -> Iterator[tuple[Parts, str]]:
    try:
        yield place, root.read_text(place)
        return
    except IsADirectoryError:
        files = _walk(root, place, Glob("**"), cancellation)
    for parts, _ in files:
        cancellation.raise_if_requested()
        try:
            yield parts, root.read_text(parts)
        except (OSError, ValueError):
            continue  # not text, too long, or gone: as the tool's description says
