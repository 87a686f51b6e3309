"""A database of each kind, with all tables and no rows."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.db.session import Database, open_database

sys.path.insert(0, str(Path(__file__).parent.parent))

from databases import KINDS, shared_database


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return shared_database(request.param, tmp_path)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = open_database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Database]:
    """For what is the same on every database."""
    opened = open_database(shared_database("sqlite", tmp_path))
    yield opened
    opened.close()
