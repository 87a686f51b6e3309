"""Where a result that was not asked for again came from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from app.plan.model import Json


class Mind(NamedTuple):
    """A model and the prompt it was asked by."""

    provider: str
    model: str
    prompt: str | None
    prompt_hash: str | None


@dataclass(frozen=True, slots=True)
class Origin:
    """``commit`` is the commit (hex) that recorded the result, ``item`` the item of its ``for_each``.

    A result that arrived and was never committed has no commit; ``place`` is where it was asked: ``branch``,
    ``seq_no``, ``visit``, ``item``. ``minds`` are the models that took part in it.
    """

    commit: str | None
    item: int | None = None
    place: Mapping[str, Json] | None = None
    minds: frozenset[Mind] = frozenset()

    def fields(self) -> dict[str, Json]:
        """As fields of a record."""
        fields: dict[str, Json] = {"from_commit": self.commit}
        if self.item is not None:
            fields["from_item"] = self.item
        if self.place is not None:
            fields["from_place"] = dict(self.place)
        return fields

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Origin | None:
        """The origin in a record's fields, or ``None`` where the result is its own."""
        if "from_commit" not in fields:
            return None
        return cls(fields["from_commit"], fields.get("from_item"), fields.get("from_place"))

    def follows(self, other: Origin) -> bool:
        """Whether it is the item behind ``other`` in the same commit."""
        if self.item is None or other.item is None or self.commit is None:
            return False
        return self.commit == other.commit and self.item == other.item + 1


def origin_spans(origins: Sequence[Origin | None]) -> list[dict[str, Json]]:
    """The origins of a ``for_each``'s items, those that follow each other as one: ``item``, ``count``, and the
    fields of the first."""
    spans: list[dict[str, Json]] = []
    last: Origin | None = None
    for item, origin in enumerate(origins):
        if origin is not None and last is not None and origin.follows(last):
            spans[-1]["count"] += 1
        elif origin is not None:
            spans.append({"item": item, "count": 1, **origin.fields()})
        last = origin
    return spans


def origins_of(record: Mapping[str, Any]) -> dict[int, Origin]:
    """Item → origin, from the record of a ``for_each``."""
    origins: dict[int, Origin] = {}
    for span in record.get("origins", ()):
        for offset in range(span["count"]):
            first = span.get("from_item")
            item = None if first is None else first + offset
            origins[span["item"] + offset] = Origin(span["from_commit"], item, span.get("from_place"))
    return origins


def minds_of(record: Mapping[str, Any]) -> frozenset[Mind]:
    """The models that took part in the answers of a record, those of results that came from elsewhere included."""
    taking_part = [*record.get("model_calls", ()), *record.get("answered_by", ())]
    return frozenset(
        Mind(each["provider"], each["model"], each["prompt"], each["prompt_hash"]) for each in taking_part
    )


def answered_by(origins: Iterable[Origin | None]) -> dict[str, Json]:
    """The field of a record that :func:`minds_of` reads for results that came from elsewhere."""
    minds = frozenset().union(*(origin.minds for origin in origins if origin is not None))
    return {"answered_by": [mind._asdict() for mind in sorted(minds, key=repr)]} if minds else {}
