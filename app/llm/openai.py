"""Models behind OpenAI's chat protocol: OpenAI itself, and every compatible server by its base URL."""

from __future__ import annotations

import weakref
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import openai
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from app.errors import ModelError
from app.llm.asking import messages_of
from app.llm.base import ModelReply, ModelRequest, OnToken, UnusableReply
from app.llm.failures import one_line, without_login
from app.llm.openai_errors import model_error
from app.llm.replies import finish_reply
from app.llm.strict_schema import is_strict

BASE_URL: Final = "https://api.openai.com/v1"
_NO_LIST: Final = ("refused", "no_model", "garbage", "rate_limit")
"""How servers fail that have no list of their models, or none for us now."""
_NO_KEY: Final = "none"
"""Sent where no key is set: the SDK wants one, servers of one's own don't look at it."""


@dataclass(slots=True)
class _Gathered:
    """What the chunks of a stream have brought so far."""

    parts: list[str] = field(default_factory=list)
    tools: list[str] = field(default_factory=list)
    refusal: str = ""
    finish_reason: str | None = None
    usage: CompletionUsage | None = None
    model: str | None = None

    def add(self, message: Any, finish_reason: str | None) -> str:
        """Take in a message or a piece of one; its text. Compatible servers leave out what they like."""
        self.finish_reason = finish_reason or self.finish_reason
        self.refusal += getattr(message, "refusal", None) or ""
        self.tools += [_tool_name(call) for call in getattr(message, "tool_calls", None) or ()]
        text = _text(getattr(message, "content", None))
        self.parts.append(text)
        return text


class _NoStream(Exception):
    """The server streams no text of this model (OpenAI's newest ones, for organizations it has not verified)."""


