"""The OpenAI SDK's errors as :class:`app.errors.ModelError`."""

from __future__ import annotations

import socket
from typing import Final

import openai

from app.errors import ModelError
from app.llm.failures import TOO_LONG, one_line, refusal, retry_after

_HINT: Final = "check OPENAI_BASE_URL and the network"
_NOT_PAID: Final = ("insufficient_quota", "billing_not_active", "insufficient_balance")


def model_error(
    error: openai.OpenAIError, *, model: str, server: str, secret: str, structured: bool
) -> ModelError:
    """``secret`` is kept out of the message. ``structured``: a JSON mode of the server was asked for."""
    if isinstance(error, openai.APITimeoutError):
        return ModelError(
            "timeout", f"{server} did not answer in time", hint="LLM_TIMEOUT sets how long to wait"
        )
    if isinstance(error, openai.APIConnectionError):
        return ModelError(
            "network", f"can't reach {server}: {one_line(root_cause(error), secret)}", hint=_HINT
        )
    if isinstance(error, openai.APIStatusError):
        return _from_status(error, model=model, server=server, secret=secret, structured=structured)
    if isinstance(error, openai.APIError):
        return _from_stream(error, model=model, server=server, secret=secret)
    return ModelError("refused", f"the request could not be made: {one_line(error, secret)}")


def root_cause(error: BaseException) -> BaseException | str:
    """The innermost error: the socket's, not the wrappers'. Some have no text; their type tells more."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    if isinstance(error, socket.gaierror):
        return error.strerror or "the name is unknown"
    return error if str(error) else type(error).__name__


def _from_status(
    error: openai.APIStatusError, *, model: str, server: str, secret: str, structured: bool
) -> ModelError:
    said = one_line(_said(error.body), secret)
    if error.code in _NOT_PAID or error.type in _NOT_PAID or error.status_code == 402:
        hint = "check plan and billing of the account"
        return ModelError("refused", f"{server} refused: {said}", hint=hint)
    if error.code == "context_length_exceeded":
        return refusal(413, said, model=model, server=server)
    if error.code == "model_not_found":
        return refusal(404, f"model: {said}", model=model, server=server)
    if error.code == "json_validate_failed":
        return ModelError("garbage", f"the model wrote no valid JSON: {said}")
    return refusal(
        error.status_code,
        said,
        model=model,
        server=server,
        wait=retry_after(error.response.headers),
        structured=structured,
    )


def _from_stream(error: openai.APIError, *, model: str, server: str, secret: str) -> ModelError:
    """An error that came as an event, when the reply had begun."""
    said = one_line(_said(error.body) or error.message, secret)
    label = f"{error.code} {error.type}".lower()
    if "rate_limit" in label or "429" in label:
        return refusal(429, said, model=model, server=server)
    if "context_length" in label or TOO_LONG.search(said):
        return refusal(413, said, model=model, server=server)
    return ModelError("server", f"{server} broke off its reply: {said}")


def _said(body: object) -> object:
    """The server's own words in its answer; compatible servers nest them differently."""
    for key in ("error", "message", "detail"):
        if isinstance(body, dict) and body.get(key):
            body = body[key]
    return "" if body is None else body
