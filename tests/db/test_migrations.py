"""The migrations, up and down, on every database; and that the models are what they make."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from databases import KINDS, create_schema, new_database
from sqlalchemy import inspect, text

from alembic import command
from app.db.models import SCHEMA_REVISION, metadata
from app.db.session import Database, open_database
from app.errors import ConfigurationError

ROOT = Path(__file__).parents[2]

# Every table as the database itself would make it again.
SCHEMAS = {
    "sqlite": "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name",
    "postgresql": "SELECT table_name || '.' || column_name, concat_ws(' ', data_type, is_nullable, collation_name,"
    " column_default, character_maximum_length) FROM information_schema.columns"
    " WHERE table_schema = 'public' ORDER BY 1",
}


@pytest.fixture(params=KINDS)
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with new_database(request.param, tmp_path) as url:
        database = open_database(url)
        yield database
        database.close()


def config(database: Database) -> Config:
    made = Config(str(ROOT / "migrations.ini"))
    made.attributes["database"] = database
    return made


def test_the_models_are_what_the_migrations_make(empty: Database) -> None:
    command.upgrade(config(empty), "head")
    empty.check_schema()
    with empty.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_the_models_make_the_same_tables_to_the_letter(empty: Database, tmp_path: Path) -> None:
    """What the comparison above does not look at: collations, clustering, storage engines."""
    command.upgrade(config(empty), "head")
    kind = "mariadb" if empty.kind == "mysql" else empty.kind
    with new_database(kind, tmp_path) as url:
        other = open_database(url)
        create_schema(other)
        assert schema(other) == schema(empty)
        other.close()


def test_down_leaves_nothing_and_up_again_works(empty: Database) -> None:
    command.upgrade(config(empty), "head")
    command.downgrade(config(empty), "base")
    with empty.read() as connection:
        assert set(inspect(connection).get_table_names()) <= {"alembic_version"}
    with pytest.raises(ConfigurationError, match="make migrate"):
        empty.check_schema()
    command.upgrade(config(empty), "head")
    command.upgrade(config(empty), "head")
    empty.check_schema()


def test_this_version_wants_the_last_migration() -> None:
    assert ScriptDirectory(str(ROOT / "alembic")).get_heads() == [SCHEMA_REVISION]


@pytest.mark.parametrize("program", [["-m", "alembic"], ["-c", "from alembic.config import main; main()"]])
def test_works_from_the_projects_folder(
    program: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a folder named as the library is lies beside."""
    monkeypatch.setenv("DATABASE_URI", f"sqlite:///{tmp_path}/var/x.db")
    arguments = [sys.executable, *program, "-c", "migrations.ini", "upgrade", "head"]
    subprocess.run(arguments, cwd=ROOT, check=True, capture_output=True)
    database = open_database(f"sqlite:///{tmp_path}/var/x.db")
    database.check_schema()
    database.close()


def test_a_database_that_cant_be_reached_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URI", "mysql://root@127.0.0.1:1/x")
    arguments = [sys.executable, "-m", "alembic", "-c", "migrations.ini", "upgrade", "head"]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "can't be reached" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def schema(database: Database) -> list[tuple[str, str]]:
    with database.read() as connection:
        if database.kind == "mysql":
            rows = []
            for table in metadata.sorted_tables:
                name, sql = connection.execute(text(f"SHOW CREATE TABLE {table.name}")).one()
                rows.append((name, _with_sorted_keys(sql)))
        else:
            rows = list(connection.execute(text(SCHEMAS[database.kind])))
    normal = [(name, " ".join(re.sub(r"([(),])", r" \1 ", sql).split())) for name, sql in rows]
    return [row for row in normal if "alembic_version" not in row[0]]


def _with_sorted_keys(sql: str) -> str:
    """Several indexes of a table stand in the order in which they were made, which means nothing."""
    lines = [line.rstrip(",") for line in sql.splitlines()]
    keys = sorted(line for line in lines if line.lstrip().startswith("KEY "))
    return "\n".join([*(line for line in lines if line not in keys), *keys])
