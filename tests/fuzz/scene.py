"""A server with something of everybody's in it, and schemathesis run against it as one of those who may ask."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
from served import ROOT, Served, serving

ADMIN_KEY: Final = "svm_fuzz_admin_0123456789"
HIDDEN: Final = "zebra-of-theirs"
"""Stands in every task of the other namespace, and in no other."""
READING: Final = (
    "check_plan",
    "diff_plans",
    "replay",
)
"""POSTs that change nothing."""
ADMINISTERING: Final = (
    "create_namespace",
    "update_namespace",
    "delete_namespace",
    "list_keys",
    "create_key",
    "revoke_key",
    "list_audit",
)
SCHEMATHESIS: Final = os.environ.get("SCHEMATHESIS") or shutil.which(
    "schemathesis", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"
)


@dataclass(frozen=True)
class Asker:
    """Whom schemathesis asks as. ``key``: ``None`` for a server without keys."""

    name: str
    role: str
    key: str | None
    hidden: Sequence[str] = ()
    known: Mapping[str, Sequence[str]] = field(default_factory=dict)
    leaving_out: Sequence[str] = ()

    @property
    def headers(self) -> dict[str, str]:
        return {} if self.key is None else {"Authorization": f"Bearer {self.key}"}


@dataclass(frozen=True)
class Fuzzed:
    """What came of it."""

    asker: str
    code: int
    output: str


@contextmanager
def open_scene(folder: Path) -> Iterator[tuple[Served, list[Asker]]]:
    """A server without keys."""
    with serving(folder, RATE_LIMIT="", RUN_THREADS=2, TOOLS_ROOT=_made(folder / "root")) as served:
        known = _seed(served.client, None, "open")
        # The first key would end the time without keys.
        yield served, [Asker("without keys", "admin", None, known=known, leaving_out=["create_key"])]


@contextmanager
def keyed_scene(folder: Path) -> Iterator[tuple[Served, list[Asker]]]:
    """A server with keys: a viewer's and an operator's of one namespace, and the admin's."""
    settings = {"RATE_LIMIT": "", "RUN_THREADS": 2, "ADMIN_API_KEY": ADMIN_KEY}
    with serving(folder, TOOLS_ROOT=_made(folder / "root"), **settings) as served:
        served.client.headers["Authorization"] = f"Bearer {ADMIN_KEY}"
        for name in ("mine", "theirs"):
            _post(served.client, "/api/namespaces", {"name": name, "allowed_tools": ["nap"]})
        theirs = _seed(served.client, "theirs", HIDDEN)
        mine = _seed(served.client, "mine", "mine")
        # What is another's is asked for too.
        both = {**mine, "task_id": [*mine["task_id"], *theirs["task_id"]]}
        keys = {
            role: _post(
                served.client, "/api/keys", {"name": f"the {role}", "role": role, "namespace": "mine"}
            )
            for role in ("viewer", "operator")
        }
        askers = [Asker(role, role, key["key"], [HIDDEN], both) for role, key in keys.items()]
        # Keys that others use must not be revoked meanwhile.
        yield served, [*askers, Asker("admin", "admin", ADMIN_KEY, (), both, ["revoke_key"])]


def fuzz(
    served: Served, asker: Asker, *, seconds: int, examples: int, seed: int, report: Path | None = None
) -> Fuzzed:
    """Run schemathesis as ``asker`` for at most so long."""
    assert SCHEMATHESIS is not None
    scene = {
        "role": asker.role,
        "hidden": asker.hidden,
        "known": asker.known,
        "reading": READING,
        "administering": ADMINISTERING,
    }
    environment = {
        **os.environ,
        "SCHEMATHESIS_HOOKS": "fuzz.rules",
        "FUZZ_SCENE": json.dumps(scene),
        "PYTHONPATH": str(ROOT / "tests"),
    }
    command = [SCHEMATHESIS, "--config-file", str(ROOT / "tests" / "fuzz" / "schemathesis.toml"), "run"]
    command += [f"{served.url}/api/openapi.json", "--no-color", "--warnings", "off", "--checks", "all"]
    command += ["--continue-on-failure", "--no-shrink", "--generation-database", "none"]
    command += ["--max-examples", str(examples), "--max-time", str(seconds), "--seed", str(seed)]
    command += ["--output-sanitize", "false"]
    for name, value in asker.headers.items():
        command += ["--header", f"{name}:{value}"]
    # A request that fits the schema may be refused for its meaning (a cursor of another list): that is a 422.
    excluded = ["positive_data_acceptance", *(["ignored_auth"] if asker.key is None else [])]
    command += ["--exclude-checks", ",".join(excluded)]
    for operation in asker.leaving_out:
        command += ["--exclude-operation-id", operation]
    done = subprocess.run(
        command,
        env=environment,
        cwd=served.folder,
        capture_output=True,
        text=True,
        timeout=seconds + 120,
        check=False,
    )
    if report is not None:
        report.write_text(done.stdout + done.stderr)
    return Fuzzed(asker.name, done.returncode, done.stdout + done.stderr)


def _seed(client: httpx.Client, namespace: str | None, word: str) -> dict[str, list[str]]:
    """Tasks with proposals: path parameter → what there is."""
    plan = [_assign(1, a=word, final_answer=word), _assign(2, b=[1, 2, 3])]
    ids = []
    for _ in range(3):
        body = {"goal": f"goal of {word}", "plan": plan, "namespace": namespace, "tags": [word]}
        ids.append(_post(client, "/api/tasks", body)["task_id"])
    for task_id in ids:
        answer = client.post(f"/api/tasks/{task_id}/proposals", json={"plan": plan})
        assert answer.status_code in (201, 409, 422), answer.text
    return {
        "task_id": ids,
        "rev": ["main", "main~1", "main~0"],
        "number": ["1"],
        "name": ["a", "b", "main", "nap"],
    }


def _assign(number: int, **values: Any) -> dict[str, Any]:
    return {"seq_no": number, "type": "assign", "parameters": values}


def _post(client: httpx.Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = client.post(path, json=body)
    assert answer.status_code < 300, answer.text
    document: dict[str, Any] = answer.json()
    return document


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder
