"""Ref names: git's own rules, compared with the stock git client."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import InvalidName
from app.history.refnames import (
    MAX_REF_BYTES,
    check_branch_name,
    check_new_branch_name,
    check_ref_name,
    conflicting_ref,
)

GOOD = ["main", "a/b", "a.b", "a-b_c", "été", "日本", "x@y", "@x", "{}", "a" * 200, "-", "HEAD", "lock", "a]"]
BAD = [
    "",
    "/a",
    "a/",
    "a//b",
    ".a",
    "a/.b",
    "a.lock",
    "a.lock/b",
    "a..b",
    "a.",
    "a b",
    "a\tb",
    "a\x7f",
    "a~b",
]
BAD += ["a^b", "a:b", "a?b", "a*b", "a[b", "a\\b", "a@{b", "a\n", "\0"]


@pytest.mark.parametrize("name", GOOD)
def test_takes_what_git_takes(name: str) -> None:
    check_ref_name(f"refs/heads/{name}")


@pytest.mark.parametrize("name", BAD)
def test_refuses_what_git_refuses_in_one_line(name: str) -> None:
    with pytest.raises(InvalidName) as raised:
        check_ref_name(f"refs/heads/{name}")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "name", ["main", "heads/main", "HEAD", "@", "", "refs", "/refs/heads/a", "xrefs/heads/a"]
)
def test_a_full_name_begins_with_refs(name: str) -> None:
    with pytest.raises(InvalidName, match="refs/"):
        check_ref_name(name)


def test_a_name_fits_its_column_and_a_file_name() -> None:
    check_ref_name("refs/heads/" + "x" * (MAX_REF_BYTES - 11))
    for name in ("refs/heads/" + "x" * (MAX_REF_BYTES - 10), "refs/heads/" + "é" * (MAX_REF_BYTES // 2)):
        with pytest.raises(InvalidName, match=str(MAX_REF_BYTES)):
            check_ref_name(name)


def test_a_lone_surrogate_is_no_name() -> None:
    with pytest.raises(InvalidName, match="Unicode"):
        check_ref_name("refs/heads/\udcff")


@pytest.mark.parametrize("name", ["main", "fix/one", "été"])
def test_takes_branch_names(name: str) -> None:
    check_branch_name(name)


@pytest.mark.parametrize("name", ["-x", "HEAD", "HEAD/x", "", "a b", "a..b", ".a", "a/", "a.lock"])
def test_refuses_branch_names(name: str) -> None:
    with pytest.raises(InvalidName, match="not a branch name"):
        check_branch_name(name)


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="ab./@{}~-\\ é:lock", min_size=1, max_size=12))
def test_agrees_with_git(name: str) -> None:
    full = f"refs/heads/{name}"
    said = subprocess.run(["git", "check-ref-format", full], check=False).returncode == 0
    try:
        check_ref_name(full)
    except InvalidName:
        assert not said
    else:
        assert said


def test_a_and_a_slash_b_exclude_each_other() -> None:
    assert conflicting_ref("refs/heads/a", ["refs/heads/c", "refs/heads/a/b"]) == "refs/heads/a/b"
    assert conflicting_ref("refs/heads/a/b/c", ["refs/heads/a"]) == "refs/heads/a"


def test_names_that_only_look_alike_stand_side_by_side() -> None:
    assert conflicting_ref("refs/heads/a", ["refs/heads/a", "refs/heads/ab/c", "refs/heads/A/b"]) is None
    assert conflicting_ref("refs/heads/ab/c", ["refs/heads/a", "refs/heads/abc"]) is None


UNSEEN = {
    "main\u202e": "U+202E RIGHT-TO-LEFT OVERRIDE",
    "\u2066main": "U+2066 LEFT-TO-RIGHT ISOLATE",
    "ma\u200bin": "U+200B ZERO WIDTH SPACE",
    "ma\u200din": "U+200D ZERO WIDTH JOINER",
    "main\ufeff": "U+FEFF ZERO WIDTH NO-BREAK SPACE",
    "ma\xadin": "U+00AD SOFT HYPHEN",
    "ma\xa0in": "U+00A0 NO-BREAK SPACE",
    "main\u3164": "U+3164 HANGUL FILLER",
    "main\ufe0f": "U+FE0F VARIATION SELECTOR-16",
    "main\u2028": "U+2028 LINE SEPARATOR",
    "main\x85": "U+0085, a control character",
    "main\ue000": "U+E000, which means nothing",
    "main\uffff": "U+FFFF, which is no character",
    "e\u0301te\u0301": "U+0301 COMBINING ACUTE ACCENT",
    "\u2126": "U+2126 OHM SIGN",
    "a\u212b": "U+212B ANGSTROM SIGN",
}


@pytest.mark.parametrize("name", UNSEEN, ids=ascii)
def test_a_new_branch_is_told_from_others_by_looking_at_it(name: str) -> None:
    check_branch_name(name)  # one that is there keeps its name
    with pytest.raises(InvalidName) as raised:
        check_new_branch_name(name)
    assert UNSEEN[name] in raised.value.message


@pytest.mark.parametrize(
    "name", ["\xe9t\xe9", "日本", "ветка", "δοκιμή", "שלום", "गिट", "v1.0-ü_x/y", "mаin", "🙂"]
)
def test_letters_of_all_alphabets_are_letters(name: str) -> None:
    check_new_branch_name(name)
