"""What ``doctor`` says of the models."""

from __future__ import annotations

import time

import pytest

from app.errors import ConfigurationError, ModelError
from app.llm.factory import Models
from app.services.doctor import Check
from app.services.model_checks import check_models


class Listed:
    """A model whose server offers these names, or fails so."""

    server = "http://here"

    def __init__(self, name: str, offered: object = frozenset(), provider: str = "openai") -> None:
        self.name = name
        self.provider = provider
        self._offered = offered

    def offered(self, timeout: float) -> object:
        if isinstance(self._offered, float):
            time.sleep(self._offered)
        if isinstance(self._offered, Exception):
            raise self._offered
        return self._offered


def checked(*models: Listed, seconds: float = 5.0) -> list[Check]:
    return check_models(lambda: Models(models[0], models[-1]), seconds)  # type: ignore[arg-type]


def test_a_model_that_its_server_offers_is_well() -> None:
    (check,) = checked(Listed("a", frozenset({"a", "b"})))
    assert (check.name, check.ok, check.detail, check.advice) == (
        "model",
        True,
        "openai a at http://here",
        None,
    )


def test_a_model_that_is_not_offered_is_named_with_what_is() -> None:
    (check,) = checked(Listed("qwen", frozenset({"qwen3", "llama", "qwen2"})))
    assert not check.ok
    assert "no such model" in check.detail
    assert check.advice == "it has qwen3, qwen2, …"


def test_a_server_without_any_model_says_so() -> None:
    (check,) = checked(Listed("a", frozenset()))
    assert (check.ok, check.advice) == (False, "it has none")


def test_a_server_that_does_not_say_is_no_failure() -> None:
    (check,) = checked(Listed("a", None))
    assert check.ok
    assert "not checked" in check.detail


def test_an_error_is_told_with_what_to_do() -> None:
    (check,) = checked(Listed("a", ModelError("auth", "the key was refused", hint="check the key")))
    assert not check.ok
    assert check.detail.endswith("the key was refused")
    assert check.advice == "check the key"


def test_a_name_that_is_never_resolved_takes_no_longer_than_it_may() -> None:
    started = time.monotonic()
    (check,) = checked(Listed("a", 3.0), seconds=0.1)
    assert time.monotonic() - started < 2
    assert not check.ok
    assert "no answer within 0.1 s" in check.detail


def test_both_models_are_looked_at_where_they_differ() -> None:
    one, other = checked(Listed("a", frozenset({"a"})), Listed("b", frozenset()))
    assert (one.name, one.ok) == ("model", True)
    assert (other.name, other.ok) == ("planning model", False)


def test_scripted_replies_are_called_so() -> None:
    (check,) = checked(Listed("scripted", provider="scripted"))
    assert check.ok
    assert "no model is asked" in check.detail


def test_without_a_model_it_says_how_to_configure_one() -> None:
    (check,) = check_models(lambda: None)
    assert check.ok
    assert check.advice is not None
    assert "LLM_PROVIDER" in check.advice
    assert "docs/models.md" in check.advice


@pytest.mark.parametrize("hint", ["put it into .env", None])
def test_wrong_settings_are_a_failure(hint: str | None) -> None:
    def refuse() -> None:
        raise ConfigurationError("OPENAI_API_KEY is not set", hint=hint)

    (check,) = check_models(refuse)
    assert (check.ok, check.detail, check.advice) == (False, "OPENAI_API_KEY is not set", hint)
