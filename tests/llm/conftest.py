"""Fake servers, models of them, and every provider, so that one suite holds them all to the contract."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fake_ollama import FakeOllama
from fake_openai import FakeOpenAI
from fake_server import running
from providers import KEY, TIMEOUT, Provider, Scripted, Served

from app.llm.ollama import OllamaModel
from app.llm.openai import OpenAIModel


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def openai_server() -> Iterator[FakeOpenAI]:
    with running(FakeOpenAI()) as server:
        yield server


@pytest.fixture
def ollama_server() -> Iterator[FakeOllama]:
    with running(FakeOllama()) as server:
        yield server


@pytest.fixture
def openai_model(openai_server: FakeOpenAI) -> OpenAIModel:
    return OpenAIModel("m", api_key=KEY, base_url=openai_server.url + "/v1", timeout=TIMEOUT)


@pytest.fixture
def ollama_model(ollama_server: FakeOllama) -> OllamaModel:
    return OllamaModel("m", base_url=ollama_server.url, timeout=TIMEOUT)


@pytest.fixture(params=["openai", "ollama"])
def served(request: pytest.FixtureRequest) -> Served:
    """Each provider that has a server."""
    name = request.param
    return Served(request.getfixturevalue(f"{name}_server"), request.getfixturevalue(f"{name}_model"))


@pytest.fixture(params=["openai", "ollama", "scripted"])
def provider(request: pytest.FixtureRequest) -> Provider:
    """Each provider."""
    name = request.param
    if name == "scripted":
        return Scripted()
    return Served(request.getfixturevalue(f"{name}_server"), request.getfixturevalue(f"{name}_model"))
