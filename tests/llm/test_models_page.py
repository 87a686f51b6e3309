"""The page on models is true: its examples load, and nothing that can be set or met is left out."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from app.config import Settings
from app.llm.factory import PROVIDERS
from app.llm.prices import load_prices
from app.llm.script import ERROR_KINDS, load_script

PAGE = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return found


def test_the_example_of_a_script_loads(tmp_path: Path) -> None:
    path = tmp_path / "replies.yaml"
    path.write_text(block("yaml"))
    plan, limited, text = load_script(path)
    assert "steps" in json.loads(plan.text)
    assert limited.failure is not None
    assert text.repeat


def test_the_example_of_prices_loads(tmp_path: Path) -> None:
    path = tmp_path / "prices.json"
    path.write_text(block("json"))
    assert load_prices(path).knows("gpt-5-mini")


def test_every_setting_named_exists() -> None:
    names = {name.upper() for name in Settings.model_fields}
    assert set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", PAGE)) <= names


@pytest.mark.parametrize("kind", ERROR_KINDS)
def test_every_kind_of_error_is_explained(kind: str) -> None:
    assert re.search(rf"^\| .*`{kind}`", PAGE, re.MULTILINE)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_provider_has_its_lines(provider: str) -> None:
    assert f"LLM_PROVIDER={provider}\n" in PAGE
