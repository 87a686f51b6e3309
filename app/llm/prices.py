"""What a call costs, by a price list of the operator's own: nobody else's list stays true for long."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from app.errors import ConfigurationError

_PER: Final = 1_000_000
_KEYS: Final = ("input", "output")
_EXAMPLE: Final = '{"model": {"input": 0.5, "output": 1.5}}, in money per million tokens'


class Prices:
    """Prices per million tokens by a model's name. Without any, every cost is unknown."""

    def __init__(self, prices: Mapping[str, Mapping[str, Decimal]] | None = None) -> None:
        self._prices = dict(prices or {})

    def knows(self, model: str) -> bool:
        """Whether the list has the model."""
        return model in self._prices

    def cost(self, model: str, input_tokens: int | None, output_tokens: int | None) -> float | None:
        """The cost of a call, or ``None``: the model has no price, or the tokens are unknown."""
        price = self._prices.get(model)
        if price is None or input_tokens is None or output_tokens is None:
            return None
        return float((price["input"] * input_tokens + price["output"] * output_tokens) / _PER)


def load_prices(path: Path | None) -> Prices:
    """The price list in the JSON file ``MODEL_PRICES``; ``None``: an empty one.

    Raises ``ConfigurationError`` that names file and key.
    """
    if path is None:
        return Prices()
    try:
        document = json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"MODEL_PRICES can't be read: {error}", hint=_EXAMPLE) from None
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"MODEL_PRICES: {path} is not JSON: {error}", hint=_EXAMPLE) from None
    if not isinstance(document, dict):
        raise ConfigurationError(f"MODEL_PRICES: {path} holds no JSON object", hint=_EXAMPLE)
    return Prices({model: _price(path, model, entry) for model, entry in document.items()})


def _price(path: Path, model: str, entry: Any) -> dict[str, Decimal]:
    if not isinstance(entry, dict):
        raise _wrong(path, repr(model), "an object with input and output")
    unknown = sorted(entry.keys() - set(_KEYS))
    if unknown:
        raise _wrong(path, f"{model!r}, key {unknown[0]!r}", "input and output only")
    return {key: _amount(path, f"{model!r}, key {key!r}", entry.get(key)) for key in _KEYS}


def _amount(path: Path, place: str, value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise _wrong(path, place, "a number")
    if not math.isfinite(value) or value < 0:
        raise _wrong(path, place, "a number of 0 or more")
    return Decimal(value)


def _wrong(path: Path, place: str, wanted: str) -> ConfigurationError:
    return ConfigurationError(f"MODEL_PRICES: {path}: {place} should be {wanted}", hint=_EXAMPLE)
