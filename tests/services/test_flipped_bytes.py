"""One byte that changed, in every column of every row and in every file: ``fsck`` names it, replay isn't fooled."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from kept_tasks import fill, open_place

from app.db.models import metadata
from app.errors import StackVMError
from app.services.fsck import Finding, find_damage
from app.services.replays import replay_branch

UNSEEN = {
    ("leases", "owner"),
    ("leases", "expires_ms"),
    ("leases", "request"),
    ("leases", "requester"),
    ("repositories", "collected"),
    ("repositories", "created_ms"),
}
"""Columns whose every value might have been written; none of them holds anything of a task."""

SERVERS = ("jobs", "api_keys", "requests", "audit", "live", "tags", "proposals", "comments", "duties")
"""What a server has beside the tasks: no run depends on it."""

SUMMARIES = (("tasks", "planned_steps"), ("tasks", "worked_ms"), ("tasks", "usage"))
"""For lists; the history has them."""

COLUMNS = [
    (table.name, column.name)
    for table in metadata.sorted_tables
    if table.name not in SERVERS
    for column in table.c
    if (table.name, column.name) not in (*UNSEEN, *SUMMARIES)
]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """For each store a folder with tasks in it."""
    folders = {}
    for history in ("sql", "git"):
        folder = tmp_path_factory.mktemp(history)
        place, database = open_place(folder)
        fill(place, history)
        database.close()
        folders[history] = folder
    return folders


@pytest.fixture
def copy(filled: dict[str, Path], tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    return Path(shutil.copytree(filled[getattr(request, "param", "sql")], tmp_path / "copy"))


def looked_through(folder: Path) -> list[Finding]:
    """What fsck finds; and that replay, of whatever can be found, raises nothing it should not."""
    place, database = open_place(folder)
    try:
        findings = list(find_damage(place))
        for number in (1, 2, 3):
            try:
                task = place.tasks.find(f"{number:08d}")
                _, result = replay_branch(place, task, None)
            except StackVMError:
                continue
            assert result.divergence is not None or result.commits > 0
        return findings
    finally:
        database.close()


def damage(findings: list[Finding]) -> list[Finding]:
    return [finding for finding in findings if not finding.is_leftover]


@pytest.mark.parametrize("copy", ["sql", "git"], indirect=True)
def test_nothing_is_found_where_nothing_is_wrong(copy: Path) -> None:
    assert looked_through(copy) == []


def flips(value: object, table: str = "", column: str = "") -> Iterator[object]:
    if isinstance(value, int):
        # A lease's fence that rises, and a ref's that falls, might be: the bits that do the other are looked at.
        bits = {("leases", "fence"): value.bit_length() - 1, ("refs", "fence"): value.bit_length()}
        yield value ^ (1 << max(0, bits.get((table, column), 0)))
        return
    data = value.encode() if isinstance(value, str) else bytes(value)  # type: ignore[arg-type]
    for place, bit in ((len(data) // 2, 0x01), (len(data) - 1, 0x80)):
        changed = bytearray(data)
        changed[place] ^= bit
        yield bytes(changed)


@pytest.mark.parametrize(("table", "column"), COLUMNS, ids=lambda name: str(name))
def test_a_flipped_byte_in_a_row(copy: Path, table: str, column: str) -> None:
    path = copy / "var" / "stackvm.db"
    original = path.read_bytes()
    keys = [each.name for each in metadata.tables[table].primary_key]
    tried = 0
    for row in _rows(
        path,
        f"SELECT {', '.join(keys)}, {column}, typeof({column}) FROM {table} WHERE {column} IS NOT NULL",
    ):
        *key, value, kind = row
        for changed in flips(value, table, column):
            if (table, column) in (("refs", "fence"), ("leases", "fence")) and not _is_worse(
                table, value, changed
            ):
                continue
            path.write_bytes(original)
            where = " AND ".join(f"{name} IS ?" for name in keys)
            asked = "?" if kind != "text" else "CAST(? AS TEXT)"
            if not _change(path, f"UPDATE {table} SET {column} = {asked} WHERE {where}", (changed, *key)):
                continue
            found = looked_through(copy)
            tried += 1
            assert _is_told(table, column, found), (key, value, changed, found)
            assert all("\n" not in each.problem for each in found)
    assert tried


def _rows(path: Path, asking: str) -> list[tuple]:  # type: ignore[type-arg]
    connection = sqlite3.connect(path)
    try:
        rows = connection.execute(asking).fetchall()
    finally:
        connection.close()
    return rows if len(rows) <= 2 else [rows[0], rows[-1]]


def _change(path: Path, statement: str, values: tuple[object, ...]) -> bool:
    """Whether the database took it: two rows can't have one key."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA foreign_keys=OFF")
        connection.execute(statement, values)
    except sqlite3.IntegrityError:
        return False
    finally:
        connection.close()
    return True


def _is_worse(table: str, value: int, changed: object) -> bool:
    """A fence that is lower on a ref, or higher on a lease, is one that it may have had."""
    assert isinstance(changed, int)
    return changed > value if table == "refs" else changed < value


def _is_told(table: str, column: str, found: list[Finding]) -> bool:
    if table == "leases" and column in ("task_id", "branch"):
        # Whose fence it was is seen by the ref that had it; else it is one more lease of nobody.
        return bool(found)
    return bool(damage(found))
