"""A client that openapi-python-client makes of the document does a day's work: what is documented is answered."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
from served import Served, serving

GENERATOR: Final = os.environ.get("CLIENT_GENERATOR") or shutil.which(
    "openapi-python-client", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"
)
PROGRAM: Final = Path(__file__).parent / "generated" / "use_client.py"
KEY: Final = "svm_generated_admin_0123456789"
PAY: Final = '''
from app.tools import tool


@tool(effect="irreversible")
def pay() -> str:
    """The line is lost: nobody knows whether it was paid."""
    raise OSError("line went dead")
'''


def generate(served: Served, folder: Path) -> str:
    """The package, below ``folder``; gives what the generator said."""
    assert GENERATOR is not None
    (folder / "document.json").write_text(served.client.get("/api/openapi.json").text)
    (folder / "settings.yaml").write_text("post_hooks: []\n")
    command = [
        GENERATOR,
        "generate",
        "--path",
        "document.json",
        "--config",
        "settings.yaml",
        "--meta",
        "none",
    ]
    command += ["--output-path", "client/stackvm_client", "--fail-on-warning"]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "NO_COLOR": "1"}, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def run_program(served: Served, folder: Path) -> dict[str, Any]:
    assert GENERATOR is not None
    python = Path(GENERATOR).parent / "python"
    environment = {**os.environ, "PYTHONPATH": str(folder / "client"), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [str(python), str(PROGRAM), served.url, KEY]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.timeout(300)
def test_a_generated_client_submits_watches_decides_and_reads(tmp_path: Path) -> None:
    if GENERATOR is None:
        assert not os.environ.get("CI"), "openapi-python-client is not installed"
        pytest.skip("openapi-python-client is not installed")
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "pay.py").write_text(PAY)
    with serving(tmp_path, workers=1, ADMIN_API_KEY=KEY) as served:
        served.client.headers["Authorization"] = f"Bearer {KEY}"
        assert "WARNING" not in generate(served, tmp_path)
        found = run_program(served, tmp_path)
    errors = found.pop("errors")
    assert {"commit", "status", "task"} <= set(found.pop("watched"))
    assert found == {
        "task": ["completed", 3, 3, 1, 0.0],
        "listed": [True],
        "log": ["step 3: assign -> final_answer", "step 2: pay -> receipt", "decision: skip step 2"],
        "more": True,
        "answer": {"paid": 7},
        "decided": ["skip", "pay"],
    }
    assert errors == {
        "no plan": [422, "plan-rejected"],
        "too late": [409, "conflict"],
        "nothing waits": [409, "conflict"],
        "no such task": [404, "not-found"],
        "no such variable": [404, "not-found"],
        "no goal": [422, "invalid-input"],
        "wrong key": [401, "unauthorized"],
    }
