"""Costs are exact where everything is known, and unknown otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.errors import ConfigurationError
from app.llm.prices import Prices, load_prices


def test_a_cost_is_tokens_times_price(tmp_path: Path) -> None:
    path = tmp_path / "prices.json"
    path.write_text('{"m": {"input": 0.1, "output": 0.3}}')
    prices = load_prices(path)
    assert prices.cost("m", 1_000_000, 2_000_000) == 0.7
    assert prices.cost("m", 3, 0) == 3e-07
    assert prices.cost("m", 0, 0) == 0.0


def test_a_cost_that_is_not_known_is_none() -> None:
    prices = Prices()
    assert prices.cost("m", 1, 1) is None
    assert load_prices(None).cost("m", 1, 1) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not JSON"),
        ("[]", "holds no JSON object"),
        ('{"m": 1}', "'m' should be"),
        ('{"m": {"input": 1}}', "'m', key 'output' should be a number"),
        ('{"m": {"input": "1", "output": 1}}', "'m', key 'input' should be a number"),
        ('{"m": {"input": true, "output": 1}}', "'m', key 'input'"),
        ('{"m": {"input": -1, "output": 1}}', "a number of 0 or more"),
        ('{"m": {"input": NaN, "output": 1}}', "a number of 0 or more"),
        ('{"m": {"input": 1, "output": 1, "cached": 1}}', "key 'cached'"),
    ],
)
def test_a_wrong_file_is_named_with_its_key(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "prices.json"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load_prices(path)
    assert said in caught.value.message
    assert "prices.json" in caught.value.message
    assert "per million tokens" in (caught.value.hint or "")


def test_a_file_that_is_absent_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="MODEL_PRICES can't be read"):
        load_prices(tmp_path / "none.json")
