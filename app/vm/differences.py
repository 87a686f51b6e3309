"""Which part of a call's key differs from that of an earlier call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from app.history.canonical import RECORD_DEPTH, canonical
from app.plan.model import Json
from app.plan.values import shorten
from app.vm.forks import same_json
from app.vm.keys import KEYED, reads_outside
from app.vm.origins import minds_of, origins_of
from app.vm.records import Record

_SHOWN_ITEMS: Final = 20
_SHOWN_WRITES: Final = 50
_SHOWN_BYTES: Final = 4_096


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a key that differs; ``None`` for the side that has nothing there.

    ``part`` is ``tool``, ``version``, ``inputs.NAME``, ``items`` (how many), ``items[N].NAME``, ``outputs``,
    ``model``, ``prompt``, ``writes`` (what was written before), ``error`` or ``items[N].error`` (the earlier call
    failed), ``effect`` (such calls are made anew whatever their key), ``reuse`` (it is turned off, or the tool opts
    out), ``occurrence`` (how often the same was asked), or ``step`` (the earlier run made no such call).
    """

    part: str
    old: Json
    new: Json

    def to_json(self) -> dict[str, Json]:
        return {"part": self.part, "old": _shown(self.old), "new": _shown(self.new)}


@dataclass(frozen=True, slots=True)
class Told:
    """A step as its commit tells it. ``writes`` names what was written before it, in order."""

    record: Record
    writes: Sequence[str]
    outputs: tuple[str, ...] = ()


def changed_parts(old: Told, new: Told) -> list[Part]:
    """What keeps ``new`` from taking the answer of ``old``; often one part."""
    parts = [*_asked(old.record, new.record), *_minds(old, new)]
    record = new.record
    if reads_outside(record.get("tool", ""), record.get("effect", "")) and list(old.writes) != list(
        new.writes
    ):
        parts.append(_writes(old.writes, new.writes))
    if "error" in old.record:
        parts.append(Part("error", old.record["error"], None))
    parts += _failed_items(old.record, record)
    if record.get("effect") in KEYED:
        parts.append(Part("effect", old.record.get("effect"), record["effect"]))
    return parts


def write_label(record: Record) -> str:
    """A call that changed the outside, in a line."""
    inputs = ", ".join(f"{name}={shorten(str(value), 40)}" for name, value in record["inputs"].items())
    items = f" ×{record['count']}" if "count" in record else ""
    return f"{record['tool']}({inputs}){items}"


def _asked(old: Record, new: Record) -> Iterator[Part]:
    for name in ("tool", "version"):
        if old.get(name) != new.get(name):
            yield Part(name, old.get(name), new.get(name))
    yield from _members("inputs.", old.get("inputs", {}), new.get("inputs", {}))
    if old.get("count") != new.get("count"):
        yield Part("items", old.get("count"), new.get("count"))
    elif "count" in new:
        yield from _items(old, new)


def _members(prefix: str, old: Mapping[str, Json], new: Mapping[str, Json]) -> Iterator[Part]:
    for name in sorted(old.keys() | new.keys()):
        if name not in old or name not in new or not same_json(old[name], new[name]):
            yield Part(f"{prefix}{name}", old.get(name), new.get(name))


def _items(old: Record, new: Record) -> Iterator[Part]:
    shown = 0
    for item in range(min(len(old["values"]), len(new["values"]))):
        row, other = _row(old, item), _row(new, item)
        for part in _members(f"items[{item}].", row, other):
            shown += 1
            if shown > _SHOWN_ITEMS:
                return
            yield part


def _failed_items(old: Record, new: Record) -> Iterator[Part]:
    """Items that failed earlier and were asked again."""
    reused = origins_of(new)
    for item, message in islice(old.get("errors", {}).items(), _SHOWN_ITEMS):
        if int(item) < len(new.get("values", ())) and int(item) not in reused:
            yield Part(f"items[{item}].error", message, None)


def _row(record: Record, item: int) -> dict[str, Json]:
    return {name: column[item] for name, column in record.get("item_inputs", {}).items()}


def _minds(old: Told, new: Told) -> Iterator[Part]:
    before, after = minds_of(old.record), minds_of(new.record)
    if not before or not after:
        return
    for name, pick in (("model", ("provider", "model")), ("prompt", ("prompt", "prompt_hash"))):
        was = sorted({tuple(str(getattr(mind, field)) for field in pick) for mind in before})
        now = sorted({tuple(str(getattr(mind, field)) for field in pick) for mind in after})
        if was != now:
            yield Part(name, [" ".join(each) for each in was], [" ".join(each) for each in now])
    if old.outputs != new.outputs:
        yield Part("outputs", list(old.outputs), list(new.outputs))


def _writes(old: Sequence[str], new: Sequence[str]) -> Part:
    """Those that only one side has; all, where both have the same in another order."""
    before, after = Counter(old), Counter(new)
    gone, come = list((before - after).elements()), list((after - before).elements())
    if not gone and not come:
        gone, come = list(old), list(new)
    return Part("writes", gone[:_SHOWN_WRITES], come[:_SHOWN_WRITES])


def _shown(value: Json) -> Json:
    """The value, or of a long one its beginning."""
    text = canonical(value, RECORD_DEPTH)
    if len(text) <= _SHOWN_BYTES:
        return value
    return f"{text[:200].decode(errors='ignore')}… ({len(text):,} bytes)"
