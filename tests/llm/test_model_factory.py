"""From settings to models."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest

from app.config import Settings
from app.errors import ConfigurationError
from app.llm.factory import PROVIDERS, limits_of, open_models

KEY = "sk-very-secret-key-0123456789"


def settings(**fields: Any) -> Settings:
    return Settings(_env_file=None, **fields)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "replies.yaml"
    path.write_text("[{reply: a}]")
    return path


def wrong(**fields: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        open_models(settings(**fields))
    return str(caught.value)


def test_without_a_provider_there_is_no_model() -> None:
    assert open_models(settings()) is None


def test_scripted_replies_stand_in_for_a_model_where_none_is_configured(script: Path) -> None:
    models = open_models(settings(scripted_replies=script))
    assert models is not None
    assert models.standard.provider == models.reasoning.provider == "scripted"
    models = open_models(settings(scripted_replies=script, llm_provider="ollama", llm_model="qwen"))
    assert models is not None
    assert models.standard.provider == "ollama"


def test_the_settings_know_the_providers_of_the_table() -> None:
    for field in ("llm_provider", "reason_llm_provider"):
        assert set(get_args(Settings.model_fields[field].annotation)) == {"", *PROVIDERS}


def test_the_standard_model_reasons_too() -> None:
    models = open_models(settings(llm_provider="ollama", llm_model="qwen"))
    assert models is not None
    assert models.reasoning is models.standard
    assert (models.standard.provider, models.standard.name) == ("ollama", "qwen")


def test_another_model_may_reason() -> None:
    models = open_models(
        settings(llm_provider="openai", llm_model="a", reason_llm_model="b", openai_api_key=KEY)
    )
    assert models is not None
    assert (models.standard.name, models.reasoning.name) == ("a", "b")


def test_another_provider_may_reason() -> None:
    models = open_models(
        settings(
            llm_provider="ollama",
            llm_model="a",
            reason_llm_provider="openai",
            reason_llm_model="b",
            openai_api_key=KEY,
        )
    )
    assert models is not None
    assert (models.reasoning.provider, models.reasoning.name) == ("openai", "b")


def test_a_server_of_ones_own_needs_no_key() -> None:
    models = open_models(
        settings(llm_provider="openai", llm_model="a", openai_base_url="http://localhost:8000/v1")
    )
    assert models is not None
    assert models.standard.server == "http://localhost:8000/v1"


def test_the_scripted_provider_needs_its_file_only(script: Path) -> None:
    models = open_models(settings(llm_provider="scripted", scripted_replies=script))
    assert models is not None
    assert models.standard.name == "scripted"


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"llm_provider": "openai", "llm_model": "a"}, "OPENAI_API_KEY"),
        ({"llm_provider": "openai", "openai_api_key": KEY}, "LLM_MODEL"),
        ({"llm_provider": "openai", "llm_model": "a", "openai_api_key": KEY + "…"}, "OPENAI_API_KEY"),
        ({"llm_provider": "ollama"}, "LLM_MODEL"),
        ({"llm_provider": "scripted"}, "SCRIPTED_REPLIES"),
        ({"reason_llm_model": "a"}, "LLM_PROVIDER"),
        ({"llm_provider": "ollama", "llm_model": "a", "reason_llm_provider": "openai"}, "REASON_LLM_MODEL"),
        ({"llm_provider": "ollama", "llm_model": "a", "ollama_base_url": "localhost"}, "OLLAMA_BASE_URL"),
        (
            {"llm_provider": "openai", "llm_model": "a", "openai_base_url": "ftp://me:hunter2@h"},
            "OPENAI_BASE_URL",
        ),
        (
            {"llm_provider": "openai", "llm_model": "a", "openai_base_url": "http://h:99999"},
            "OPENAI_BASE_URL",
        ),
    ],
)
def test_a_missing_or_wrong_setting_is_named_without_secrets(fields: dict[str, Any], name: str) -> None:
    said = wrong(**fields)
    assert name in said
    assert KEY not in said
    assert "hunter2" not in said


def test_no_setting_shows_the_key() -> None:
    shown = settings(openai_api_key=KEY)
    assert KEY not in repr(shown)
    assert KEY not in str(shown)


def test_limits_come_from_the_settings() -> None:
    limits = limits_of(settings(max_model_calls=3, max_cost=0.5))
    assert (limits.model_calls, limits.input_tokens, limits.output_tokens, limits.cost) == (
        3,
        None,
        None,
        0.5,
    )
