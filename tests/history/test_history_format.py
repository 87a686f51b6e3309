"""The page against the program: an encoder written from ``docs/history-format.md`` gives the same ids."""

from __future__ import annotations

import random
import zlib
from pathlib import Path
from typing import Any

import independent_commits
import independent_format
import pytest
from git_objects import git
from hypothesis import given, settings
from hypothesis import strategies as st
from objects import ReadableSink, text, values, variable_names
from test_codec import write

from app.errors import InvalidValue
from app.history.canonical import canonical
from app.history.codec import Snapshot
from app.history.commits import commit_bytes, format_message, one_line
from app.history.names import escape_name

TASK = "00000000-0000-4000-8000-000000000001"
CONTROL = {"pc": None, "status": "completed", "steps": 1}


def tree_of(snapshot: Snapshot, objects: dict[str, bytes] | None = None) -> str:
    """The id of a snapshot's tree by the independent encoder, which puts what it wrote into ``objects``."""
    folder = independent_commits.commit_folder(
        snapshot.goal, snapshot.plan, snapshot.control, snapshot.record, snapshot.variables, snapshot.errors
    )
    return independent_format.object_ids(folder, {} if objects is None else objects)


def snapshot_of(**parts: Any) -> Snapshot:
    return Snapshot(**{"goal": {"goal": "g"}, "record": {"kind": "step"}, "control": CONTROL, **parts})


def assert_agreed(snapshot: Snapshot) -> None:
    sink = ReadableSink()
    tree = write(snapshot, sink).hex()
    objects: dict[str, bytes] = {}
    assert tree == tree_of(snapshot, objects)
    assert {oid.hex() for oid in sink.objects} >= set(objects)


# Texts, numbers, names

odd_keys = st.one_of(
    text,
    st.sampled_from(
        ["", ".git", "..", "con", "CON", "nul.x", "com7", "aux.", "conx", "@00", "_0", "%", "%41"]
    ),
    st.sampled_from(
        ["é", "e\u0301", "≮", "<\u0338", "`", "\u1fef", "ß", "ss", "K", "\u212a", "k", "ΐ", "Ϊ\u0301"]
    ),
    st.text(st.sampled_from(["a", "B", " ", ".", "/", ":", "\x7f", "\x01", "~", "1", "é", "%"]), max_size=9),
)
numbers = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(
        [1e16, 9999999999999998.0, 1e-4, 9.999e-5, 1e22, -0.0, 5e-324, 1.7976931348623157e308, 1e100]
    ),
    st.integers(-(2**70), 2**70),
    st.sampled_from([2**63, 2**63 - 1, -(2**63) - 1, 10**4_300 - 1, 1 - 10**4_300]),
)


@given(st.recursive(numbers | text | values, lambda inner: st.lists(inner, max_size=3)))
def test_canonical_texts_agree(value: Any) -> None:
    assert independent_format.canonical(value) == canonical(value)


@given(odd_keys)
def test_names_agree(key: str) -> None:
    assert independent_format.escape(key) == escape_name(key)


REFUSED: dict[str, Any] = {
    "nan": float("nan"),
    "infinity": float("-inf"),
    "surrogate": "\ud800",
    "surrogate key": {"\udfff": 1},
    "number as key": {1: 1},
    "digits": 10**4_300,
}


@pytest.mark.parametrize("name", REFUSED)
def test_both_refuse_the_same(name: str) -> None:
    value = REFUSED[name]
    with pytest.raises(ValueError):
        independent_format.canonical([value])
    with pytest.raises(InvalidValue):
        canonical([value])


@pytest.mark.parametrize("levels", [100, 101])
def test_both_end_at_the_same_depth(levels: int) -> None:
    value: Any = 1
    for _ in range(levels):
        value = {"k": value}
    if levels == 100:
        assert_agreed(snapshot_of(variables={"deep": value}))
    else:
        with pytest.raises(ValueError):
            independent_format.canonical(value)
        with pytest.raises(InvalidValue):
            canonical(value)


# Snapshots


@settings(max_examples=60)
@given(
    st.dictionaries(variable_names, values, max_size=6),
    st.dictionaries(st.sampled_from(["value", "values", "errors", "inputs", "key"]), values, max_size=3),
    st.lists(values, max_size=3),
)
def test_small_snapshots_agree(variables: dict[str, Any], record: dict[str, Any], errors: list[Any]) -> None:
    if not isinstance(record.get("inputs", {}), dict):
        record["inputs"] = {"only": record["inputs"]}
    assert_agreed(snapshot_of(variables=variables, record={"kind": "step", **record}, errors=errors))


