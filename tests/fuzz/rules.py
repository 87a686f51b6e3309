"""What schemathesis loads: addresses of things that exist, and answers that nobody of that role may get.

It runs in schemathesis' process, where nothing of the project can be imported. ``FUZZ_SCENE`` is a JSON object:
``role``, ``hidden`` (what no answer may hold), ``known`` (path parameter → values), ``reading`` (operations that
are POSTs and change nothing), ``administering`` (operations for admins).
"""

from __future__ import annotations

import json
import os
from typing import Any
from zlib import crc32

import schemathesis

SCENE: dict[str, Any] = json.loads(os.environ["FUZZ_SCENE"])


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Three times of four what exists is asked for: what does not exist tells little."""
    for name, value in (path_parameters or {}).items():
        choices = SCENE["known"].get(name)
        chance = crc32(str(value).encode("utf-8", "surrogatepass"))
        if choices and chance % 4:
            path_parameters[name] = choices[chance // 4 % len(choices)]
    return path_parameters


@schemathesis.check
def allowed(context: Any, response: Any, case: Any) -> None:
    """Nobody changes or sees what their key is not for."""
    told = response.content.decode("utf-8", "replace")
    for hidden in SCENE["hidden"]:
        assert hidden not in told, f"{SCENE['role']} was told of {hidden}"
    if response.status_code >= 300 or case.method.upper() == "OPTIONS":
        return
    operation = case.operation.definition.raw["operationId"]
    changes = case.method.upper() not in ("GET", "HEAD") and operation not in SCENE["reading"]
    assert not (SCENE["role"] == "viewer" and changes), f"a viewer did {operation}"
    assert not (SCENE["role"] != "admin" and operation in SCENE["administering"]), (
        f"not an admin: {operation}"
    )
