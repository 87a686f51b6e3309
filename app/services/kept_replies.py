"""Replies of the model that plans, kept as they arrive: whatever ends the process, no round is paid for twice."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from hashlib import sha256
from typing import Any, Final

from app.db.base import NO_ITEM, FinishedEffect, Ledger
from app.errors import ModelError
from app.llm.base import (
    Asked,
    Asker,
    CallFailed,
    ModelCall,
    ModelReply,
    ModelRequest,
    OnToken,
    UnusableReply,
    Watch,
    WatchedAsker,
)
from app.tools.context import Cancellation
from app.vm.interrupts import Interrupts

PLANNING_PLACE: Final = -1
"""Stands for a ``seq_no`` in the effects table: no step has it."""


class KeptReplies:
    """The replies of a branch that belong to no commit yet. One for a run."""

    def __init__(self, ledger: Ledger, branch: str) -> None:
        self._ledger = ledger
        self._branch = branch

    @cached_property
    def _replies(self) -> dict[str, dict[str, Any]]:
        """Hash of the question → the reply."""
        rows = self._ledger.branch_effects(self._branch)
        mine = sorted(row for row in rows if row.seq_no == PLANNING_PLACE)
        return {row.inputs_hash: json.loads(row.outcome) for row in mine}

    @property
    def calls(self) -> list[Mapping[str, Any]]:
        """What they cost: entries of ``model_calls`` of a record to come."""
        return [ModelCall(**_tuples(reply["call"])).to_json() for reply in self._replies.values()]

    def find(self, asked: str) -> dict[str, Any] | None:
        """The reply to a question."""
        return self._replies.get(asked)

    def keep(self, asked: str, reply: dict[str, Any]) -> None:
        """Make a reply durable."""
        self._replies[asked] = reply
        data = json.dumps({**reply, "reads": False}, ensure_ascii=False).encode()
        place = FinishedEffect(PLANNING_PLACE, len(self._replies), NO_ITEM, asked, data)
        self._ledger.save_effects(self._branch, [place])

    def committed(self) -> None:
        """What came of them is durable as a commit."""
        if self._replies:
            places = [(PLANNING_PLACE, number) for number in range(1, len(self._replies) + 1)]
            self._ledger.drop_effects(self._branch, places)
            self._replies.clear()


@dataclass(frozen=True, slots=True)
class KeepingAsker:
    """Asks ``asker`` what was not asked before, between two requests to stop. ``model`` tells models apart."""

    asker: WatchedAsker
    model: str
    replies: KeptReplies
    interrupts: Interrupts
    cancellation: Cancellation

    def followed_by(self, watch: Watch) -> Asker:
        """See :class:`app.llm.base.WatchedAsker`."""
        watch = replace(watch, cancellation=self.cancellation)
        return _Followed(self, self.asker.followed_by(watch))

    def ask(self, request: ModelRequest, on_token: OnToken | None = None) -> Asked:
        """See :class:`app.llm.base.Asker`."""
        return self.followed_by(Watch()).ask(request, on_token)


@dataclass(frozen=True, slots=True)
class _Followed:
    keeping: KeepingAsker
    asker: Asker

    def ask(self, request: ModelRequest, on_token: OnToken | None = None) -> Asked:
        """As :class:`app.llm.base.Asker`. Raises ``StopAsked`` where the run is to stop before it asks."""
        replies = self.keeping.replies
        question = _hash(request, self.keeping.model)
        known = replies.find(question)
        if known is None:
            self.keeping.interrupts.check_asked()
            known = _ask(self.asker, request, on_token)
            with self.keeping.interrupts.held():
                replies.keep(question, known)
        elif on_token is not None:
            on_token(known["reply"]["text"])
        return _answer(known)


def _ask(asker: Asker, request: ModelRequest, on_token: OnToken | None) -> dict[str, Any]:
    """A reply to keep, of use or not. Raises ``ModelError`` where none came."""
    unusable: ModelError | None = None
    try:
        asked = asker.ask(request, on_token)
        reply, call = asked.reply, asked.call
    except CallFailed as error:
        if error.reply is None or error.call is None:
            raise
        reply, call, unusable = error.reply, error.call, error
    known: dict[str, Any] = {"reply": asdict(reply), "call": asdict(call)}
    if unusable is not None:
        known["unusable"] = [unusable.message, unusable.hint]
    return known


def _answer(known: dict[str, Any]) -> Asked:
    reply = ModelReply(**_tuples(known["reply"]))
    call = ModelCall(**_tuples(known["call"]))
    if "unusable" in known:
        message, hint = known["unusable"]
        raise CallFailed(UnusableReply(message, reply, hint=hint), call)
    return Asked(reply, call)


def _tuples(fields: dict[str, Any]) -> dict[str, Any]:
    return {**fields, "repairs": tuple(fields["repairs"])}


def _hash(request: ModelRequest, model: str) -> str:
    return sha256(json.dumps([model, asdict(request)], sort_keys=True).encode()).hexdigest()
