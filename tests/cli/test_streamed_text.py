"""The end of a text that is being written: bounded, calm, and without power over the terminal."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from app.cli.screen import cells
from app.cli.streamed_text import StreamedText
from app.cli.streams import inert


def written(*tokens: str, width: int = 20, lines: int = 4) -> list[str]:
    text = StreamedText(lines)
    for token in tokens:
        text.add(token, width)
    return text.lines()


def test_tokens_become_lines() -> None:
    assert written("one ", "two", "\nthr", "ee") == ["one two", "three"]


def test_only_the_last_lines_are_kept() -> None:
    assert written(*(f"{number}\n" for number in range(100)), lines=3) == ["97", "98", "99"]


def test_long_lines_break_between_words_and_long_words_anywhere() -> None:
    assert written("some words that are too long", width=10) == ["some words", "that are ", "too long"]
    assert written("a" * 25, width=10) == ["a" * 10, "a" * 10, "a" * 5]


def test_empty_lines_take_no_room_and_indents_are_kept() -> None:
    assert written("{\n\n  ", "  ", '"a": 1', "\n\n\n}") == ["{", '    "a": 1', "}"]


def test_wide_characters_take_two_columns() -> None:
    assert written("世界世界世", width=8) == ["世界世界", "世"]


def test_what_is_void_is_gone() -> None:
    text = StreamedText()
    text.add("half a", 20)
    text.clear()
    assert not text
    text.add("whole", 20)
    assert text.lines() == ["whole"]


def test_marks_without_a_width_do_not_grow_a_line_for_ever() -> None:
    assert sum(map(len, written(*["\u0301" * 1_000] * 100))) < 1_000


def test_a_hostile_text_does_nothing() -> None:
    assert written("a\x1b", "[2J\x9b31m\x07\u202eb\rc") == ["a�[2J�31m��b�c"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=60), max_size=12), st.integers(min_value=1, max_value=30))
def test_lines_always_fit_and_stand_still(tokens: list[str], width: int) -> None:
    text = StreamedText()
    before: list[str] = []
    for token in tokens:
        text.add(token, width)
        lines = text.lines()
        assert len(lines) <= 4
        assert all(cells(line) <= max(width, 8) for line in lines)
        assert all(inert(line) == line and "\n" not in line for line in lines)
        # Lines scroll away; of those that stay, the last alone may have grown.
        stood = before[:-1]
        assert any(lines[: len(stood[skip:])] == stood[skip:] for skip in range(len(stood) + 1))
        before = lines
