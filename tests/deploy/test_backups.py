"""The commands of docs/operations.md: a backup made while runs go on is whole, and they go on from it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from databases import KINDS, new_database
from served import ROOT, Served, free_port, serving

PAGE = (ROOT / "docs" / "operations.md").read_text()
TITLES = {"sqlite": "SQLite:", "mariadb": "MariaDB, MySQL:", "postgresql": "PostgreSQL:"}
PROGRAMS = {"sqlite": "python3", "mariadb": "mariadb-dump", "postgresql": "pg_dump"}


def commands(kind: str) -> tuple[str, str]:
    """How the page backs up and restores."""
    text = PAGE[PAGE.index(f"\n{TITLES[kind]}\n") :]
    backup, restore = re.findall(r"^    \$ (.*)$", text, re.MULTILINE)[:2]
    return backup, restore.split("     #")[0].strip()


def shell(command: str, url: str, folder: Path) -> None:
    """As an operator whose client is set up for the server, with another name for the database."""
    there = urlsplit(url)
    if there.scheme.startswith("mysql"):
        login = f"--protocol=tcp --host={there.hostname} --port={there.port} --user={there.username}"
        command = re.sub(r"\b(mariadb(?:-dump)?) ", rf"\1 {login} ", command)
    if there.scheme != "sqlite":
        command = re.sub(r"\bstackvm\b", there.path[1:], command)
    login_of_postgres = {
        "PGHOST": str(there.hostname),
        "PGPORT": str(there.port),
        "PGUSER": str(there.username),
    }
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**os.environ, **login_of_postgres},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def stackvm(folder: Path, url: str, *words: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "VAR_DIR": str(folder / "var"), "DATABASE_URI": url}
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Iterator[str]:
    name = str(request.param)
    if shutil.which(PROGRAMS[name]) is None:
        assert not os.environ.get("CI"), PROGRAMS[name]
        pytest.skip(f"there is no {PROGRAMS[name]}")
    yield name


NAP = {
    "type": "calling",
    "parameters": {"tool_name": "nap", "tool_params": {"seconds": "${{ n * 0 + 0.1 }}"}},
}


def long_run(served: Served) -> str:
    """Steps that each need the one before, for three seconds."""
    naps = []
    for number in range(30):
        step = {"type": "calling", "parameters": {**NAP["parameters"], "output_vars": "n"}}
        naps.append(step if number else {"type": "assign", "parameters": {"n": 0}})
    return served.submit(*naps, {"type": "assign", "parameters": {"final_answer": "${n}"}})


def test_a_backup_made_while_runs_go_on_is_whole_and_they_go_on_from_it(kind: str, tmp_path: Path) -> None:
    backup, restore = commands(kind)
    old, new = tmp_path / "old", tmp_path / "new"
    for folder in (old, new, new / "var", new / "tools"):
        folder.mkdir()
    with new_database(kind) as source, new_database(kind) as target:
        settings = {} if kind == "sqlite" else {"DATABASE_URI": source}
        with serving(old, workers=1, **settings) as served:
            ended = served.submit({"type": "assign", "parameters": {"final_answer": 42}})
            served.wait(ended)
            under_way = long_run(served)
            served.wait(under_way, "running")
            shell(backup, source, old)
            assert served.client.get(f"/api/tasks/{under_way}").json()["status"] == "running"
            served.wait(under_way)
            environment = served._environment
        for path in old.glob("backup.*"):
            path.rename(new / path.name)
        if kind == "sqlite":
            target = f"sqlite:///{new}/var/stackvm.db"
            (new / "var" / "stackvm.db-wal").write_bytes(b"left of another")
        shell(restore, target, new)
        stackvm(new, target, "-m", "alembic", "--config", str(ROOT / "migrations.ini"), "upgrade", "head")
        assert "clean" in stackvm(new, target, "-c", "from app.cli import main; main()", "fsck")
        shutil.copy(old / "tools" / "own.py", new / "tools")
        there = {"VAR_DIR": str(new / "var"), "DATABASE_URI": target, "TOOLS_PATH": str(new / "tools")}
        again = Served(new, free_port(), {**environment, **there, "LEASE_SECONDS": "2"}, 1)
        try:
            again.wait(under_way)
            assert again.client.get(f"/api/tasks/{ended}/report").json()["final_answer"] == 42
        finally:
            again.client.close()
            again.stop()
