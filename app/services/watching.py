"""What a run's listener is told of the models while they answer."""

from __future__ import annotations

from app.llm.base import ModelCall, Retry, Watch
from app.vm.decisions import Place
from app.vm.events import Listener, ModelCalled, ModelRetried, TokenSaid


def watch_models(listener: Listener, place: Place | None) -> Watch:
    """Tells the listener of the tokens and retries of the models asked at ``place``; ``None``: for a plan."""
    seq_no, item = (None, None) if place is None else (place.seq_no, place.item)

    def on_retry(retry: Retry) -> None:
        error = retry.error
        listener(ModelRetried(seq_no, item, error.kind, error.message, retry.wait_seconds))

    def on_call(call: ModelCall, error: str | None) -> None:
        listener(ModelCalled(seq_no, item, call, error))

    return Watch(lambda token: listener(TokenSaid(seq_no, item, token)), on_retry, on_call=on_call)
