"""What names a secret, and that the checker takes it for a text that nobody knows yet."""

from __future__ import annotations

from typing import Any

import pytest

from app.plan.arguments import ArgumentCheck
from app.plan.secrets import names_secret, secret_name
from app.plan.signature import ToolSignature


@pytest.mark.parametrize("name", ["A", "API_TOKEN", "K9", "A" + "_" * 63])
def test_a_text_that_is_one_whole_reference_names_a_secret(name: str) -> None:
    assert secret_name(f"secret:{name}") == name
    assert names_secret([{"headers": [f"secret:{name}"]}])


@pytest.mark.parametrize(
    "text",
    [
        "", "secret:", "secret:token", "secret:Token", "Secret:TOKEN", "SECRET:TOKEN", " secret:TOKEN",
        "secret:TOKEN ",
        "secret:TOKEN\n", "secret: TOKEN", "secret:9", "secret:_A", "secret:A-B", "secret:Ä", "secret:A\u0661",
        "Bearer secret:TOKEN", "secret:TOKEN,secret:OTHER", "secret:" + "A" * 65, "TOKEN",
    ],
)  # fmt: skip
def test_every_other_text_is_a_text(text: str) -> None:
    assert secret_name(text) is None
    assert not names_secret({"deep": [text]})


def test_keys_and_other_values_name_none() -> None:
    assert not names_secret({"secret:TOKEN": 1})
    assert not names_secret([None, True, 1, 1.5, [], {}])


def faults(schema: dict[str, Any], value: Any) -> list[str]:
    parameters = {"type": "object", "properties": {"token": schema}, "additionalProperties": False}
    check = ArgumentCheck(ToolSignature("send", parameters, None, ()))
    return [fault.message for fault in check.faults({"token": value})]


@pytest.mark.parametrize(
    "schema",
    [
        {}, {"type": "string"}, {"type": "string", "pattern": "^sk-"}, {"type": "string", "minLength": 40},
        {"enum": ["a", "b"]}, {"anyOf": [{"type": "integer"}, {"type": "string", "maxLength": 3}]},
    ],
)  # fmt: skip
def test_a_secret_fits_where_a_text_may_stand(schema: dict[str, Any]) -> None:
    assert faults(schema, "secret:TOKEN") == []
    assert faults({"type": "array", "items": schema}, ["secret:TOKEN"]) == []


@pytest.mark.parametrize(
    "schema", [{"type": "integer"}, {"type": "array"}, {"enum": [1, 2]}, {"const": None}]
)
def test_it_fits_nowhere_else(schema: dict[str, Any]) -> None:
    (message,) = faults(schema, "secret:TOKEN")
    assert "not text" in message


def test_what_is_no_reference_is_checked_as_it_stands() -> None:
    assert faults({"type": "string", "pattern": "^sk-"}, "secret:token")
