"""What a server said, made fit to be shown; and the times it asks to wait."""

from __future__ import annotations

import pytest

from app.llm.failures import one_line, retry_after, without_login
from app.llm.strict_schema import is_strict
from app.plan.schema import plan_schema


def test_a_message_is_one_line_of_bounded_length() -> None:
    assert one_line("a\n  b\tc") == "a b c"
    assert len(one_line("x" * 100_000)) == 300


@pytest.mark.parametrize(
    "said",
    ["bad key hunter2!", "x" * 2_395 + "hunter2", "Bearer abc.def", "key sk-proj-abc123", "sk-ab***xyz"],
)
def test_no_secret_stays_in_a_message(said: str) -> None:
    shown = one_line(said, "hunter2", "")
    assert "hunter" not in shown
    assert not {"abc", "xyz"} & set(shown.replace(".", "-").replace("*", "-").split("-"))


def test_a_url_is_shown_without_its_login_and_query() -> None:
    assert without_login("https://me:pw@host:1/v1?key=k#f") == "https://host:1/v1"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "20"}, 20),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "20", "retry-after-ms": "500"}, 0.5),
        ({"retry-after": "Thu, 01 Jan 1970 00:01:00 GMT"}, 50),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "inf"}, None),
    ],
)
def test_the_time_to_wait_is_read(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, now=10.0) == seconds


CLOSED = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (CLOSED, True),
        ({**CLOSED, "required": []}, False),
        ({**CLOSED, "additionalProperties": True}, False),
        ({**CLOSED, "properties": {"a": {}}}, False),
        ({**CLOSED, "properties": {"a": {"type": "array", "items": CLOSED}}}, True),
        ({**CLOSED, "properties": {"a": {"type": "array", "items": {"type": "object"}}}}, False),
        ({**CLOSED, "properties": {"a": {"anyOf": [CLOSED, {"type": "null"}]}}}, True),
        ({**CLOSED, "properties": {"a": {"oneOf": [CLOSED]}}}, False),
        ({"type": "array", "items": CLOSED}, False),
        (plan_schema(), False),
    ],
)
def test_strict_schemas_are_told_from_others(schema: dict[str, object], strict: bool) -> None:
    assert is_strict(schema) is strict