@settings(max_examples=60)
@given(st.dictionaries(odd_keys, st.integers(0, 9_000), max_size=8))
def test_long_objects_with_odd_keys_agree(sizes: dict[str, int]) -> None:
    value = {key: "v" * size for key, size in sizes.items()}
    assert_agreed(snapshot_of(variables={"x": value}, record={"kind": "step", "inputs": value}))


def nested(levels: int) -> Any:
    return {"rows": [nested(levels - 1), "r" * 9_000], "pad": "p" * 9_000} if levels else [1, 2]


def text_for(size: int) -> str:
    """A text whose canonical text has that many bytes."""
    return "x" * (size - 3)


EDGES: dict[str, Any] = {
    **{f"a list of {n} bytes": [text_for(n - 6)] for n in (16_383, 16_384, 16_385)},
    **{f"an object of {n} bytes": {"k": text_for(n - 11)} for n in (16_383, 16_384, 16_385)},
    **{
        f"items of {size} bytes": ["x" * (size - 4)] * (20_000 // size + 2)
        for size in (1_023, 1_024, 1_025, 2_048, 4_095, 4_096, 4_097, 8_000)
    },
    # Two items of 2,050 bytes don't fit one leaf.
    **{f"{n} leaves": ["x" * 2_045 + str(i % 7) for i in range(n)] for n in (31, 32, 33, 64, 1_024, 1_025)},
    **{f"{n} keys": {f"k{i}": "v" * 150 for i in range(n)} for n in (127, 128, 129, 300)},
    "one item": ["y" * 50_000],
    "long items among short ones": [1, ["z" * 100] * 400, 2, {"k": "v" * 17_000}, 3, ["y" * 20_000], [], {}],
    "an item that is a long text": ["a", "t" * 20_000, "b"],
    "an item that can't be a folder": [1, {"A": "v" * 9_000, "a": "v" * 9_000}, 2],
    "levels of long items": nested(4),
    "empty containers": {"list": [], "object": {}, "pad": "p" * 17_000, "inner": [[], {}, [[]], ""]},
    "keys of 200 bytes": {"k" * 200: "v" * 17_000, "é" * 100: 1},
    "a key of 201 bytes": {"k" * 201: "v" * 17_000},
    "a key of 201 bytes escaped": {"/" * 67: "v" * 17_000},
    "keys equal but for case": {"con": "v" * 9_000, "CON": "v" * 9_000},
    "keys equal when composed": {"≮": "v" * 9_000, "<\u0338": "v" * 9_000},
}


@pytest.mark.parametrize("name", EDGES)
def test_values_at_the_edges_agree(name: str) -> None:
    value = EDGES[name]
    record = {"kind": "step", "value": value, "inputs": {"again": value}, "item_inputs": {"rows": [value]}}
    assert_agreed(snapshot_of(variables={"x": value}, record=record, errors=[value, {"step": 1}]))


def test_the_texts_for_the_edges_lie_at_them() -> None:
    for size in (16_383, 16_384, 16_385):
        assert len(canonical(EDGES[f"a list of {size} bytes"])) == size
    assert len(canonical(EDGES["an object of 16385 bytes"])) == 16_385
    assert len(canonical([EDGES["items of 4096 bytes"][0]])) - 5 == 4_096


@pytest.mark.parametrize("count", [0, 1, 128, 129, 700])
def test_folders_of_variables_agree(count: int) -> None:
    variables = {f"name{index}": index for index in range(count)}
    twins = {"name1": 1, "Name1": 2, "NAME1": 3, "con": 4, "Con": 5, "aux": 6, "LPT1": 7} if count > 1 else {}
    assert_agreed(snapshot_of(variables=variables))
    assert_agreed(snapshot_of(variables={**variables, **twins}))


@pytest.mark.parametrize("size", [1_023, 1_024, 1_025, 16_385])
def test_parts_of_records_agree(size: int) -> None:
    part = [text_for(size - 6)]
    assert len(canonical(part)) == size
    members = {"large": part, "Con": part, "a/b": part, "small": 1, **{f"p{n}": n for n in range(150)}}
    many = {f"p{n}": part for n in range(150)} if size < 2_000 else {}
    for inputs in (members, {"only": part}, {}, {"A": part, "a": part}, many):
        fields = dict.fromkeys(("calls", "errors", "value", "values", "unknown"), part)
        assert_agreed(snapshot_of(record={"kind": "step", "inputs": inputs, "item_inputs": inputs, **fields}))


def random_value(chance: random.Random, levels: int) -> Any:
    kind = chance.randrange(7)
    if kind == 0 and levels:
        return [random_value(chance, levels - 1) for _ in range(chance.choice([0, 1, 3, 40]))]
    if kind == 1 and levels:
        return {
            random_key(chance): random_value(chance, levels - 1) for _ in range(chance.choice([0, 2, 5, 140]))
        }
    near = chance.choice([10, 200, 1_024, 4_096, 16_384])
    return chance.choice(
        [None, -0.0, 1.5e-7, 10**30, "x" * (near + chance.randrange(-12, 4)), chance.random()]
    )


def random_key(chance: random.Random) -> str:
    return "".join(chance.choice("abcABC019_./: %éÉß") for _ in range(chance.randrange(5)))


@pytest.mark.parametrize("seed", range(12))
def test_random_large_snapshots_agree(seed: int) -> None:
    chance = random.Random(seed)
    parts = [random_value(chance, 3) for _ in range(6)]
    record = {
        "kind": "step",
        "values": parts,
        "inputs": {"a": parts[0], "b": parts[1]},
        "errors": {"0": "e" * 2_000},
    }
    variables = {name: chance.choice(parts) for name in ("a", "A", "b", "rows", "con")}
    assert_agreed(snapshot_of(variables=variables, record=record, errors=parts[:2]))


# Commits

lines = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from(" \n\t\x85\u200b\u2028"), max_size=200
)


