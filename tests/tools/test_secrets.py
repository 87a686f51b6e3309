"""Values for names in a call's arguments, and what an operator may set as a secret."""

from __future__ import annotations

import pytest

from app.errors import ArgumentsInvalid, ConfigurationError
from app.tools.secrets import LONGEST, NO_SECRETS, SHORTEST, Secrets, checked_secrets

SECRETS = Secrets({"TOKEN": "the value", "OTHER": "another one"}, {"[KEY]": "a key of ours"})


def test_names_become_values_at_any_depth() -> None:
    arguments = {
        "token": "secret:TOKEN",
        "rows": [["secret:OTHER", 1], {"secret:TOKEN": "secret:TOKEN", "text": "Bearer secret:TOKEN"}],
    }
    assert SECRETS.resolve(arguments) == {
        "token": "the value",
        "rows": [["another one", 1], {"secret:TOKEN": "the value", "text": "Bearer secret:TOKEN"}],
    }
    assert arguments["token"] == "secret:TOKEN"


def test_arguments_without_names_stay_the_very_same() -> None:
    arguments = {"a": [1, {"b": "secret:no"}], "secret:TOKEN": None}
    assert SECRETS.resolve(arguments) is arguments
    assert NO_SECRETS.resolve(arguments) is arguments


def test_a_secret_that_is_not_set_is_named_with_its_variable() -> None:
    for secrets in (SECRETS, NO_SECRETS):
        with pytest.raises(ArgumentsInvalid, match="secret:MISSING: STACKVM_SECRET_MISSING is not set"):
            secrets.resolve({"a": ["secret:MISSING"]})


def test_values_and_keys_are_hidden() -> None:
    text = "the value, another one, a key of ours"
    assert SECRETS.masks.text(text) == "secret:TOKEN, secret:OTHER, [KEY]"
    assert repr(SECRETS) == "Secrets(TOKEN, OTHER)"


def test_a_key_can_not_be_named() -> None:
    with pytest.raises(ArgumentsInvalid):
        SECRETS.resolve({"a": "secret:KEY"})


def test_an_end_of_line_in_a_value_goes_to_the_tool_and_hides_nothing_less() -> None:
    secrets = checked_secrets({"TOKEN": "with an end\n"})
    assert secrets.resolve({"a": "secret:TOKEN"}) == {"a": "with an end\n"}
    assert secrets.masks.text("with an end") == "secret:TOKEN"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("PIN", "1234", "STACKVM_SECRET_PIN: too short"),
        ("PIN", "x" * (SHORTEST - 1), "STACKVM_SECRET_PIN: too short"),
        ("PIN", " \n\t    x   \n ", "STACKVM_SECRET_PIN: too short"),
        ("BIG", "x" * (LONGEST + 1), "STACKVM_SECRET_BIG: longer than 8,192 characters"),
        ("9", "long enough", "STACKVM_SECRET_9: no plan could name it"),
        ("", "long enough", "STACKVM_SECRET_: no plan could name it"),
        ("A-B", "long enough", "STACKVM_SECRET_A-B: no plan could name it"),
        ("LOOP", "secret:TOKEN", "STACKVM_SECRET_LOOP: its value is the name of a secret"),
        ("BYTES", "long \udcff enough", "STACKVM_SECRET_BYTES: its value is not UTF-8 text"),
    ],
)
def test_what_can_not_be_hidden_or_named_is_refused(name: str, value: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        checked_secrets({"GOOD": "a good one", name: value})
    assert raised.value.message.startswith(message)
    assert raised.value.hint
    if len(value.strip()) > 1:
        assert value.encode("utf-8", "replace").decode() not in str(raised.value) or value == "secret:TOKEN"


@pytest.mark.parametrize("size", [SHORTEST, LONGEST])
def test_sizes_within_the_limits_are_taken(size: int) -> None:
    value = ("x9/" * size)[:size]
    assert checked_secrets({"A": value}).masks.text(f"<{value}>") == "<secret:A>"
