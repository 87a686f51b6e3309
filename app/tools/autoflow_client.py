"""AutoFlow's REST API, as far as the tools need it.

Source: ``backend/app/api/routes/retrieve`` of github.com/pingcap/autoflow at 7eb3e1c (January 2026), which
each server also describes at ``/api/v1/openapi.json``. Its older routes ``admin/embedding_retrieve`` and
``admin/knowledge_bases/{id}/graph/search``, which StackVM used, are marked as deprecated there.
"""

from __future__ import annotations

import json
import time
import weakref
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from app.tools.autoflow import AutoFlow, Chunk, KnowledgeGraph
from app.tools.masks import Masks

_GRAPH: Final = "/api/v1/retrieve/knowledge_graph"
_CHUNKS: Final = "/api/v1/retrieve/chunks"
_CONNECT_SECONDS: Final = 10.0
_SILENT_SECONDS: Final = 60.0
_MAX_BYTES: Final = 64 * 1024 * 1024
_MAX_SAID: Final = 300


class AutoFlowError(Exception):
    """The server did not give what it was asked for. ``final``: asking again is of no use. ``retry_after``: the
    seconds that the server asks to wait."""

    def __init__(self, message: str, *, final: bool = False, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.final = final
        self.retry_after = retry_after


class _Document(BaseModel):
    id: int
    name: str | None = None
    source_uri: str | None = None


class _Chunks(BaseModel):
    chunks: list[Chunk]
    documents: list[_Document] | None = None


class _Graph(KnowledgeGraph):
    knowledge_bases: list[Any] | None = None


Reply = TypeVar("Reply", bound=BaseModel)


class AutoFlowClient:
    """One knowledge base of one server. May be used by several threads at once."""

    def __init__(
        self, autoflow: AutoFlow, *, silent_seconds: float = _SILENT_SECONDS, max_bytes: int = _MAX_BYTES
    ) -> None:
        self._kb_id = autoflow.kb_id
        self._masks = Masks({"[AUTOFLOW_API_KEY]": autoflow.api_key})
        self._server = autoflow.base_url.rstrip("/").removesuffix("/api/v1")
        self._silent_seconds = silent_seconds
        self._max_bytes = max_bytes
        self._client = httpx.Client(
            headers={"Authorization": f"Bearer {autoflow.api_key}", "Accept": "application/json"},
            timeout=httpx.Timeout(silent_seconds, connect=min(silent_seconds, _CONNECT_SECONDS)),
        )
        weakref.finalize(self, self._client.close)

    def knowledge_graph(self, query: str) -> KnowledgeGraph:
        """The entities and relationships near the query. Raises :class:`AutoFlowError`."""
        search = {"depth": 2, "include_meta": False, "with_degree": False}
        found = self._ask(_GRAPH, query, {"knowledge_graph": search}, _Graph)
        if found.knowledge_bases == []:  # the server passes over numbers it doesn't know
            raise AutoFlowError(f"{self._server} has no knowledge base {self._kb_id}: see KB_ID", final=True)
        return KnowledgeGraph(entities=found.entities, relationships=found.relationships)

    def chunks(self, query: str, top_k: int) -> list[Chunk]:
        """The best passages, each with its document. Raises :class:`AutoFlowError`."""
        found = self._ask(_CHUNKS, query, {"vector_search": {"top_k": top_k}}, _Chunks)
        documents = {document.id: document for document in found.documents or ()}
        for chunk in found.chunks:
            document = documents.get(chunk.document_id) if chunk.document_id is not None else None
            if document is not None:
                chunk.document, chunk.source_uri = document.name, document.source_uri
        return found.chunks

    def _ask(self, path: str, query: str, search: dict[str, Any], kind: type[Reply]) -> Reply:
        config = {"knowledge_base_ids": [self._kb_id], "use_query_decompose": False, **search}
        text = self._post(path, {"query": query, "retrieval_config": config})
        try:
            return kind.model_validate(self._masks.json(json.loads(text)))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"])) or "the answer"
            said = f"{place}: {first['msg']}"
        except (ValueError, RecursionError):
            said = text.decode("utf-8", "replace") or "nothing"
        raise AutoFlowError(f"{self._server}{path} is no AutoFlow: {self._line(said)}", final=True)

    def _post(self, path: str, body: dict[str, Any]) -> bytes:
        """The body of a good answer. What goes wrong says where, and never quotes the key."""
        try:
            with self._client.stream("POST", self._server + path, json=body) as response:
                text = self._read(response)
        except httpx.TimeoutException:
            raise AutoFlowError(f"{self._server} did not answer within {self._silent_seconds:g} s") from None
        except httpx.ConnectError as error:
            raise AutoFlowError(
                f"can't reach AutoFlow at {self._server}: {self._line(error)}; see AUTOFLOW_BASE_URL"
            ) from None
        except (httpx.InvalidURL, UnicodeError) as error:
            raise AutoFlowError(f"AUTOFLOW_BASE_URL: {self._line(error)}", final=True) from None
        except httpx.HTTPError as error:
            raise AutoFlowError(f"the connection to {self._server} broke: {self._line(error)}") from None
        if response.status_code != 200:
            raise self._refusal(path, response, text)
        return text

    def _read(self, response: httpx.Response) -> bytes:
        text = bytearray()
        for piece in response.iter_bytes():
            text += piece
            if len(text) > self._max_bytes:
                message = f"{self._server} answered with more than {self._max_bytes:,} bytes"
                raise AutoFlowError(message, final=True)
        return bytes(text)

    def _refusal(self, path: str, response: httpx.Response, text: bytes) -> AutoFlowError:
        status = response.status_code
        if status == 401:  # what the server says is left out: it may quote the key
            return AutoFlowError(f"{self._server} does not accept AUTOFLOW_API_KEY", final=True)
        if status == 403:
            return AutoFlowError(
                f"{self._server}: the user of AUTOFLOW_API_KEY is no administrator, and may not search",
                final=True,
            )
        said = self._line(_said(text))
        if status == 404 and said in ("", "Not Found"):
            return AutoFlowError(
                f"{self._server} has no {path}: see AUTOFLOW_BASE_URL; AutoFlow has it since April 2025",
                final=True,
            )
        passing = status >= 500 or status in (408, 409, 425, 429)
        return AutoFlowError(
            f"{self._server} answered {status}: {said or response.reason_phrase}",
            final=not passing,
            retry_after=_retry_after(response) if passing else None,
        )

    def _line(self, text: object) -> str:
        line = " ".join(self._masks.text(str(text)).split())
        return line if len(line) <= _MAX_SAID else line[: _MAX_SAID - 1] + "…"


def _said(text: bytes) -> object:
    """The words of a refusal: FastAPI's ``detail``, else the body."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return text.decode("utf-8", "replace")
    return document.get("detail", document) if isinstance(document, dict) else document


def _retry_after(response: httpx.Response) -> float | None:
    """``Retry-After`` in seconds; it may be a date."""
    text = response.headers.get("retry-after", "")
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return parsedate_to_datetime(text).timestamp() - time.time()
    except ValueError:
        return None
