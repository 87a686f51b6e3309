"""Imports go down only. The rooms stand in ``app/__init__.py``; this is what holds them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

APP = Path(__file__).parent.parent / "app"

LAYERS = [
    {"server"},
    {"cli"},
    {"bootstrap"},
    {"web"},
    {"api", "worker", "remote"},
    {"services"},
    {"observability"},
    {"vm", "planner"},
    {"queue"},
    {"history", "tools", "db", "llm"},
    {"plan"},
    {"config"},
    {"errors", "crash_points", "log_fields"},
]
"""From the doors down. A room may import those below it."""

BESIDE = {("history", "db")}
"""Rooms of one layer that may meet all the same: the history's SQL store stands on the database."""

LATE_IMPORTS = {
    "__init__.py": "create_app, the factory",
    "cli": "command groups are loaded when they are called",
    "tools/autoflow.py": "an HTTP client takes a tenth of a second to load, and few runs need it",
    "observability/opening.py": "what nobody asked for is not loaded: a tenth of a second each",
    "llm/factory.py": "an SDK takes a third of a second to load, and at most two are used",
}
"""Where an import inside a function is no smell, and why."""

LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}


def room_of(path: Path) -> str:
    relative = path.relative_to(APP)
    return relative.parts[0].removesuffix(".py")


def modules() -> list[Path]:
    return sorted(path for path in APP.rglob("*.py") if path != APP / "__init__.py")


def imported_rooms(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name the whole path"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "app" and len(parts) > 1:
                yield node.lineno, parts[1]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(APP)))
def test_a_room_imports_only_what_lies_below_it(path: Path) -> None:
    room = room_of(path)
    for line, other in imported_rooms(ast.parse(path.read_text())):
        if other == room or (room, other) in BESIDE:
            continue
        assert LEVEL[other] > LEVEL[room], f"{path.name}:{line}: {room} must not import {other}"


def late_imports(tree: ast.AST) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from (
                inner.lineno for inner in ast.walk(node) if isinstance(inner, ast.Import | ast.ImportFrom)
            )


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(APP)))
def test_no_function_imports(path: Path) -> None:
    if {room_of(path), path.relative_to(APP).as_posix()} & LATE_IMPORTS.keys():
        return
    assert list(late_imports(ast.parse(path.read_text()))) == []


def test_only_the_configuration_reads_the_environment() -> None:
    readers = []
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv", "environb"):
                readers.append(path.relative_to(APP).as_posix())
    assert set(readers) <= {"config.py"}


def test_only_bootstrap_names_concrete_adapters() -> None:
    adapters = {
        "SqlStoreFactory",
        "GitStoreFactory",
        "MemoryStoreFactory",
        "SqlLedger",
        "SqlLeases",
        "SqlTasks",
    }
    for path in modules():
        if room_of(path) in ("services", "vm", "cli", "plan"):
            names = {node.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)}
            assert not names & adapters, path


def test_every_room_has_a_level() -> None:
    assert {room_of(path) for path in modules()} <= set(LEVEL)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(APP)))
def test_rooms_are_small(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400, f"{path.name}: is this still one idea?"
