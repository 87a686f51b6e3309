"""Values are hidden in whatever form they stand, and nothing else changes."""

from __future__ import annotations

import html
import json
import shlex
from base64 import b64encode, encodebytes, urlsafe_b64encode
from time import perf_counter
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from leaks import trace_of
from pydantic import BaseModel

from app.tools.masks import NO_MASKS, Masks

TOKEN = "sk-4fQ9zTr7Lm2XvB8nHc1WyK5dJe3Ga6Us"
PASSWORD = "p@ss/w+rd =\"é\\n😀'x&<y>"
PEM = "-----BEGIN KEY-----\n" + "\n".join(f"{line:02}+/" + "aZ9/Q" * 12 for line in range(20)) + "\n"
VALUES = {"secret:TOKEN": TOKEN, "secret:PASSWORD": PASSWORD, "secret:PEM": PEM}
MASKS = Masks(VALUES)

FORMS = {
    "as it is": lambda value: value,
    "for a URL": quote,
    "for a URL, all of it": lambda value: quote(value, safe=""),
    "for a URL, as a script does it": lambda value: quote(value, safe="!*'()"),
    "in small digits": lambda value: quote(value, safe="").replace("%2F", "%2f").replace("%2B", "%2b"),
    "for a form": quote_plus,
    "as a query": lambda value: urlencode({"token": value, "page": 1}),
    "as JSON": json.dumps,
    "as JSON in UTF-8": lambda value: json.dumps(value, ensure_ascii=False),
    "as JSON within JSON": lambda value: json.dumps(json.dumps({"headers": {"Token": value}})),
    "as JSON of a script": lambda value: json.dumps(value).replace("/", "\\/"),
    "for HTML": html.escape,
    "for Python": repr,
    "for Python in ASCII": ascii,
    "as Python's bytes": lambda value: repr(value.encode()),
    "for a shell": shlex.quote,
    "with its lines joined": lambda value: " ".join(value.split()),
    "with other ends of lines": lambda value: value.replace("\n", "\r\n"),
    "in base64": lambda value: b64encode(value.encode()).decode(),
    "in base64 for a URL": lambda value: urlsafe_b64encode(value.encode()).decode().rstrip("="),
    "in quoted base64": lambda value: quote(b64encode(value.encode()).decode(), safe=""),
    "in base64 behind a name": lambda value: b64encode(b"user:" + value.encode()).decode(),
    "in base64 behind another": lambda value: b64encode(b"admin:" + value.encode() + b":x").decode(),
    "in base64 of JSON": lambda value: b64encode(json.dumps({"token": value}).encode()).decode(),
    "in lines of base64": lambda value: encodebytes(b"x" * 40 + value.encode()).decode(),
    "in JSON of lines of base64": lambda value: json.dumps(encodebytes(b"y" * 51 + value.encode()).decode()),
    "in hexadecimal": lambda value: value.encode().hex(),
    "in capital hexadecimal": lambda value: value.encode().hex().upper(),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shown", VALUES)
def test_a_value_is_hidden(shown: str, form: str) -> None:
    text = f"before {FORMS[form](VALUES[shown])} behind"
    masked = MASKS.text(text)
    assert shown in masked
    assert trace_of(VALUES[shown], masked) is None
    assert masked.startswith("before ")
    assert masked.endswith(" behind")


@pytest.mark.parametrize("value", ["!?&=!?&=", "ab cd ef", "日本語の鍵です", "000000", 'a"b\\c\\"d'])
@pytest.mark.parametrize("form", FORMS)
def test_odd_values_are_hidden_too(value: str, form: str) -> None:
    masked = Masks({"secret:ODD": value}).text(f"<{FORMS[form](value)}>")
    assert "secret:ODD" in masked
    assert value not in masked


def test_a_long_value_is_known_when_it_is_shortened() -> None:
    class Strict(BaseModel):
        number: int

    value = TOKEN * 2
    with pytest.raises(ValueError, match=r"\.\.\.") as raised:
        Strict(number=value)  # type: ignore[arg-type]
    masks = Masks({"secret:TOKEN": value})
    assert trace_of(TOKEN, masks.text(str(raised.value))) is None
    assert masks.text(f"{value[:20]}…") == "secret:TOKEN…"
    assert masks.text(f"…{value[-20:]}") == "…secret:TOKEN"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4)
    ),
    max_leaves=12,
)


def forms_of_any() -> st.SearchStrategy[str]:
    """A value in some form within some text, or by itself."""
    hidden = st.builds(
        lambda shown, form: FORMS[form](VALUES[shown]),
        st.sampled_from(sorted(VALUES)), st.sampled_from(sorted(FORMS)),
    )  # fmt: skip
    around = st.sampled_from(["", " ", "x", "\n", '"', "Bearer ", "=", "\\", "%", "ünd "])
    return st.builds(lambda before, value, behind: before + value + behind, around, hidden, around)


LEAKS = st.recursive(
    forms_of_any() | st.none() | st.integers() | st.text(max_size=8),
    lambda children: (
        st.lists(children, max_size=4)
        | st.dictionaries(forms_of_any() | st.text(max_size=8), children, max_size=4)
    ),
    max_leaves=10,
)


