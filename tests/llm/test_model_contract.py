"""What every provider does alike, over its real SDK and a server on the loopback."""

from __future__ import annotations

import pytest
from providers import Provider, asking, failure, judging

from app.llm.base import UnusableReply


@pytest.mark.parametrize("stream", [False, True])
def test_a_text_comes_back_with_its_tokens(provider: Provider, stream: bool) -> None:
    provider.says("Hello, wörld.")
    heard: list[str] = []
    reply = provider.model.complete(asking(), heard.append if stream else None)
    assert reply.text == "Hello, wörld."
    assert (reply.input_tokens, reply.output_tokens) == (7, 3)
    assert (reply.provider, reply.finish_reason) == (provider.model.provider, "stop")
    assert (reply.value, reply.structured, reply.repairs) == (None, None, ())
    if stream:
        assert "".join(heard) == reply.text
        assert len(heard) > 1


@pytest.mark.parametrize("stream", [False, True])
def test_tokens_nobody_counted_are_unknown(provider: Provider, stream: bool) -> None:
    provider.says("Hello.", usage=None)
    reply = provider.model.complete(asking(), (lambda token: None) if stream else None)
    assert (reply.input_tokens, reply.output_tokens) == (None, None)


@pytest.mark.parametrize("stream", [False, True])
def test_json_is_parsed(provider: Provider, stream: bool) -> None:
    provider.says('{"result": true}')
    reply = provider.model.complete(judging(), (lambda token: None) if stream else None)
    assert (reply.value, reply.repairs, reply.structured) == ({"result": True}, (), "json_schema")


def test_what_was_repaired_in_json_is_said(provider: Provider) -> None:
    provider.says('Sure:\n```json\n{"result": True,}\n```')
    reply = provider.model.complete(judging(structured="text"))
    assert reply.value == {"result": True}
    assert reply.repairs == ("code fence", "surrounding text", "Python constant", "trailing comma")
    assert reply.text.startswith("Sure")


@pytest.mark.parametrize(
    "text", ["I can't.", '{"result": tr', '{"result": true} {"result": false}', "", " \n"]
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_reply_without_its_json_is_garbage_and_keeps_its_tokens(
    provider: Provider, text: str, stream: bool
) -> None:
    provider.says(text)
    error = failure(provider.model, judging(), stream=stream)
    assert isinstance(error, UnusableReply)
    assert (error.kind, error.may_pass) == ("garbage", False)
    assert (error.reply.text, error.reply.input_tokens, error.reply.output_tokens) == (text, 7, 3)


def test_an_empty_text_is_garbage(provider: Provider) -> None:
    provider.says("")
    assert failure(provider.model).message == "the reply is empty"


@pytest.mark.parametrize("stream", [False, True])
def test_a_rate_limit_names_its_seconds(provider: Provider, stream: bool) -> None:
    provider.limits_rate(2.5)
    error = failure(provider.model, stream=stream)
    assert (error.kind, error.retry_after, error.may_pass) == ("rate_limit", 2.5, True)


def test_an_error_of_the_listener_is_its_own(provider: Provider) -> None:
    def listener(token: str) -> None:
        raise ValueError("the screen is full")

    provider.says("Hello, world.")
    with pytest.raises(ValueError, match="the screen is full"):
        provider.model.complete(asking(), listener)


def test_a_model_can_be_asked_again_after_a_failure(provider: Provider) -> None:
    provider.limits_rate(1)
    provider.says("Now.")
    failure(provider.model, stream=True)
    assert provider.model.complete(asking()).text == "Now."


def test_names_are_shown(provider: Provider) -> None:
    assert provider.model.name in repr(provider.model)
    assert provider.model.server in repr(provider.model)
