"""Requests made up from the OpenAPI document: no fault of ours, no undocumented answer, nothing without leave.

Schemathesis runs as a process of its own: as a plugin of ours it would have a say in every test.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import pytest
from fuzz.scene import SCHEMATHESIS, Asker, fuzz, keyed_scene, open_scene
from served import Served

SECONDS = 8
"""For each of four askers."""
SceneOf = Callable[[Path], AbstractContextManager[tuple[Served, list[Asker]]]]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("scene", [open_scene, keyed_scene])
def test_made_up_requests_get_documented_answers(scene: SceneOf, tmp_path: Path) -> None:
    if SCHEMATHESIS is None:
        assert not os.environ.get("CI"), "schemathesis is not installed"
        pytest.skip("schemathesis is not installed")
    with scene(tmp_path) as (served, askers):
        for asker in askers:
            done = fuzz(served, asker, seconds=SECONDS, examples=3, seed=1)
            assert done.code == 0, f"as {asker.name}:\n{done.output}"


def test_without_a_key_nothing_is_told(tmp_path: Path) -> None:
    """Every operation of the document, by a client that has no key, or a wrong one."""
    with keyed_scene(tmp_path) as (served, _):
        document = served.client.get("/api/openapi.json").json()
        for key in ({}, {"Authorization": "Bearer svm_000000000000_" + "a" * 43}):
            with httpx.Client(base_url=served.url, headers=key, trust_env=False, timeout=30) as nobody:
                for path, methods in document["paths"].items():
                    for method, operation in methods.items():
                        if (
                            method not in ("get", "post", "put", "patch", "delete")
                            or not operation["security"]
                        ):
                            continue
                        address = path.replace("{", "").replace("}", "")
                        answer = nobody.request(method, address, json={} if method != "get" else None)
                        assert answer.status_code == 401, (method, path, answer.text)
                        assert answer.json()["code"] == "unauthorized"
