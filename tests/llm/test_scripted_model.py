"""Replies out of a YAML file."""

from __future__ import annotations

from pathlib import Path

import pytest
from providers import asking, failure, judging

from app.errors import ConfigurationError
from app.llm.base import Message, ModelRequest
from app.llm.script import load_script
from app.llm.scripted import ScriptedModel


@pytest.fixture
def write(tmp_path: Path):
    def write(text: str) -> ScriptedModel:
        path = tmp_path / "replies.yaml"
        path.write_text(text)
        return ScriptedModel.from_file(path)

    return write


def planning(text: str) -> ModelRequest:
    return ModelRequest("plan", (Message("system", "secret words"), Message("user", text)))


def test_replies_are_chosen_by_purpose_and_pattern(write) -> None:
    model = write("""
replies:
  - {purpose: generate, match: cats, reply: Meow.}
  - {purpose: plan, match: ^find, reply: A plan.}
  - {reply: Anything.}
""")
    assert model.complete(planning("Find cats")).text == "A plan."
    assert model.complete(asking("On CATS")).text == "Meow."
    assert model.complete(asking("On dogs")).text == "Anything."


def test_each_answers_once_in_order_unless_it_repeats(write) -> None:
    model = write("[{reply: one}, {reply: two}, {reply: more, repeat: true}]")
    assert [model.complete(asking()).text for _ in range(4)] == ["one", "two", "more", "more"]


def test_a_pattern_may_look_at_all_messages(write) -> None:
    model = write("[{match: secret words, reply: last}, {match: secret words, where: all, reply: all}]")
    assert model.complete(planning("go")).text == "all"


def test_a_structure_becomes_json(write) -> None:
    assert write("[{reply: {result: true}}]").complete(judging()).value == {"result": True}


def test_usage_is_simulated_or_unknown(write) -> None:
    model = write("[{reply: a, usage: {input: 12, output: 3}}, {reply: b}]")
    first, second = model.complete(asking()), model.complete(asking())
    assert (first.input_tokens, first.output_tokens) == (12, 3)
    assert (second.input_tokens, second.output_tokens) == (None, None)


def test_errors_are_simulated(write) -> None:
    model = write("[{error: {kind: rate_limit, message: slow down, retry_after: 2}}, {error: {kind: auth}}]")
    error = failure(model)
    assert (error.kind, error.message, error.retry_after) == ("rate_limit", "slow down", 2)
    assert failure(model).kind == "auth"


def test_a_reply_may_stand_in_a_file_beside_the_script(tmp_path: Path) -> None:
    (tmp_path / "plans").mkdir()
    (tmp_path / "plans" / "replies.yaml").write_text("[{reply_file: ../plan.json}]")
    (tmp_path / "plan.json").write_text('{"steps": ["ü"]}', encoding="utf-8")
    model = ScriptedModel.from_file(tmp_path / "plans" / "replies.yaml")
    assert model.complete(asking()).text == '{"steps": ["ü"]}'


def test_a_delay_comes_before_the_reply(tmp_path: Path) -> None:
    path = tmp_path / "replies.yaml"
    path.write_text("[{reply: a, delay: 0.5}]")
    slept: list[float] = []
    ScriptedModel(load_script(path), sleep=slept.append).complete(asking())
    assert slept == [0.5]


def test_what_has_no_reply_names_purpose_and_the_prompts_first_line(write) -> None:
    error = failure(write("[{match: cats, reply: Meow.}]"), planning("Find dogs\nand more"))
    assert error.kind == "refused"
    assert error.message == "no scripted reply for purpose 'plan': 'Find dogs'"
    assert "replies.yaml" in (error.hint or "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no list of replies"),
        ("replies: []", "no list of replies"),
        ("replies: {a: 1", "is not YAML"),
        ("[a]", "reply 1 is no mapping"),
        ("[{reply: a}, {}]", "reply 2: give one of reply, reply_file and error"),
        ("[{reply: a, error: {kind: auth}}]", "give one of reply, reply_file and error"),
        ("[{reply: a, reply_file: b}]", "give one of reply, reply_file and error"),
        ("[{reply_file: none.txt}]", "reply_file can't be read"),
        ("[{reply_file: [a]}]", "reply_file is ['a']"),
        ("[{reply: a, purpose: think}]", "purpose is 'think'"),
        ("[{reply: a, where: first}]", "where is 'first'"),
        ("[{reply: a, match: '['}]", "match is no regular expression"),
        ("[{reply: a, match: 3}]", "match is no regular expression"),
        ("[{reply: a, matches: b}]", "unknown key 'matches'"),
        ("[{reply: a, repeat: 2}]", "repeat is 2"),
        ("[{reply: a, delay: -1}]", "delay is -1"),
        ("[{reply: a, delay: .nan}]", "delay is nan"),
        ("[{reply: a, usage: {input: 1.5}}]", "usage.input is 1.5"),
        ("[{reply: a, usage: {in: 1}}]", "usage is {'in': 1}"),
        ("[{error: {kind: boom}}]", "error has the kind 'boom'"),
        ("[{reply: 2024-01-01}]", "neither text nor JSON"),
        ("[{reply: !!python/object/apply:os.getcwd []}]", "is not YAML"),
    ],
)
def test_a_wrong_file_is_named_with_the_place(write, text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        write(text)
    assert said in caught.value.message
    assert "replies.yaml" in caught.value.message
    assert "\n" not in caught.value.message


def test_a_file_that_is_absent_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="SCRIPTED_REPLIES can't be read"):
        load_script(tmp_path / "none.yaml")
