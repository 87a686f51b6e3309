"""Models of an Ollama server, by its own protocol."""

from __future__ import annotations

import json
import weakref
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any, Final

import httpx
import ollama

from app.errors import ModelError
from app.llm.asking import messages_of
from app.llm.base import ModelReply, ModelRequest, OnToken
from app.llm.failures import one_line, refusal, retry_after, without_login
from app.llm.replies import finish_reply

BASE_URL: Final = "http://localhost:11434"
_NO_LIST: Final = ("refused", "no_model", "garbage", "rate_limit")
"""How servers fail that have no list of their models, or none for us now."""
_ABSENT_HINT: Final = "is Ollama running (`ollama serve`)? OLLAMA_BASE_URL says where"


class OllamaModel:
    """One model of one server. ``options`` go to the server as they are (``num_ctx``, ``temperature``, …).

    The server may be silent for ``timeout`` seconds: before a reply and within one.
    """

    provider = "ollama"

    def __init__(
        self,
        name: str,
        *,
        base_url: str = BASE_URL,
        timeout: float = 120.0,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.server = without_login(base_url)
        self._options = dict(options or {})
        self._base_url = base_url
        self._client = self._connect(timeout)
        weakref.finalize(self, self._client.close)

    def _connect(self, timeout: float) -> ollama.Client:
        return ollama.Client(host=self._base_url, timeout=timeout)

    def __repr__(self) -> str:
        return f"OllamaModel({self.name!r}, base_url={self.server!r})"

    def complete(self, request: ModelRequest, on_token: OnToken | None = None) -> ModelReply:
        """See :class:`app.llm.base.Model`."""
        parts = list(self._told(request, on_token))
        if not parts or not parts[-1].done:
            raise ModelError("network", f"{self.server} broke off in the middle of its reply")
        last = parts[-1]
        reply = ModelReply(
            text="".join(part.message.content or "" for part in parts),
            value=None,
            model=last.model or self.name,
            provider=self.provider,
            input_tokens=last.prompt_eval_count,
            output_tokens=last.eval_count,
            finish_reason=last.done_reason,
        )
        tools = [call.function.name for part in parts for call in part.message.tool_calls or ()]
        return finish_reply(request, reply, tools)

    def offered(self, timeout: float) -> frozenset[str] | None:
        """See :class:`app.llm.base.Model`."""
        try:
            with self._translated(), closing(self._connect(timeout)) as client:
                names = {model.model for model in client.list().models if model.model}
        except ModelError as error:
            if error.kind in _NO_LIST:
                return None
            raise
        # A name without a tag means the latest.
        return frozenset(names | {name.removesuffix(":latest") for name in names})

    def _told(self, request: ModelRequest, on_token: OnToken | None) -> Iterator[ollama.ChatResponse]:
        """The parts of the reply; the callback hears of each, outside the translation: its errors are its own."""
        with closing(self._parts(request, stream=on_token is not None)) as parts:
            for part in parts:
                if on_token is not None and part.message.content:
                    on_token(part.message.content)
                yield part

    def _parts(self, request: ModelRequest, *, stream: bool) -> Generator[ollama.ChatResponse, None, None]:
        with self._translated(structured=request.schema is not None and request.structured != "text"):
            if stream:
                yield from self._client.chat(**self._arguments(request), stream=True)
            else:
                yield self._client.chat(**self._arguments(request), stream=False)

    def _arguments(self, request: ModelRequest) -> dict[str, Any]:
        options = dict(self._options)
        if request.max_output_tokens is not None:
            options["num_predict"] = request.max_output_tokens
        arguments: dict[str, Any] = {"model": self.name, "messages": messages_of(request), "options": options}
        if request.schema is not None and request.structured != "text":
            schema_mode = request.structured == "json_schema"
            arguments["format"] = dict(request.schema) if schema_mode else "json"
        return arguments

    @contextmanager
    def _translated(self, *, structured: bool = False) -> Iterator[None]:
        """The SDK's errors, and what it raises on a server's nonsense, become :class:`ModelError`."""
        try:
            yield
        except ollama.ResponseError as error:
            raise self._refusal(error, structured) from None
        except httpx.TimeoutException:
            hint = "LLM_TIMEOUT sets how long to wait; loading a large model takes a while"
            raise ModelError("timeout", f"{self.server} did not answer in time", hint=hint) from None
        except (ConnectionError, httpx.ConnectError) as error:
            raise self._absent(error) from None
        except httpx.HTTPError as error:
            raise ModelError("network", f"the connection to {self.server} broke: {one_line(error)}") from None
        except json.JSONDecodeError as error:
            raise self._foreign_line(error) from None
        except (ValueError, TypeError, AttributeError) as error:
            raise self._foreign(error) from None

    def _refusal(self, error: ollama.ResponseError, structured: bool) -> ModelError:
        said = one_line(error.error)
        if error.status_code < 400:  # an error that came as a line of the stream
            return ModelError("server", f"{self.server} broke off its reply: {said}")
        found = refusal(
            error.status_code,
            said,
            model=self.name,
            server=self.server,
            wait=_wait(error),
            structured=structured,
        )
        if found.kind == "no_model":
            return ModelError("no_model", found.message, hint=f"ollama pull {self.name}")
        return found

    def _absent(self, error: Exception) -> ModelError:
        # The SDK replaces the socket's words by its own; they stay in the error's context.
        reason = error.__context__ if isinstance(error.__context__, httpx.ConnectError) else error
        return ModelError("network", f"can't reach {self.server}: {one_line(reason)}", hint=_ABSENT_HINT)

    def _foreign_line(self, error: json.JSONDecodeError) -> ModelError:
        if error.doc.lstrip().startswith("{"):  # half a line: the server was cut off while writing it
            return ModelError("network", f"{self.server} broke off in the middle of its reply")
        return self._foreign(one_line(error.doc) or "an empty answer")

    def _foreign(self, what: object) -> ModelError:
        said = one_line(what)[:120]
        return ModelError(
            "garbage", f"{self.server} does not speak Ollama's protocol: {said}", hint="check OLLAMA_BASE_URL"
        )


def _wait(error: ollama.ResponseError) -> float | None:
    """``Retry-After`` in seconds. The SDK drops the headers; its own cause still has them."""
    cause = error.__context__
    return retry_after(cause.response.headers) if isinstance(cause, httpx.HTTPStatusError) else None