def assert_commits_agree(line: str, tool: str, author: str | None, first: bool) -> None:
    record = {"kind": "step", "seq_no": 7, "tool": tool}
    trailers = {"Kind": "step", "Step": "7", **({"Tool": tool} if tool else {}), "Task": TASK}
    parents = () if first else (b"\2" * 20,)
    ours = commit_bytes(b"\1" * 20, parents, 1_700_000_000, format_message(line, trailers), author)
    parent = None if first else "02" * 20
    theirs = independent_commits.commit_object(
        "01" * 20, parent, "StackVM" if author is None else author, 1_700_000_000, line, record, TASK
    )
    assert ours == theirs


@given(lines, lines, st.sampled_from([None, "", "A <b@c>, D.", " . ", "Jörg 1", "x" * 150]), st.booleans())
def test_commits_agree(line: str, tool: str, author: str | None, first: bool) -> None:
    assert_commits_agree(line, tool, author, first)


@pytest.mark.parametrize("length", [99, 100, 101, 119, 120, 121, 199, 200, 201])
def test_commits_with_long_texts_agree(length: int) -> None:
    assert_commits_agree("ä" * length, "ö" * length, "ü" * length, True)


@given(lines, st.integers(2, 200))
def test_lines_agree(line: str, limit: int) -> None:
    for spread in (line, line.replace("a", " " * 300), f"{line} ", f"{line}\u2003x"):
        assert independent_commits.one_line(spread, limit) == one_line(spread, limit)


# The stock git client


def write_loose(folder: Path, objects: dict[str, bytes]) -> None:
    for oid, data in objects.items():
        path = folder / ".git" / "objects" / oid[:2] / oid[2:]
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(zlib.compress(data, 1))


def test_git_accepts_and_checks_out_every_layout(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    objects: dict[str, bytes] = {}
    variables = {f"edge{number}": value for number, value in enumerate(EDGES.values())}
    variables |= {"Edge1": 1, "aux": 2, "AUX": 3}
    record = {"kind": "step", "value": ["v" * 2_000], "inputs": {".git": "i" * 2_000, "": "j" * 2_000}}
    tree = tree_of(snapshot_of(variables=variables, record=record, errors=[{"step": 1}]), objects)
    for who in ("StackVM", "", "A <b@c>, D.", "Jörg", "..."):
        data = independent_commits.commit_object(tree, None, who, 1_700_000_000, "step", record, TASK)
        head = independent_commits.commit_id(data)
        objects[head] = b"commit %d\0" % len(data) + data
    write_loose(tmp_path, objects)
    git(tmp_path, "checkout", "--quiet", "-b", "main", head)
    assert git(tmp_path, "status", "--porcelain") == ""
    assert (tmp_path / "vars" / "edge1").with_suffix(".json").exists()
    said = git(tmp_path, "fsck", "--strict", "--full").splitlines()
    assert {line[:15] for line in said} == {"dangling commit"}  # nothing else to say
