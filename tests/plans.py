"""Steps of plans, as short as a test wants them."""

from __future__ import annotations

from typing import Any


def assign(seq_no: int, **values: Any) -> dict[str, Any]:
    return {"seq_no": seq_no, "type": "assign", "parameters": values}


def call(seq_no: int, tool: str, output_vars: Any = None, params: Any = None, **more: Any) -> dict[str, Any]:
    parameters = {"tool_name": tool, "tool_params": params or {}, **more}
    if output_vars is not None:
        parameters["output_vars"] = output_vars
    return {"seq_no": seq_no, "type": "calling", "parameters": parameters}


def jump(seq_no: int, **parameters: Any) -> dict[str, Any]:
    return {"seq_no": seq_no, "type": "jmp", "parameters": parameters}
