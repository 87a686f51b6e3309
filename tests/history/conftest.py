"""The stores under test: each value of ``store_kind`` is one kind of store, on storage where nothing is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from app.history.base import Store, StoreFactory
from app.history.git_store import GitStoreFactory
from app.history.memory_store import MemoryStoreFactory

# Helpers of all tests lie one folder up.
sys.path.insert(0, str(Path(__file__).parent.parent))


@pytest.fixture(params=["memory", "git", "sql-sqlite", "sql-mariadb", "sql-postgresql"])
def store_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def opener(store_kind: str, tmp_path: Path) -> Callable[[], StoreFactory]:
    """Opens the storage under test, each time as another process would; can be sent to one."""
    if store_kind == "memory":
        factory = MemoryStoreFactory()
        return lambda: factory
    if store_kind == "git":
        return partial(GitStoreFactory, tmp_path / "repositories")
    # Late: the tests of the other stores need no database.
    from databases import history_opener

    return history_opener(store_kind.removeprefix("sql-"), tmp_path)


@pytest.fixture
def durable(store_kind: str) -> bool:
    """Whether another process sees what was written."""
    return store_kind != "memory"


@pytest.fixture
def store_factory(opener: Callable[[], StoreFactory]) -> StoreFactory:
    return opener()


@pytest.fixture
def store(store_factory: StoreFactory) -> Iterator[Store]:
    """An empty repository."""
    created = store_factory.create("task")
    yield created
    created.close()
