"""The command line on a folder of its own: a migrated SQLite database, some files, some tools."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# The helpers are no package, and may be asked for before anything beside them was collected.
TESTS = Path(__file__).parent.parent
sys.path[:0] = [str(TESTS / "cli"), str(TESTS), str(TESTS / "llm")]

from command_line import TOOLS, CommandLine  # noqa: E402
from databases import create_schema  # noqa: E402
from fake_ollama import FakeOllama  # noqa: E402
from fake_openai import FakeOpenAI  # noqa: E402
from fake_server import running  # noqa: E402
from model_servers import ModelServer  # noqa: E402

from app.config import SECRET_PREFIX, Settings  # noqa: E402
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
    names = {name.upper() for name in Settings.model_fields}
    for name in list(os.environ):
        if name.upper() in names or name.upper().startswith(SECRET_PREFIX):
            monkeypatch.delenv(name)
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


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeOpenAI]:
    """A server of the configured model, which says what the test has it say."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    with running(FakeOpenAI()) as fake:
        monkeypatch.setenv("LLM_PROVIDER", "openai")
        monkeypatch.setenv("LLM_MODEL", "m")
        monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret-key-0123456789")
        monkeypatch.setenv("OPENAI_BASE_URL", f"{fake.url}/v1")
        yield fake


@pytest.fixture(params=["openai", "ollama"])
def models(
    request: pytest.FixtureRequest, cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ModelServer]:
    """A server of each provider's protocol, and the settings that name it. Every request has to be answered."""
    with running({"openai": FakeOpenAI, "ollama": FakeOllama}[request.param]()) as server:
        yield ModelServer(request.param, server, cli, monkeypatch)
        assert [asked.messages for asked in server.unanswered] == []
