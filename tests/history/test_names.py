"""File names for keys: reversible, safe for git and for file systems."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.history.names import escape_name, fits_folder, mask_capitals, unescape_name

keys = st.text(st.characters(exclude_categories=["Cs"]))


@given(keys)
def test_escaping_is_reversible(key: str) -> None:
    assert unescape_name(escape_name(key)) == key


@given(keys, keys)
def test_different_keys_have_different_names(left: str, right: str) -> None:
    assert (escape_name(left) == escape_name(right)) == (left == right)


@given(keys)
def test_no_name_can_confuse_git_or_a_file_system(key: str) -> None:
    name = escape_name(key)
    assert name
    assert not set(name) & set('/\\:*?"<>|@\x00\n\x7f')
    assert name[0] not in ". "
    assert all(ord(char) >= 0x20 for char in name)


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("plain_name", "plain_name"),
        ("with space", "with space"),
        ("", "%"),
        (".git", "%2egit"),
        ("..", "%2e."),
        ("a/b", "a%2fb"),
        ("100%", "100%25"),
        ("@00", "%4000"),
        ("con", "%63on"),
        ("NUL.txt", "%4eUL.txt"),
        ("größe", "größe"),
        ("tab\t", "tab%09"),
    ],
)
def test_names_stay_readable_where_they_can(key: str, name: str) -> None:
    assert escape_name(key) == name


@given(st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,127}", fullmatch=True))
def test_a_variable_is_its_own_name(name: str) -> None:
    if escape_name(name) != name:  # the names of devices
        assert unescape_name(escape_name(name)) == name
    assert unescape_name(mask_capitals(name)) == name
    assert mask_capitals(name) == mask_capitals(name).lower()
    assert len(mask_capitals(name)) <= 200


def test_keys_that_a_file_system_confuses_do_not_share_a_folder() -> None:
    assert fits_folder(["a", "b"])
    assert not fits_folder(["Name", "name"])
    assert not fits_folder(["\u00e9", "e\u0301"])
    assert not fits_folder(["x" * 201])
    assert fits_folder(["x" * 200])
