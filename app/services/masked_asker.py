"""A model behind masks: no hidden value reaches it, and none comes from it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from app.errors import ModelError
from app.llm.base import (
    Asked,
    Asker,
    CallFailed,
    ModelReply,
    ModelRequest,
    OnToken,
    Retry,
    Watch,
    WatchedAsker,
)
from app.tools.masks import Masks


@dataclass(frozen=True, slots=True)
class MaskedAsker:
    """Asks ``asker`` (see :class:`app.llm.base.Asker`)."""

    asker: WatchedAsker
    masks: Masks

    def followed_by(self, watch: Watch) -> _Followed:
        """See :class:`app.llm.base.WatchedAsker`."""
        on_retry = watch.on_retry
        if on_retry is not None:
            watch = replace(watch, on_retry=lambda retry: on_retry(self._masked_retry(retry)))
        return _Followed(self.asker.followed_by(watch), self.masks)

    def _masked_retry(self, retry: Retry) -> Retry:
        _mask_error(retry.error, self.masks)
        return retry

    def ask(self, request: ModelRequest, on_token: OnToken | None = None) -> Asked:
        """See :class:`app.llm.base.Asker`."""
        return _Followed(self.asker, self.masks).ask(request, on_token)


@dataclass(frozen=True, slots=True)
class _Followed:
    """Asks ``asker`` with masks before and behind it."""

    asker: Asker
    masks: Masks

    def ask(self, request: ModelRequest, on_token: OnToken | None = None) -> Asked:
        """Mask what is said and what is answered. Tokens are held back while they may begin a value."""
        messages = tuple(
            replace(message, content=self.masks.text(message.content)) for message in request.messages
        )
        tokens = None if on_token is None else MaskedTokens(self.masks, on_token)
        try:
            asked = self.asker.ask(
                replace(request, messages=messages), None if tokens is None else tokens.take
            )
        except ModelError as error:
            _mask_error(error, self.masks)
            raise
        if tokens is not None:
            tokens.end()
        return replace(asked, reply=_masked_reply(asked.reply, self.masks))


def _masked_reply(reply: ModelReply, masks: Masks) -> ModelReply:
    return replace(reply, text=masks.text(reply.text), value=masks.json(reply.value))


def _mask_error(error: ModelError, masks: Masks) -> None:
    error.message = masks.text(error.message)
    error.args = (error.message,)
    error.hint = None if error.hint is None else masks.text(error.hint)
    if isinstance(error, CallFailed) and error.reply is not None:
        error.reply = _masked_reply(error.reply, masks)


class MaskedTokens:
    """A stream of tokens without the values, however they are cut. What is held back comes with :meth:`end`."""

    def __init__(self, masks: Masks, on_token: OnToken) -> None:
        self._masks = masks
        self._on_token = on_token
        self._held = ""

    def take(self, token: str) -> None:
        """The next token."""
        text = self._masks.text(self._held + token)
        kept = len(text) - self._masks.beginning_at_end(text)
        self._held = text[kept:]
        if kept:
            self._on_token(text[:kept])

    def end(self) -> None:
        """No more tokens come."""
        if self._held:
            self._on_token(self._held)
        self._held = ""


def masked(asker: WatchedAsker, masks: Masks) -> WatchedAsker:
    """The asker behind the masks; as it is where there is nothing to hide."""
    return MaskedAsker(asker, masks) if masks else asker
