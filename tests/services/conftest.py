"""Workplaces whose model is scripted."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from place import make_workplace
from scripting import Script

from app.llm.base import Model
from app.llm.budget import Budget, Limits
from app.llm.gateway import Gateway
from app.llm.prices import Prices, load_prices
from app.llm.scripted import ScriptedModel
from app.services.thinking import Askers
from app.services.workplace import Workplace
from app.tools import tool
from app.tools.base import Tool
from app.tools.llm import llm_generate


@tool(effect="read")
def look(value: Any) -> Any:
    """Gives back what it is shown."""
    return value


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator[Script]:
    """Makes a workplace whose model says the given replies."""
    databases = []

    def make(
        *replies: dict[str, Any],
        limits: Limits | None = None,
        prices: dict[str, Any] | None = None,
        tools: Sequence[Tool] = (),
        **settings: object,
    ) -> Workplace:
        script, price_file = tmp_path / "replies.yaml", tmp_path / "prices.json"
        script.write_text(json.dumps(list(replies)))
        price_file.write_text(json.dumps(prices or {}))
        place, database = make_workplace(tmp_path, [look, llm_generate, *tools], **settings)
        databases.append(database)
        model: Model = ScriptedModel.from_file(script, name="scripted")
        table = load_prices(price_file) if prices else Prices()

        def open_askers(usage: dict[str, Any]) -> Askers:
            budget = Budget(limits or Limits())
            budget.resume(
                usage.get("model_calls", 0), usage.get("input_tokens"), usage.get("output_tokens"), None
            )
            gateway = Gateway(model, prices=table, budget=budget, clock_ms=place.clock_ms)
            return Askers(gateway, gateway, "scripted", True)

        return replace(place, open_askers=open_askers)

    yield make
    for database in databases:
        database.close()
