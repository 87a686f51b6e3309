"""What servers of every make say when they refuse, sorted into the kinds of :class:`app.errors.ModelError`."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from app.errors import ModelError

TOO_LONG: Final = re.compile(
    r"context.{0,3}(?:length|window|size)|available context|maximum (?:context|prompt|input)|"
    r"(?:prompt|input|request|messages?) (?:is |are )?too (?:long|large)|too many (?:input )?tokens|"
    r"reduce the length|exceed\w* .{0,40}(?:context|tokens)",
    re.IGNORECASE,
)
MODE: Final = re.compile(
    r"response.?format|json.?(?:schema|object|mode)|\bschema\b|grammar|structured|guided|invalid format",
    re.IGNORECASE,
)
NO_MODEL: Final = re.compile(
    r"model.{0,120}(?:not found|not exist|unknown|not supported|not available)|(?:no such|unknown|invalid) model",
    re.IGNORECASE | re.DOTALL,
)
_LONGEST: Final = 300
_BEARER: Final = re.compile(r"\b(?:sk|gsk|pk|xai)-[\w*.-]{4,}|(?<=Bearer )\S+")


def one_line(text: object, *secrets: str) -> str:
    """What a server said, on one line of bounded length, without ``secrets`` and what looks like a key."""
    line = str(text)
    for secret in filter(None, secrets):
        line = line.replace(secret, "***")
    line = " ".join(_BEARER.sub("***", line[: 8 * _LONGEST]).split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def without_login(url: str) -> str:
    """The URL without the user and password it may hold, and without its query."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def retry_after(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Seconds the server asks to wait, from ``retry-after-ms`` or ``Retry-After`` (seconds or a date).

    ``now`` is in seconds since the epoch. ``None`` where the server names no time, or none that can be read.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1_000
    text = headers.get("retry-after")
    seconds = _number(text)
    if seconds is not None or text is None:
        return seconds
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, date.timestamp() - (time.time() if now is None else now))


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return max(0.0, number) if math.isfinite(number) else None


def refusal(
    status: int, said: str, *, model: str, server: str, wait: float | None = None, structured: bool = False
) -> ModelError:
    """The error for an HTTP ``status`` of 400 or more. ``said`` is one line without secrets.

    ``structured``: a JSON mode of the server was asked for, which is then the likeliest cause of an internal error:
    llama-cpp-python's server answers 500 to ``json_schema``.
    """
    if status in (401, 403):
        return _auth(status, server)
    if status == 413 or (status in (400, 422, 500) and TOO_LONG.search(said)):
        return ModelError(
            "too_long", f"the prompt is too long for model {model!r}: {said}", hint="shorten it"
        )
    if structured and (status in (500, 501) or (status in (400, 422) and MODE.search(said))):
        return ModelError("mode", f"{server} has no such structured output: {said}")
    if status == 404 or (status in (400, 422) and NO_MODEL.search(said)):
        return _absent(said, model, server)
    if status == 429:
        return ModelError("rate_limit", f"{server} limits the rate: {said}", retry_after=wait)
    if status == 408:
        return ModelError("timeout", f"{server} gave up waiting: {said}", retry_after=wait)
    if status >= 500 or status in (409, 425):
        return ModelError("server", f"{server} answered {status}: {said}", retry_after=wait)
    return ModelError("refused", f"{server} refused the request ({status}): {said}")


def _auth(status: int, server: str) -> ModelError:
    # What the server said is left out: some quote the key.
    what = "did not accept the API key" if status == 401 else "does not allow this with the API key"
    return ModelError("auth", f"{server} {what}", hint="check the key, and whether it is one of this server")


def _absent(said: str, model: str, server: str) -> ModelError:
    if not re.search("model", said, re.IGNORECASE):
        return ModelError(
            "refused", f"{server} has nothing at this address: {said}", hint="most base URLs end in /v1"
        )
    return ModelError(
        "no_model", f"{server} has no model {model!r}", hint="check LLM_MODEL and REASON_LLM_MODEL"
    )
