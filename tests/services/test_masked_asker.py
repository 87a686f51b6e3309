"""A model behind masks: what it is asked, what it says, at once or token by token, and its errors."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import dataclass, field
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from leaks import trace_of

from app.errors import ModelError
from app.llm.base import (
    Asked,
    CallFailed,
    Message,
    ModelCall,
    ModelReply,
    ModelRequest,
    OnToken,
    UnusableReply,
)
from app.services.masked_asker import MaskedTokens, masked
from app.tools.masks import NO_MASKS, Masks

VALUE = 'sk-4fQ9/zTr7"Lm2XvB8 nHc1'
MASKS = Masks({"secret:TOKEN": VALUE})
CALL = ModelCall("generate", "fake", "m", None, None, 1, 1, None, 1, None, (), 0, 0)


def reply(text: str) -> ModelReply:
    return ModelReply(text, {"text": [text]}, "m", "fake", 1, 1)


@dataclass
class FakeAsker:
    """Says ``tokens``, then raises ``error`` where there is one."""

    tokens: list[str]
    error: ModelError | None = None
    asked: list[ModelRequest] = field(default_factory=list)

    def ask(self, request: ModelRequest, on_token: OnToken | None = None) -> Asked:
        self.asked.append(request)
        for token in self.tokens:
            if on_token is not None:
                on_token(token)
        if self.error is not None:
            raise self.error
        return Asked(reply("".join(self.tokens)), CALL)


REQUEST = ModelRequest(
    "generate", (Message("system", "be brief"), Message("user", f"what is {json.dumps(VALUE)}?"))
)


def test_the_model_is_told_names() -> None:
    asker = FakeAsker(["fine"])
    masked(asker, MASKS).ask(REQUEST)
    assert [message.content for message in asker.asked[0].messages] == ["be brief", 'what is "secret:TOKEN"?']


def test_what_it_says_is_masked() -> None:
    asked = masked(FakeAsker([f"it is {VALUE}"]), MASKS).ask(REQUEST)
    assert asked.reply == reply("it is secret:TOKEN")
    assert asked.call is CALL


def test_what_is_held_back_comes_in_the_end() -> None:
    told: list[str] = []
    masked(FakeAsker(["it is ", VALUE[:5], VALUE[5:9]]), MASKS).ask(REQUEST, told.append)
    assert told == ["it is ", VALUE[:9]]


def test_what_is_held_back_when_it_fails_is_dropped() -> None:
    told: list[str] = []
    error = ModelError("network", f"broke at {VALUE}", hint=f"not {quote(VALUE)}")
    with pytest.raises(ModelError) as raised:
        masked(FakeAsker(["it is ", VALUE[:20]], error), MASKS).ask(REQUEST, told.append)
    assert told == ["it is "]
    assert str(raised.value) == "broke at secret:TOKEN (not secret:TOKEN)"
    assert raised.value.kind == "network"


def test_a_reply_of_no_use_is_masked_too() -> None:
    failed = CallFailed(UnusableReply("no JSON", reply(VALUE)), CALL)
    with pytest.raises(CallFailed) as raised:
        masked(FakeAsker([], failed), MASKS).ask(REQUEST)
    assert raised.value.reply == reply("secret:TOKEN")


def test_with_nothing_to_hide_nothing_stands_between() -> None:
    asker = FakeAsker([])
    assert masked(asker, NO_MASKS) is asker


BASE64 = b64encode(VALUE.encode()).decode()
FORMS = [VALUE, quote(VALUE, safe=""), quote(VALUE), json.dumps(VALUE), BASE64]


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from([*FORMS, "plain words ", "s", "sk", "sk-4", VALUE[:7], "c2st", "%", "\\"]), max_size=8
    ),
    st.lists(st.integers(1, 12), min_size=1, max_size=30),
)
def test_however_the_tokens_are_cut_no_value_comes_through(parts: list[str], cuts: list[int]) -> None:
    text = "".join(parts)
    told: list[str] = []
    stream = MaskedTokens(MASKS, told.append)
    at = 0
    while at < len(text):
        size = cuts[at % len(cuts)]
        stream.take(text[at : at + size])
        at += size
    stream.end()
    said = "".join(told)
    if BASE64 not in text:  # of that, what the value alone decides is known before its last signs come
        assert said == MASKS.text(text)
    assert trace_of(VALUE, said) is None
