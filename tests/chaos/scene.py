"""A scenario's place: a folder of its own with a database, a plan and a world; commands are run in it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from databases import create_schema, new_database

from app.db.session import open_database
from chaos.child import Arm, Child, in_fork, start_reader, stop_reader
from chaos.looking import Sight, sight, watch
from chaos.plans import RandomPlan, random_plan, replies
from chaos.world import Line, read_world

STORES: Final = ("sql", "git", "mariadb")
WIDTHS: Final = (1, 8)
KINDS: Final = ("given", "planned", "revised")
"""Where the plan comes from: a file; a model, which has to write it twice; a file, and it fails and is revised."""

TOOLBOX: Final = Path(__file__).parent / "toolbox"


@dataclass(frozen=True, slots=True)
class Setting:
    """What a scenario is made of."""

    plan_seed: int
    store: str = "sql"
    width: int = 1
    kind: str = "given"
    lease_seconds: float = 30.0
    sabotage: str | None = None

    @property
    def plan(self) -> RandomPlan:
        return random_plan(self.plan_seed, planned=self.kind != "given")

    @property
    def goal(self) -> str:
        return f"Mend the world {self.plan_seed}"


@dataclass(frozen=True, slots=True)
class Ground:
    """What scenarios of one process share: a folder, an SQLite database to copy, and one on a server."""

    folder: Path
    template: Path
    server: str | None = None
    keep: bool = False
    names: list[int] = field(default_factory=list)

    def new_folder(self) -> Path:
        self.names.append(len(self.names))
        folder = self.folder / f"s{self.names[-1]}"
        folder.mkdir(parents=True)
        return folder


@contextmanager
def ground(folder: Path, stores: Sequence[str], *, keep: bool = False) -> Iterator[Ground]:
    """The ground for scenarios; a database on MariaDB is made where it is needed, and dropped at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    template = folder / "template.db"
    in_fork(partial(_make_schema, f"sqlite:///{template}"))
    if "mariadb" not in stores:
        yield Ground(folder, template, None, keep)
        return
    with new_database("mariadb") as url:
        in_fork(partial(_make_schema, url))
        yield Ground(folder, template, url, keep)


def _make_schema(url: str) -> None:
    database = open_database(url)
    create_schema(database)
    database.close()


class Scene:
    """A folder in which commands are run."""

    def __init__(self, ground: Ground, setting: Setting) -> None:
        self.setting = setting
        self.plan = setting.plan
        self.goal = setting.goal
        self.folder = ground.new_folder()
        self._keep = ground.keep
        (self.folder / "var").mkdir()
        shutil.copy(ground.template, self.folder / "var" / "stackvm.db")
        given = self.plan.failing if setting.kind == "revised" else self.plan.steps
        (self.folder / "plan.json").write_text(json.dumps(given))
        (self.folder / "replies.yaml").write_text(json.dumps(replies(self.plan)))
        server = ground.server or ""
        if setting.store == "mariadb":
            self.goal = f"{self.goal} in {self.folder.name}"  # scenarios share the server's database
        self.environment = {
            "VAR_DIR": str(self.folder / "var"),
            "DATABASE_URI": server if setting.store == "mariadb" else "",
            "HISTORY_BACKEND": "git" if setting.store == "git" else "sql",
            "TOOLS_PATH": str(TOOLBOX),
            "TOOLS_ROOT": str(self.folder),
            "LEASE_SECONDS": str(setting.lease_seconds),
            "LLM_PROVIDER": "scripted",
            "LLM_MODEL": "chaos",
            "SCRIPTED_REPLIES": str(self.folder / "replies.yaml"),
            "STACKVM_USER": "chaos",
        }

    @property
    def execute(self) -> list[str]:
        """The command that begins."""
        kind = self.setting.kind
        given = (
            [] if kind == "planned" else ["--plan", "plan.json", *(["--revise"] if kind == "revised" else [])]
        )
        return ["execute", "--goal", self.goal, *given, *self._how]

    def resume(self, task_id: str, branch: str | None = None) -> list[str]:
        return ["resume", task_id, *(["--branch", branch] if branch else []), *self._how]

    @property
    def _how(self) -> list[str]:
        return ["--parallel", str(self.setting.width), "--json"]

    def start(self, arguments: Sequence[str], *, arm: Arm | None = None, counts: bool = False) -> Child:
        """A process with that command."""
        sabotage = self.setting.sabotage
        return Child(arguments, self.folder, self.environment, arm=arm, counts=counts, sabotage=sabotage)

    @contextmanager
    def read_meanwhile(self) -> Iterator[None]:
        """A reader looks on during the block."""
        reader = start_reader(partial(watch, self.goal), self.folder, self.environment)
        try:
            yield
        finally:
            stop_reader(reader)

    def sight(self) -> Sight | None:
        """What can be read now. Raises ``RuntimeError`` where something can't be."""
        return in_fork(partial(sight, self.goal), self.folder, self.environment)

    def world(self) -> list[Line]:
        return read_world(self.folder)

    def remove(self, *, keep: bool = False) -> None:
        if not (keep or self._keep):
            shutil.rmtree(self.folder, ignore_errors=True)


def document(text: str) -> dict[str, Any]:
    """The JSON document that a command wrote; an empty one where it was killed before."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
