"""What is OpenAI's own: the request as it goes out, usage in streams, refusals, codes."""

from __future__ import annotations

import pytest
from fake_openai import EVENTS, FakeOpenAI, chunk
from fake_server import Answer
from providers import KEY, VERDICT, asking, failure, judging

from app.llm.openai import OpenAIModel
from app.plan.schema import plan_schema


def test_the_request_has_key_model_messages_and_schema(
    openai_server: FakeOpenAI, openai_model: OpenAIModel
) -> None:
    openai_server.says('{"result": true}')
    openai_model.complete(judging(max_output_tokens=50))
    (asked,) = openai_server.asked
    assert asked.path == "/v1/chat/completions"
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.body == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "You are terse."},
            {"role": "user", "content": "Is it so?"},
        ],
        "max_tokens": 50,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "verdict", "schema": VERDICT, "strict": True},
        },
    }


def test_a_schema_beyond_the_strict_subset_is_not_called_strict(
    openai_server: FakeOpenAI, openai_model: OpenAIModel
) -> None:
    openai_server.says("{}")
    openai_model.complete(asking(schema=plan_schema()))
    assert openai_server.asked[0].body["response_format"]["json_schema"]["strict"] is False


@pytest.mark.parametrize(("structured", "form"), [("json_object", {"type": "json_object"}), ("text", None)])
def test_without_the_schema_mode_the_schema_is_told_in_words(
    openai_server: FakeOpenAI, openai_model: OpenAIModel, structured: str, form: object
) -> None:
    openai_server.says('{"result": true}')
    openai_model.complete(judging(structured=structured))
    body = openai_server.asked[0].body
    assert body.get("response_format") == form
    assert body["messages"][0]["content"] == "You are terse."
    assert '"required": ["result"]' in body["messages"][1]["content"]
    assert "JSON" in body["messages"][1]["content"]


def test_a_server_that_refuses_stream_options_is_asked_without_and_not_again(
    openai_server: FakeOpenAI, openai_model: OpenAIModel
) -> None:
    openai_server.refuses(400, "Unrecognized request argument supplied: stream_options")
    openai_server.says("One.")
    openai_server.says("Two.")
    replies = [openai_model.complete(asking(), lambda token: None) for _ in range(2)]
    assert [reply.text for reply in replies] == ["One.", "Two."]
    assert replies[0].input_tokens is None
    assert ["stream_options" in asked.body for asked in openai_server.asked] == [True, False, False]


def test_a_server_that_streams_nothing_of_a_model_is_asked_for_all_at_once_from_then_on(
    openai_server: FakeOpenAI, openai_model: OpenAIModel
) -> None:
    openai_server.refuses(400, "Your organization must be verified to stream this model.", param="stream")
    openai_server.says("One.")
    openai_server.says("Two.")
    heard: list[str] = []
    replies = [openai_model.complete(asking(), heard.append) for _ in range(2)]
    assert [reply.text for reply in replies] == heard == ["One.", "Two."]
    assert [asked.body.get("stream", False) for asked in openai_server.asked] == [True, False, False]


def test_the_sdk_does_not_retry_by_itself(openai_server: FakeOpenAI, openai_model: OpenAIModel) -> None:
    openai_server.refuses(503, "overloaded")
    failure(openai_model)
    assert len(openai_server.asked) == 1


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (429, "insufficient_quota", "refused"),
        (400, "context_length_exceeded", "too_long"),
        (400, "model_not_found", "no_model"),
        (400, "json_validate_failed", "garbage"),
    ],
)
def test_codes_say_more_than_statuses(
    openai_server: FakeOpenAI, openai_model: OpenAIModel, status: int, code: str, kind: str
) -> None:
    openai_server.refuses(status, "no", code=code)
    assert failure(openai_model).kind == kind


@pytest.mark.parametrize("stream", [False, True])
def test_a_refusal_of_the_model_is_told(
    openai_server: FakeOpenAI, openai_model: OpenAIModel, stream: bool
) -> None:
    openai_server.says(None, refusal="I won't help with that.")
    assert (
        failure(openai_model, judging(), stream=stream).message
        == "the model refused: I won't help with that."
    )


def test_a_content_filter_is_told(openai_server: FakeOpenAI, openai_model: OpenAIModel) -> None:
    openai_server.says("Once upon", reason="content_filter")
    assert "content filter" in failure(openai_model).message


def test_a_content_in_parts_is_joined_without_the_thinking(
    openai_server: FakeOpenAI, openai_model: OpenAIModel
) -> None:
    parts = [{"type": "thinking", "thinking": [], "text": "Hm."}, {"type": "text", "text": "Yes."}]
    openai_server.says(None, content=parts)
    assert openai_model.complete(asking()).text == "Yes."


def test_odd_chunks_are_passed_over(openai_server: FakeOpenAI, openai_model: OpenAIModel) -> None:
    pieces = [": keep-alive\n\n", 'data: {"object": "chat.completion.chunk", "choices": null}\n\n']
    pieces += [
        chunk({"content": None, "reasoning_content": "hm"}),
        chunk({"content": "Yes."}),
        chunk({}, "stop"),
    ]
    openai_server.put(Answer(pieces=[*pieces, "data: [DONE]\n\n"], headers=EVENTS))
    assert openai_model.complete(asking(), lambda token: None).text == "Yes."


def test_a_line_that_is_no_json_in_a_stream_is_garbage(
    openai_server: FakeOpenAI, openai_model: OpenAIModel
) -> None:
    openai_server.put(Answer(pieces=["data: what?\n\n"], headers=EVENTS))
    assert failure(openai_model, stream=True).kind == "garbage"


def test_openai_itself_gets_the_new_name_of_the_limit() -> None:
    arguments = OpenAIModel("m", api_key=KEY)._arguments(asking(max_output_tokens=5))
    assert arguments["max_completion_tokens"] == 5