def shape(value: Any) -> Any:
    """What must stay: how lists and objects are nested."""
    if isinstance(value, list):
        return [shape(item) for item in value]
    return [shape(item) for item in value.values()] if isinstance(value, dict) else None


@settings(deadline=None)
@given(LEAKS)
def test_nothing_leaks_from_any_place_of_any_result(result: Any) -> None:
    masked = MASKS.json(result)
    text = json.dumps(masked, ensure_ascii=False)
    for value in VALUES.values():
        assert trace_of(value, text) is None
    assert shape(masked) == shape(result)
    assert MASKS.json(masked) is masked


@given(JSON)
def test_what_holds_no_value_stays_the_very_same(result: Any) -> None:
    assert MASKS.json(result) is result
    assert NO_MASKS.json(result) is result


def test_parts_that_hold_no_value_stay_beside_one_that_does() -> None:
    result = {"rows": [1, 2.5, None], "token": [TOKEN], "n": True}
    assert MASKS.json(result) == {"rows": [1, 2.5, None], "token": ["secret:TOKEN"], "n": True}
    assert MASKS.json(result)["rows"] is result["rows"]


def test_keys_that_become_equal_are_both_kept() -> None:
    masked = MASKS.json({TOKEN: 1, "secret:TOKEN": 2, f" {TOKEN}": 3})
    assert masked == {"secret:TOKEN_": 1, "secret:TOKEN": 2, " secret:TOKEN": 3}


def test_a_number_that_is_a_value_becomes_a_text() -> None:
    masks = Masks({"secret:PIN": "73310442", "secret:RATE": "3.14159", "secret:ODD": "00012345"})
    assert masks.json([73310442, 73310442.0, 3.14159, "73310442"]) == [
        "secret:PIN", "secret:PIN", "secret:RATE", "secret:PIN",
    ]  # fmt: skip
    assert masks.json({"n": 73310442}) == {"n": "secret:PIN"}
    assert masks.json(73310442) == "secret:PIN"
    assert masks.json([12345, 7331044, True]) == [12345, 7331044, True]


def test_of_two_values_of_which_one_holds_the_other_the_longer_goes_first() -> None:
    masks = Masks(
        {"secret:SHORT": "hunter", "secret:LONG": "xx-hunter-2000", "secret:LONGER": "hunter-2000-yy"}
    )
    assert masks.text("xx-hunter-2000") == "secret:LONG"
    assert masks.text("hunter-2000-yy") == "secret:LONGER"
    assert masks.text("a hunter") == "a secret:SHORT"


def test_a_value_that_is_a_part_of_a_mask_does_not_break_masks() -> None:
    masks = Masks({"secret:SECRET": "secret", "secret:TOKEN": TOKEN})
    assert masks.text(f"{TOKEN} is secret") == "secret:TOKEN is secret:SECRET"
    assert masks.text("secret:TOKEN is secret:SECRET") == "secret:TOKEN is secret:SECRET"
    assert masks.text("secret:TOKENS") == "secret:SECRET:TOKENS"


def test_an_integer_beyond_64_bits_beside_a_value_stays() -> None:
    assert MASKS.json([2**70, {"a": TOKEN}]) == [2**70, {"a": "secret:TOKEN"}]


@pytest.mark.parametrize(
    "text",
    [
        "\\" * 200_000,
        "%2" * 100_000,
        "lorem ipsum " * 20_000,
        TOKEN[:-1] * 4_000,
        "p" * 200_000,
        "aZ9/" * 50_000,
    ],
)
def test_no_text_makes_it_slow(text: str) -> None:
    MASKS.text(f"{TOKEN} {PASSWORD} {PEM}")
    started = perf_counter()
    masked = MASKS.text(f"{text} {TOKEN} {PASSWORD}")
    assert perf_counter() - started < 5
    assert masked.endswith("secret:TOKEN secret:PASSWORD")


@pytest.mark.parametrize(
    "value",
    [
        '{\\"a\\": \\"b\\"}' * 6, "'" * 60, '\\"' * 30, "a + b + + + + + + + + +", "%" * 40, "&" * 20 + "&amp;" * 5,
        "x" + "\n\n\\n" * 8, "x9/" * 300, PEM * 3,
    ],
)  # fmt: skip
def test_no_value_makes_it_slow(value: str) -> None:
    masks = Masks({"secret:ODD": value})
    started = perf_counter()
    for _ in range(4):
        assert "<secret:ODD" in masks.text(f"{value[:-3]} <{value}>")
        value = json.dumps(value)[1:-1]
    assert perf_counter() - started < 5


def test_how_much_of_an_end_may_begin_a_value() -> None:
    assert MASKS.beginning_at_end("nothing here") == 0
    assert MASKS.beginning_at_end(f"x {TOKEN[:9]}") == 9
    assert MASKS.beginning_at_end(f"x {quote(PASSWORD, safe='')[:6]}") == 6


def test_masks_show_names_only() -> None:
    assert repr(MASKS) == "Masks(secret:TOKEN, secret:PASSWORD, secret:PEM)"
    assert MASKS and not NO_MASKS
