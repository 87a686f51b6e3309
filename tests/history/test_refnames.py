"""Ref names: git's own rules, compared with the stock git client."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import Conflict
from app.history.refnames import MAX_REF_BYTES, check_branch_name, check_ref_name, conflicting_ref

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
    with pytest.raises(Conflict) as raised:
        check_ref_name(f"refs/heads/{name}")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "name", ["main", "heads/main", "HEAD", "@", "", "refs", "/refs/heads/a", "xrefs/heads/a"]
)
def test_a_full_name_begins_with_refs(name: str) -> None:
    with pytest.raises(Conflict, match="refs/"):
        check_ref_name(name)


def test_a_name_fits_its_column_and_a_file_name() -> None:
    check_ref_name("refs/heads/" + "x" * (MAX_REF_BYTES - 11))
    for name in ("refs/heads/" + "x" * (MAX_REF_BYTES - 10), "refs/heads/" + "é" * (MAX_REF_BYTES // 2)):
        with pytest.raises(Conflict, match=str(MAX_REF_BYTES)):
            check_ref_name(name)


def test_a_lone_surrogate_is_no_name() -> None:
    with pytest.raises(Conflict, match="Unicode"):
        check_ref_name("refs/heads/\udcff")


@pytest.mark.parametrize("name", ["main", "fix/one", "été"])
def test_takes_branch_names(name: str) -> None:
    check_branch_name(name)


@pytest.mark.parametrize("name", ["-x", "HEAD", "HEAD/x", "", "a b", "a..b", ".a", "a/", "a.lock"])
def test_refuses_branch_names(name: str) -> None:
    with pytest.raises(Conflict, match="not a branch name"):
        check_branch_name(name)


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="ab./@{}~-\\ é:lock", min_size=1, max_size=12))
def test_agrees_with_git(name: str) -> None:
    full = f"refs/heads/{name}"
    said = subprocess.run(["git", "check-ref-format", full], check=False).returncode == 0
    try:
        check_ref_name(full)
    except Conflict:
        assert not said
    else:
        assert said


def test_a_and_a_slash_b_exclude_each_other() -> None:
    assert conflicting_ref("refs/heads/a", ["refs/heads/c", "refs/heads/a/b"]) == "refs/heads/a/b"
    assert conflicting_ref("refs/heads/a/b/c", ["refs/heads/a"]) == "refs/heads/a"


def test_names_that_only_look_alike_stand_side_by_side() -> None:
    assert conflicting_ref("refs/heads/a", ["refs/heads/a", "refs/heads/ab/c", "refs/heads/A/b"]) is None
    assert conflicting_ref("refs/heads/ab/c", ["refs/heads/a", "refs/heads/abc"]) is None
