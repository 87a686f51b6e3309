"""The built-in toolset ``autoflow``: search the knowledge base of an AutoFlow server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import BaseModel, Field

from app.tools.base import Tool
from app.tools.decorator import tool

if TYPE_CHECKING:
    from app.tools.autoflow_client import AutoFlowClient

_SECONDS: Final = 90.0
_RETRY: Final = {"max_attempts": 4, "backoff": 1.0}
_MAX_CHUNKS: Final = 100

Query = Annotated[str, Field(min_length=1, max_length=10_000)]


@dataclass(frozen=True, slots=True)
class AutoFlow:
    """Where the server is and what to search there: ``AUTOFLOW_BASE_URL``, ``AUTOFLOW_API_KEY``, ``KB_ID``."""

    base_url: str = ""
    api_key: str = field(default="", repr=False)
    kb_id: int | None = None


NO_AUTOFLOW: Final = AutoFlow()


class NotConfigured(Exception):
    """A setting is missing or wrong: no attempt could help."""

    final = True


class Entity(BaseModel):
    """A thing or an idea that the knowledge base knows."""

    id: int
    name: str
    description: str = ""


class Relationship(BaseModel):
    """What connects two entities; ``rag_description`` names both and what connects them."""

    id: int
    source_entity_id: int
    target_entity_id: int
    description: str
    rag_description: str | None = None
    weight: float | None = None


class KnowledgeGraph(BaseModel):
    """The part of the knowledge graph that has to do with a query."""

    entities: list[Entity]
    relationships: list[Relationship]


class Chunk(BaseModel):
    """A passage of a document; a higher ``score`` is more like the query."""

    text: str
    score: float
    document_id: int | None = None
    document: str | None = None
    source_uri: str | None = None
    metadata: dict[str, Any] = {}


def autoflow_tools(autoflow: AutoFlow) -> list[Tool]:
    """The toolset for one knowledge base. Where settings are missing, the tools say which when they are called."""
    trouble = "; ".join(_troubles(autoflow))

    @cache
    def client() -> AutoFlowClient:
        if trouble:
            raise NotConfigured(f"AutoFlow is not configured: {trouble}")
        from app.tools.autoflow_client import AutoFlowClient

        return AutoFlowClient(autoflow)

    # Another knowledge base gives other answers.
    place = sha256(f"{autoflow.base_url} {autoflow.kb_id}".encode()).hexdigest()
    version = f"autoflow-1-{place[:8]}"

    @tool(effect="read", timeout=_SECONDS, retry=_RETRY, version=version)
    def retrieve_knowledge_graph(query: Query) -> KnowledgeGraph:
        """Search the knowledge graph: the entities that have to do with the query, and what connects them.

        `query` is a question or some words, about one subject. For facts and how they hang together;
        vector_search gives whole passages. Knows what is in the knowledge base, nothing about the user.
        """
        return client().knowledge_graph(query)

    @tool(effect="read", timeout=_SECONDS, retry=_RETRY, version=version)
    def vector_search(query: Query, top_k: Annotated[int, Field(ge=1, le=_MAX_CHUNKS)] = 10) -> list[Chunk]:
        """Search the documents: the passages whose meaning is nearest to the query, the best first.

        `query` is a question or a statement about one subject. `top_k` is how many passages to give at
        most. They are raw: have them summed up before they become a part of an answer.
        """
        return client().chunks(query, top_k)

    tools = [retrieve_knowledge_graph, vector_search]
    return [replace(each, unavailable=trouble) for each in tools] if trouble else tools


def _troubles(autoflow: AutoFlow) -> Iterator[str]:
    """What keeps the settings from being used, each in a few words that name it and hold no secret."""
    if not autoflow.base_url:
        yield "AUTOFLOW_BASE_URL is not set"
    elif not _is_server(autoflow.base_url):
        yield "AUTOFLOW_BASE_URL is no URL of a server, like https://tidb.ai"
    key = autoflow.api_key
    if not key:
        yield "AUTOFLOW_API_KEY is not set"
    elif not (key.isascii() and key.isprintable()) or " " in key:
        yield "AUTOFLOW_API_KEY holds characters no key has"
    if autoflow.kb_id is None:
        yield "KB_ID is not set"


def _is_server(url: str) -> bool:
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return known and "@" not in parts.netloc and not parts.query and not parts.fragment
