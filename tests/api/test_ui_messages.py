from __future__ import annotations

import json
from typing import Any

import pytest

from app.api.ui_messages import MAX_VALUE_BYTES, _short, _Text, part


def live(text: str, *, since_ms: int = 1, chars: int | None = None, **step: Any) -> dict[str, Any]:
    begun = {"seq_no": 3, "output_vars": "final_answer", "count": None, **step}
    shown = {"seq_no": 3, "since_ms": since_ms, "text": text, "chars": len(text) if chars is None else chars}
    return {"steps": [begun], "texts": [shown]}


def said(parts: list[bytes]) -> list[str]:
    """The texts that a client has then, each as one; one that is not ended has an ellipsis."""
    texts: dict[str, str] = {}
    for each in parts:
        document = json.loads(each.removeprefix(b"data: "))
        if document["type"] == "text-start":
            texts[document["id"]] = "…"
        elif document["type"] == "text-delta":
            texts[document["id"]] = texts[document["id"]].removesuffix("…") + document["delta"] + "…"
        else:
            texts[document["id"]] = texts[document["id"]].removesuffix("…")
    return list(texts.values())


def test_a_text_grows_by_what_is_new_and_ends_with_the_answer() -> None:
    text = _Text()
    parts = [*text.grow(live("Once ")), *text.grow(live("Once upon")), *text.grow(live("Once upon"))]
    assert len(parts) == 3 and said(parts) == ["Once upon…"]
    assert said([*parts, *text.finish("Once upon a time")]) == ["Once upon a time"]


def test_of_the_end_of_a_long_text_only_what_is_new_is_said() -> None:
    text = _Text()
    parts = [*text.grow(live("abc")), *text.grow(live("cdef", chars=6))]
    assert said(parts) == ["abcdef…"]


def test_a_text_with_a_gap_waits_for_the_answer() -> None:
    text = _Text()
    parts = [*text.grow(live("abc")), *text.grow(live("xyz", chars=100))]
    assert said([*parts, *text.finish("abc and so on, xyz")]) == ["abc and so on, xyz"]


@pytest.mark.parametrize(("written", "answer"), [("\n Hello ", "Hello"), (" Hello wor", "Hello world")])
def test_white_space_around_an_answer_changes_nothing(written: str, answer: str) -> None:
    text = _Text()
    [whole] = said([*text.grow(live(written)), *text.finish(answer)])
    assert whole.strip() == answer


def test_an_attempt_that_was_given_up_is_a_text_of_its_own() -> None:
    text = _Text()
    parts = [*text.grow(live("wro")), *text.grow(live("ri", since_ms=2)), *text.finish("right")]
    assert said(parts) == ["wro", "right"]


def test_an_answer_that_was_made_of_something_else_is_said_whole() -> None:
    text = _Text()
    assert said([*text.grow(live("draft")), *text.finish({"a": [1]})]) == [
        "draft",
        '{\n  "a": [\n    1\n  ]\n}',
    ]
    assert said(list(_Text().finish(None))) == []


@pytest.mark.parametrize("step", [{"output_vars": "x"}, {"count": 3}, {"output_vars": ["final_answer", "b"]}])
def test_what_does_not_become_the_answer_is_not_said(step: dict[str, Any]) -> None:
    assert list(_Text().grow(live("abc", **step))) == []


def test_large_values_are_left_where_they_are() -> None:
    assert _short("x" * 100, "c1") == "x" * 100
    assert _short("x" * MAX_VALUE_BYTES, "c1") == {"left_out_bytes": MAX_VALUE_BYTES + 2, "commit": "c1"}


def test_any_value_of_a_history_can_be_said() -> None:
    assert json.loads(part("data-step", data={"n": 2**80, "s": "é\ud800"})[6:])["data"]["n"] == 2**80
