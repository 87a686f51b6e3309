"""The command line on a folder of its own: a migrated SQLite database, some files, some tools."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# The helpers are no package, and may be asked for before anything beside them was collected.
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]

from command_line import TOOLS, CommandLine  # noqa: E402
from databases import create_schema  # noqa: E402
from fake_ollama import FakeOllama  # noqa: E402
from fake_openai import FakeOpenAI  # noqa: E402
from fake_server import running  # noqa: E402
from model_servers import ModelServer  # noqa: E402

from app.config import Settings  # noqa: E402
from app.db.session import open_database  # noqa: E402


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of a migrated database without rows: a copy is quicker than migrating."""
    path = tmp_path_factory.mktemp("schema") / "empty.db"
    database = open_database(f"sqlite:///{path}")
    create_schema(database)
    database.close()
    return path.read_bytes()


@pytest.fixture
def bare_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with tools and files, but no database."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "demo.py").write_text(TOOLS)
    (tmp_path / "poem.txt").write_text("roses\nviolets\n")
    monkeypatch.setenv("TOOLS_PATH", "tools")
    monkeypatch.setenv("STACKVM_USER", "tester")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def cli(bare_folder: Path, empty_database: bytes) -> CommandLine:
    commands = CommandLine(bare_folder)
    commands.database.parent.mkdir()
    commands.database.write_bytes(empty_database)
    return commands


@pytest.fixture(params=["openai", "ollama"])
def models(
    request: pytest.FixtureRequest, cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ModelServer]:
    """A server of each provider's protocol, and the settings that name it. Every request has to be answered."""
    with running({"openai": FakeOpenAI, "ollama": FakeOllama}[request.param]()) as server:
        yield ModelServer(request.param, server, cli, monkeypatch)
        assert [asked.messages for asked in server.unanswered] == []
