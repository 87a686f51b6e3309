"""From settings to models. The table below names every provider; its SDK is loaded when it is chosen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from app.config import Settings
from app.errors import ConfigurationError
from app.llm.base import Model
from app.llm.budget import Limits
from app.llm.failures import without_login
from app.llm.scripted import ScriptedModel


@dataclass(frozen=True, slots=True)
class Models:
    """``reasoning`` plans and revises; it is the very same object as ``standard`` where nothing else is set."""

    standard: Model
    reasoning: Model


def open_models(settings: Settings) -> Models | None:
    """The models the settings name; ``None``: neither ``LLM_PROVIDER`` nor ``SCRIPTED_REPLIES``, which stand in for
    it. Connects to nothing yet.

    Raises ``ConfigurationError`` that names the setting.
    """
    if not settings.llm_provider and (settings.reason_llm_provider or settings.reason_llm_model):
        raise ConfigurationError("REASON_LLM_* is set without LLM_PROVIDER", hint="set LLM_PROVIDER too")
    if not settings.llm_provider and settings.scripted_replies is None:
        return None
    chosen = settings.llm_provider or "scripted"
    standard = chosen, _name(chosen, settings.llm_model, "LLM_MODEL")
    provider = settings.reason_llm_provider or chosen
    same_provider = provider == chosen
    name = settings.reason_llm_model or (settings.llm_model if same_provider else "")
    reasoning = provider, _name(provider, name, "REASON_LLM_MODEL")
    model = open_model(*standard, settings)
    return Models(model, model if reasoning == standard else open_model(*reasoning, settings))


def open_model(provider: str, name: str, settings: Settings) -> Model:
    """One model. Raises ``ConfigurationError``."""
    if provider not in PROVIDERS:
        raise ConfigurationError(f"unknown provider {provider!r}", hint=f"one of {', '.join(PROVIDERS)}")
    return PROVIDERS[provider](name, settings)


def limits_of(settings: Settings) -> Limits:
    """What the model calls of one run may use up."""
    return Limits(
        model_calls=settings.max_model_calls,
        input_tokens=settings.max_input_tokens,
        output_tokens=settings.max_output_tokens,
        cost=settings.max_cost,
    )


def _openai(name: str, settings: Settings) -> Model:
    from app.llm.openai import BASE_URL, OpenAIModel

    key = settings.openai_api_key.get_secret_value().strip()
    base_url = _checked_url("OPENAI_BASE_URL", settings.openai_base_url or BASE_URL)
    if not key and base_url == BASE_URL:
        raise ConfigurationError("OPENAI_API_KEY is not set", hint="put it into .env or the environment")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ConfigurationError("OPENAI_API_KEY holds characters no key has", hint="copy it once more")
    return OpenAIModel(name, api_key=key, base_url=base_url, timeout=settings.llm_timeout)


def _ollama(name: str, settings: Settings) -> Model:
    from app.llm.ollama import BASE_URL, OllamaModel

    base_url = _checked_url("OLLAMA_BASE_URL", settings.ollama_base_url or BASE_URL)
    options = {} if settings.ollama_num_ctx is None else {"num_ctx": settings.ollama_num_ctx}
    return OllamaModel(name, base_url=base_url, timeout=settings.llm_timeout, options=options)


def _scripted(name: str, settings: Settings) -> Model:
    if settings.scripted_replies is None:
        raise ConfigurationError("SCRIPTED_REPLIES is not set", hint="it names the YAML file of the replies")
    return ScriptedModel.from_file(settings.scripted_replies, name=name)


PROVIDERS: Final[Mapping[str, Callable[[str, Settings], Model]]] = {
    "openai": _openai,
    "ollama": _ollama,
    "scripted": _scripted,
}


def _name(provider: str, name: str, setting: str) -> str:
    if name:
        return name
    if provider == "scripted":
        return "scripted"
    raise ConfigurationError(f"{setting} is not set", hint=f"it names the model of provider {provider!r}")


def _checked_url(setting: str, url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if usable:
        return url
    shown = without_login(url) if "@" not in url else "what is set"
    raise ConfigurationError(
        f"{setting}: {shown!r} is no URL of a server", hint="like http://localhost:8000/v1"
    )
