"""What a call asks, as a key: equal keys may share an answer. By content, never by position.

A key has two parts. ``asked``: the tool, its version and the resolved inputs; for a judgement, prompt and context.
``written``: for a ``read`` call, all the ``write`` and ``irreversible`` calls that were performed before it, as what
was written changes what is read. A call of a model alone, and a ``pure`` one, has no second part.

Which model answered, by which prompt, is no part of the key: that is known of an answer (``app.vm.origins.Mind``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Final, NamedTuple

from app.history.canonical import RECORD_DEPTH, canonical
from app.plan.model import Json
from app.tools.llm import MODEL_TOOLS
from app.vm.origins import origins_of
from app.vm.records import Record

KEYED: Final = frozenset({"write", "irreversible"})
"""Effect classes that change the outside: their calls have attempts and idempotency keys, and are never reused."""

NOTHING_WRITTEN: Final = b""
_JUDGEMENT: Final = "condition_prompt"


class CallKey(NamedTuple):
    """``asked`` and ``written`` are SHA-256 digests; ``written`` is empty where it doesn't count."""

    asked: bytes
    written: bytes

    @property
    def hex(self) -> str:
        """Both as hex digits, for records and rows."""
        return f"{self.asked.hex()}:{self.written.hex()}"

    @classmethod
    def parse(cls, text: str) -> CallKey:
        """What :attr:`hex` gave. Raises ``ValueError``."""
        asked, _, written = text.partition(":")
        return cls(bytes.fromhex(asked), bytes.fromhex(written))


def value_digest(value: Json) -> str:
    """A value as part of a key."""
    return sha256(canonical(value, RECORD_DEPTH)).hexdigest()


def input_digests(inputs: Mapping[str, Json]) -> dict[str, str]:
    """The digests of a call's inputs, by parameter."""
    return {name: value_digest(value) for name, value in inputs.items()}


def call_key(tool: str, version: str, effect: str, digests: Mapping[str, str], written: bytes) -> CallKey:
    """The key of a call whose inputs have these digests, after the writes that ``written`` stands for."""
    asked = sha256(canonical([tool, version, dict(digests)])).digest()
    return CallKey(asked, written if reads_outside(tool, effect) else NOTHING_WRITTEN)


def reads_outside(tool: str, effect: str) -> bool:
    """Whether what the tool gives may change with what was written before."""
    return effect == "read" and tool not in MODEL_TOOLS


def judgement_key(prompt: str, context: Json) -> CallKey:
    """The key of a condition that a model judges."""
    digests = input_digests({"prompt": prompt, "context": context})
    return call_key(_JUDGEMENT, "", "read", digests, NOTHING_WRITTEN)._replace(written=NOTHING_WRITTEN)


def written_after(written: bytes, key: CallKey) -> bytes:
    """The digest of everything written, one more call included."""
    return sha256(written + key.asked).digest()


class RecordedCall(NamedTuple):
    """One call of a record. ``item`` within a ``for_each``; ``answered``: it gave a value, not an error.

    ``performed``: not kept from happening by a decision.
    """

    key: CallKey
    item: int | None
    answered: bool
    performed: bool


def recorded_calls(record: Record, written: bytes) -> Iterator[RecordedCall]:
    """The calls of a step's record in program order, ``written`` being what was written before the step."""
    if "inputs" not in record or ("effect" not in record and record["type"] == "calling"):
        return
    if record["type"] == "jmp":
        inputs = record["inputs"]
        key = judgement_key(inputs["condition_prompt"], inputs["context"])
        yield RecordedCall(key, None, "value" in record, performed=True)
        return
    tool, version, effect = record["tool"], record["version"], record["effect"]
    shared = input_digests(record["inputs"])
    if "count" not in record:
        key = call_key(tool, version, effect, shared, written)
        performed = record.get("decision", {}).get("choice") not in ("skip", "fail")
        yield RecordedCall(key, None, "value" in record, performed)
        return
    columns, errors = record.get("item_inputs", {}), record.get("errors", {})
    calls, origins = record.get("calls"), origins_of(record)
    for item in range(len(record["values"])):
        own = {name: value_digest(column[item]) for name, column in columns.items()}
        key = call_key(tool, version, effect, {**shared, **own}, written)
        performed = calls is None or calls[item][0] > 0 or str(item) in errors or item in origins
        yield RecordedCall(key, item, str(item) not in errors, performed)
        if effect in KEYED and performed:
            written = written_after(written, key)
