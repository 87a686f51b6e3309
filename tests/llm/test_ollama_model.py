"""What is Ollama's own: the request as it goes out, and what to do about an absent model."""

from __future__ import annotations

import pytest
from fake_ollama import FakeOllama, line
from fake_server import Answer
from providers import VERDICT, asking, failure, judging

from app.llm.ollama import OllamaModel


def test_the_request_has_model_messages_schema_and_options(ollama_server: FakeOllama) -> None:
    model = OllamaModel("m", base_url=ollama_server.url, options={"num_ctx": 8192})
    ollama_server.says('{"result": true}')
    model.complete(judging(max_output_tokens=50))
    (asked,) = ollama_server.asked
    assert asked.path == "/api/chat"
    assert asked.body["format"] == VERDICT
    assert asked.body["options"] == {"num_ctx": 8192, "num_predict": 50}
    assert asked.body["messages"][1] == {"role": "user", "content": "Is it so?"}


@pytest.mark.parametrize(("structured", "form"), [("json_object", "json"), ("text", None)])
def test_without_the_schema_mode_the_schema_is_told_in_words(
    ollama_server: FakeOllama, ollama_model: OllamaModel, structured: str, form: str | None
) -> None:
    ollama_server.says('{"result": true}')
    ollama_model.complete(judging(structured=structured))
    body = ollama_server.asked[0].body
    assert body.get("format") == form
    assert '"required": ["result"]' in body["messages"][1]["content"]


def test_an_absent_model_says_how_to_get_it(ollama_server: FakeOllama, ollama_model: OllamaModel) -> None:
    ollama_server.refuses(404, "model 'm' not found")
    error = failure(ollama_model)
    assert (error.kind, error.hint) == ("no_model", "ollama pull m")


def test_thinking_is_no_part_of_the_text(ollama_server: FakeOllama, ollama_model: OllamaModel) -> None:
    ollama_server.says("Yes.", thinking="Let me see.")
    assert ollama_model.complete(asking()).text == "Yes."


def test_half_a_line_is_a_reply_that_was_cut_off(
    ollama_server: FakeOllama, ollama_model: OllamaModel
) -> None:
    ollama_server.put(Answer(pieces=[line("Yes"), line(", it is")[:30]]))
    error = failure(ollama_model, stream=True)
    assert (error.kind, error.may_pass) == ("network", True)


def test_a_line_that_is_no_json_in_a_stream_is_garbage(
    ollama_server: FakeOllama, ollama_model: OllamaModel
) -> None:
    ollama_server.put(Answer(pieces=[line("Yes"), "what?\n"]))
    assert failure(ollama_model, stream=True).kind == "garbage"
