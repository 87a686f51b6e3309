"""What models a server says it has: a look that costs nothing, and that some servers don't grant."""

from __future__ import annotations

import socket

import pytest
from fake_ollama import FakeOllama
from fake_openai import FakeOpenAI
from fake_server import Answer
from providers import KEY, Provider, Served
from test_served_models import model_at

from app.errors import ModelError
from app.llm.ollama import OllamaModel
from app.llm.openai import OpenAIModel
from app.llm.scripted import ScriptedModel


def test_the_names_are_those_of_the_server(served: Served) -> None:
    served.server.lists("a", "b:7b")
    assert served.model.offered(5) == {"a", "b:7b"}


def test_the_key_is_shown(openai_server: FakeOpenAI, openai_model: OpenAIModel) -> None:
    openai_server.lists()
    assert openai_model.offered(5) == frozenset()
    (asked,) = openai_server.asked
    assert asked.path == "/v1/models"
    assert asked.headers["authorization"] == f"Bearer {KEY}"


def test_a_name_without_a_tag_means_the_latest(ollama_server: FakeOllama, ollama_model: OllamaModel) -> None:
    ollama_server.lists("qwen3:latest", "llama:8b")
    assert ollama_model.offered(5) == {"qwen3:latest", "qwen3", "llama:8b"}


def test_googles_names_may_be_written_short(openai_server: FakeOpenAI, openai_model: OpenAIModel) -> None:
    openai_server.lists("models/gemini-2.5-flash")
    assert openai_model.offered(5) == {"models/gemini-2.5-flash", "gemini-2.5-flash"}


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=404, pieces=["page not found"]),
        Answer(status=405, pieces=["no"]),
        Answer(status=429, pieces=["later"]),
        Answer(pieces=["<html>hello</html>"], headers={"content-type": "text/html"}),
        Answer(pieces=['{"hello": "world"}']),
        Answer(pieces=["[1]"]),
    ],
    ids=["not found", "not allowed", "too many", "a page", "another protocol", "a list"],
)
def test_a_server_without_a_list_is_no_error(served: Served, answer: Answer) -> None:
    served.server.put(answer)
    assert not served.model.offered(5)


@pytest.mark.parametrize(("status", "kind"), [(401, "auth"), (403, "auth"), (500, "server")])
def test_what_stands_in_the_way_of_every_call_is_an_error(served: Served, status: int, kind: str) -> None:
    served.server.refuses(status, "no")
    with pytest.raises(ModelError) as caught:
        served.model.offered(5)
    assert caught.value.kind == kind


def test_a_silent_server_times_out(served: Served) -> None:
    served.server.put(Answer(wait=5))
    with pytest.raises(ModelError) as caught:
        served.model.offered(0.2)
    assert caught.value.kind == "timeout"


@pytest.mark.parametrize("kind", ["openai", "ollama"])
def test_an_absent_server_is_named(kind: str) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(ModelError) as caught:
            model_at(url, kind).offered(5)
    assert caught.value.kind == "network"
    assert url in caught.value.message


def test_every_provider_can_be_asked(provider: Provider) -> None:
    if not isinstance(provider.model, ScriptedModel):
        provider.server.lists(provider.model.name)  # type: ignore[attr-defined]
    offered = provider.model.offered(5)
    assert offered is not None
    assert provider.model.name in offered