class OpenAIModel:
    """One model of one server. The server may be silent for ``timeout`` seconds: before a reply and within one."""

    provider = "openai"

    def __init__(
        self, name: str, *, api_key: str = "", base_url: str = BASE_URL, timeout: float = 120.0
    ) -> None:
        self.name = name
        self.server = without_login(base_url)
        self._api_key = api_key
        # Retrying is the gateway's: it obeys Retry-After, tells who watches and counts.
        self._client = openai.OpenAI(
            api_key=api_key or _NO_KEY, base_url=base_url, timeout=timeout, max_retries=0
        )
        weakref.finalize(self, self._client.close)
        own = urlsplit(base_url).hostname == urlsplit(BASE_URL).hostname
        # OpenAI's newer models refuse the old name; many compatible servers know only that.
        self._limit_name = "max_completion_tokens" if own else "max_tokens"
        self._streams = True
        self._usage_in_stream = True

    def __repr__(self) -> str:
        return f"OpenAIModel({self.name!r}, base_url={self.server!r})"

    def complete(self, request: ModelRequest, on_token: OnToken | None = None) -> ModelReply:
        """See :class:`app.llm.base.Model`."""
        arguments = self._arguments(request)
        if on_token is not None and self._streams:
            try:
                return self._streamed(request, arguments, on_token)
            except _NoStream:
                self._streams = False
        reply = self._whole(request, arguments)
        if on_token is not None:
            on_token(reply.text)
        return reply

    def offered(self, timeout: float) -> frozenset[str] | None:
        """See :class:`app.llm.base.Model`."""
        try:
            with self._translated(structured=False):
                names = [model.id for model in self._client.with_options(timeout=timeout).models.list().data]
        except ModelError as error:
            if error.kind in _NO_LIST:
                return None
            raise
        # Google's own names begin with a folder that its compatible endpoint does not want.
        return frozenset(names) | {name.removeprefix("models/") for name in names}

    def _arguments(self, request: ModelRequest) -> dict[str, Any]:
        arguments: dict[str, Any] = {"model": self.name, "messages": messages_of(request)}
        if request.max_output_tokens is not None:
            arguments[self._limit_name] = request.max_output_tokens
        if request.schema is not None and _is_structured(request):
            arguments["response_format"] = _response_format(request, request.schema)
        return arguments

    def _whole(self, request: ModelRequest, arguments: Mapping[str, Any]) -> ModelReply:
        with self._translated(structured=_is_structured(request)):
            completion = self._client.chat.completions.create(**arguments)
            # A proxy's page or another protocol comes through the SDK as it is.
            if not isinstance(completion, ChatCompletion) or not completion.choices:
                raise self._foreign(completion)
            choice = completion.choices[0]
            gathered = _Gathered(usage=completion.usage, model=completion.model)
            gathered.add(choice.message, choice.finish_reason)
        return self._finish(request, gathered)

    def _streamed(self, request: ModelRequest, arguments: Mapping[str, Any], on_token: OnToken) -> ModelReply:
        gathered = _Gathered()
        # The callback stands outside the translation: its errors are its own.
        with closing(self._texts(request, arguments, gathered)) as texts:
            for text in texts:
                on_token(text)
        if gathered.finish_reason is None:
            raise ModelError("network", f"{self.server} broke off in the middle of its reply")
        return self._finish(request, gathered)

    def _texts(
        self, request: ModelRequest, arguments: Mapping[str, Any], gathered: _Gathered
    ) -> Generator[str, None, None]:
        """The pieces of the text as they come; everything is also in ``gathered``."""
        with self._translated(structured=_is_structured(request)), self._open_stream(arguments) as stream:
            kind = stream.response.headers.get("content-type", "")
            if kind.startswith("text/html"):
                raise self._foreign(f"a page ({kind})")  # a proxy, a login: no event will come
            for chunk in stream:
                if not isinstance(chunk, ChatCompletionChunk):
                    raise self._foreign(chunk)
                gathered.usage = chunk.usage or gathered.usage
                gathered.model = chunk.model or gathered.model
                for choice in (chunk.choices or ())[:1]:
                    text = gathered.add(choice.delta, choice.finish_reason)
                    if text:
                        yield text

    def _open_stream(self, arguments: Mapping[str, Any]) -> openai.Stream[ChatCompletionChunk]:
        """Ask for the usage too; a server that doesn't know this is not asked for it again."""
        if self._usage_in_stream:
            try:
                return self._stream({**arguments, "stream_options": {"include_usage": True}})
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                if "stream_options" not in str(error.body) and "include_usage" not in str(error.body):
                    raise
                self._usage_in_stream = False
        return self._stream(arguments)

    def _stream(self, arguments: Mapping[str, Any]) -> openai.Stream[ChatCompletionChunk]:
        try:
            stream: openai.Stream[ChatCompletionChunk] = self._client.chat.completions.create(
                **arguments, stream=True
            )
        except openai.BadRequestError as error:
            if error.param == "stream":
                raise _NoStream from None
            raise
        return stream

    def _finish(self, request: ModelRequest, gathered: _Gathered) -> ModelReply:
        usage = gathered.usage
        reply = ModelReply(
            text="".join(gathered.parts),
            value=None,
            model=gathered.model or self.name,
            provider=self.provider,
            input_tokens=usage.prompt_tokens if usage else None,
            output_tokens=usage.completion_tokens if usage else None,
            finish_reason=gathered.finish_reason,
        )
        if gathered.refusal and not reply.text:
            raise UnusableReply(f"the model refused: {one_line(gathered.refusal)}", reply)
        if gathered.finish_reason == "content_filter":
            raise UnusableReply(f"a content filter of {self.server} withheld the reply", reply)
        return finish_reply(request, reply, [name for name in gathered.tools if name])

    @contextmanager
    def _translated(self, *, structured: bool) -> Iterator[None]:
        """The SDK's errors, and what it raises on a server's nonsense, become :class:`ModelError`."""
        try:
            yield
        except openai.OpenAIError as error:
            raise model_error(
                error, model=self.name, server=self.server, secret=self._api_key, structured=structured
            ) from None
        except (ValueError, TypeError, AttributeError) as error:
            raise self._foreign(error) from None

    def _foreign(self, what: object) -> ModelError:
        return ModelError(
            "garbage",
            f"{self.server} does not speak OpenAI's protocol: {one_line(what, self._api_key)[:120]}",
            hint="check OPENAI_BASE_URL; most end in /v1",
        )


def _is_structured(request: ModelRequest) -> bool:
    """Whether a JSON mode of the server is asked for."""
    return request.schema is not None and request.structured != "text"


def _response_format(request: ModelRequest, schema: Mapping[str, Any]) -> dict[str, Any]:
    if request.structured == "json_object":
        return {"type": "json_object"}
    described = {"name": request.schema_name, "schema": dict(schema), "strict": is_strict(schema)}
    return {"type": "json_schema", "json_schema": described}


def _text(content: Any) -> str:
    """The text of a content, which a few servers give as a list of typed parts (thinking is another type)."""
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content if part.get("type") == "text")
    return content or ""


def _tool_name(call: Any) -> str:
    """Servers differ in what a call holds; only the first chunk of a streamed one has the name."""
    function = getattr(call, "function", None)
    return getattr(function, "name", None) or ""
