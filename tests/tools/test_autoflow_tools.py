"""AutoFlow's tools against a server of ours that says what the real one does, and what it must not."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from email.utils import formatdate
from typing import Any

import pytest
from fake_server import Answer, FakeServer, running

from app.plan.arguments import ArgumentCheck
from app.plan.tool_schema import ToolSchema
from app.planner.tools import tools_values
from app.tools.autoflow import NO_AUTOFLOW, AutoFlow, autoflow_tools
from app.tools.autoflow_client import AutoFlowClient, AutoFlowError
from app.tools.base import Tool
from app.tools.loader import load_registry
from app.vm.calls import Call, Outcome
from app.vm.performer import Performer

KEY = "ta-K3y0fAnAdm1nistratorOfThisServer4711"
GRAPH = {
    "query": "What is TiKV?",
    "knowledge_base": None,
    "knowledge_bases": [{"id": 7, "name": "docs"}],
    "entities": [
        {"id": 1, "knowledge_base_id": 7, "name": "TiKV", "description": "a store", "meta": None},
        {"id": 2, "knowledge_base_id": 7, "name": "TiDB", "description": "a database", "entity_type": "original"},
    ],
    "relationships": [
        {
            "id": 9, "knowledge_base_id": 7, "source_entity_id": 2, "target_entity_id": 1, "weight": 0.5,
            "description": "keeps data in", "rag_description": "TiDB -> keeps data in -> TiKV",
            "meta": None, "last_modified_at": None,
        },
        {
            "id": 10, "source_entity_id": 1, "target_entity_id": 2, "description": "x", "rag_description": None,
            "weight": None,
        },
    ],
    "subgraphs": [],
}  # fmt: skip
CHUNKS = {
    "chunks": [
        {
            "id": "c-1",
            "text": "TiKV is a store.",
            "metadata": {"document_id": 3},
            "document_id": 3,
            "score": 0.91,
        },
        {"id": "c-2", "text": "So is RocksDB.", "metadata": {}, "document_id": None, "score": 0.5},
    ],
    "documents": [{"id": 3, "name": "TiKV overview", "source_uri": "https://docs.example/tikv"}],
}


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with running(FakeServer()) as server:
        yield server


def tools_of(server: FakeServer, **changes: Any) -> dict[str, Tool]:
    settings = {"base_url": server.url, "api_key": KEY, "kb_id": 7, **changes}
    return {each.name: each for each in autoflow_tools(AutoFlow(**settings))}


def perform(tool: Tool, **arguments: Any) -> tuple[Outcome, list[float]]:
    """What a call with the tool's own policy gives, and the pauses it would have made."""
    pauses: list[float] = []

    class Unhurried(Performer):
        def _pause(self, progress: Any) -> float:
            pauses.append(round(super()._pause(progress), 1))
            return 0.0

    with Unhurried(jitter=lambda: 1.0) as performer:
        outcome = performer.perform(Call(tool, arguments, retry=tool.retry, timeout=tool.timeout))
    return outcome, pauses


def answer(document: Any, status: int = 200, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, [document if isinstance(document, str) else json.dumps(document)], named)


def test_the_knowledge_graph_is_asked_as_the_server_documents_it(server: FakeServer) -> None:
    server.answer_with([answer(GRAPH)])
    outcome, _ = perform(tools_of(server)["retrieve_knowledge_graph"], query="What is TiKV?")
    assert outcome.value == {
        "entities": [
            {"id": 1, "name": "TiKV", "description": "a store"},
            {"id": 2, "name": "TiDB", "description": "a database"},
        ],
        "relationships": [
            {
                "id": 9, "source_entity_id": 2, "target_entity_id": 1, "description": "keeps data in",
                "rag_description": "TiDB -> keeps data in -> TiKV", "weight": 0.5,
            },
            {
                "id": 10, "source_entity_id": 1, "target_entity_id": 2, "description": "x",
                "rag_description": None, "weight": None,
            },
        ],
    }  # fmt: skip
    (asked,) = server.asked
    assert asked.path == "/api/v1/retrieve/knowledge_graph"
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.body == {
        "query": "What is TiKV?",
        "retrieval_config": {
            "knowledge_base_ids": [7],
            "use_query_decompose": False,
            "knowledge_graph": {"depth": 2, "include_meta": False, "with_degree": False},
        },
    }


def test_passages_come_with_their_documents(server: FakeServer) -> None:
    server.answer_with([answer(CHUNKS)])
    outcome, _ = perform(
        tools_of(server, base_url=f"{server.url}/api/v1/")["vector_search"], query="stores", top_k=2
    )
    assert outcome.value == [
        {
            "text": "TiKV is a store.", "score": 0.91, "document_id": 3, "document": "TiKV overview",
            "source_uri": "https://docs.example/tikv", "metadata": {"document_id": 3},
        },
        {
            "text": "So is RocksDB.", "score": 0.5, "document_id": None, "document": None, "source_uri": None,
            "metadata": {},
        },
    ]  # fmt: skip
    (asked,) = server.asked
    assert asked.path == "/api/v1/retrieve/chunks"
    assert asked.body["retrieval_config"] == {
        "knowledge_base_ids": [7],
        "use_query_decompose": False,
        "vector_search": {"top_k": 2},
    }


def test_ten_passages_are_asked_for_where_nobody_says_how_many(server: FakeServer) -> None:
    server.answer_with([answer({"chunks": []})])
    outcome, _ = perform(tools_of(server)["vector_search"], query="stores")
    assert outcome.value == []
    assert server.asked[0].body["retrieval_config"]["vector_search"] == {"top_k": 10}


@pytest.mark.parametrize(
    ("headers", "pause"),
    [({}, 1.0), ({"retry_after": "7"}, 7.0), ({"retry_after": "soon"}, 1.0), ({"retry_after": "0"}, 1.0)],
)
def test_a_server_that_is_busy_is_asked_again_when_it_says(
    server: FakeServer, headers: dict[str, str], pause: float
) -> None:
    server.answer_with([answer({"detail": "slow down"}, 429, **headers), answer(CHUNKS)])
    outcome, pauses = perform(tools_of(server)["vector_search"], query="stores")
    assert (outcome.attempts, len(outcome.value)) == (2, 2)
    assert pauses == [pause]


def test_the_time_to_ask_again_may_be_a_date(server: FakeServer) -> None:
    server.answer_with(
        [answer("", 503, retry_after=formatdate(time.time() + 30, usegmt=True)), answer(CHUNKS)]
    )
    _, pauses = perform(tools_of(server)["vector_search"], query="stores")
    assert 25 < pauses[0] <= 30


def test_a_server_in_trouble_is_asked_four_times(server: FakeServer) -> None:
    server.answer_with([answer({"detail": f"trouble {n}"}, 500 + n) for n in range(4)])
    outcome, pauses = perform(tools_of(server)["vector_search"], query="stores")
    assert outcome.error is not None
    assert outcome.error.message == f"AutoFlowError: {server.url} answered 503: trouble 3"
    assert (outcome.attempts, pauses) == (4, [1.0, 2.0, 4.0])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (answer({"detail": f"Unauthorized: {KEY}"}, 401), "does not accept AUTOFLOW_API_KEY"),
        (answer({"detail": f"no: {KEY}"}, 403), "the user of AUTOFLOW_API_KEY is no administrator"),
        (answer({"detail": "Not Found"}, 404), "has no /api/v1/retrieve/chunks: see AUTOFLOW_BASE_URL"),
        (answer({"detail": "default llm is not found"}, 404), "answered 404: default llm is not found"),
        (answer({"detail": [{"loc": ["body"], "msg": "bad"}]}, 422), "answered 422: [{'loc'"),
        (answer(f"<h1>key {KEY}</h1>", 400), "answered 400: <h1>key [AUTOFLOW_API_KEY]</h1>"),
        (answer("", 302, location="https://elsewhere.example"), "answered 302: Found"),
        (answer("<html>welcome</html>"), "is no AutoFlow: <html>welcome</html>"),
        (answer(""), "is no AutoFlow: nothing"),
        (answer({"results": [KEY]}), "is no AutoFlow: chunks: Field required"),
        (
            answer({"chunks": [{"text": "x", "score": "high"}]}),
            "is no AutoFlow: chunks.0.score: Input should be",
        ),
        (answer([1, 2]), "is no AutoFlow: the answer: Input should be"),
        (answer("[" * 100_000), "is no AutoFlow: [["),
        (answer('{"chunks": ["\\u00ff'), "is no AutoFlow: {"),
    ],
)
def test_what_no_other_attempt_could_mend_fails_at_once_in_one_line(
    server: FakeServer, given: Answer, said: str
) -> None:
    server.answer_with([given])
    outcome, pauses = perform(tools_of(server)["vector_search"], query="stores")
    assert outcome.error is not None
    assert said in outcome.error.message
    assert len(outcome.error.message) < 500
    assert "\n" not in outcome.error.message
    assert KEY not in repr(outcome)
    assert (outcome.attempts, pauses, len(server.asked)) == (1, [], 1)


def test_an_unknown_knowledge_base_is_named(server: FakeServer) -> None:
    server.answer_with([answer({**GRAPH, "knowledge_bases": [], "entities": [], "relationships": []})])
    outcome, _ = perform(tools_of(server)["retrieve_knowledge_graph"], query="TiKV")
    assert outcome.error is not None
    assert "has no knowledge base 7: see KB_ID" in outcome.error.message
    assert outcome.attempts == 1


def test_an_answer_that_quotes_the_key_is_masked(server: FakeServer) -> None:
    chunk = {"text": f"you sent {KEY}", "score": 1.0, "metadata": {KEY: [KEY]}}
    server.answer_with([answer({"chunks": [chunk]})])
    outcome, _ = perform(tools_of(server)["vector_search"], query="stores")
    assert outcome.value[0]["text"] == "you sent [AUTOFLOW_API_KEY]"
    assert KEY not in repr(outcome)


def test_a_server_that_breaks_off_is_asked_again(server: FakeServer) -> None:
    server.answer_with([Answer(200, ['{"chunks": ['], cut=True), answer(CHUNKS)])
    outcome, _ = perform(tools_of(server)["vector_search"], query="stores")
    assert (outcome.attempts, outcome.error) == (2, None)


def test_a_server_that_is_absent_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    tools = autoflow_tools(AutoFlow(url, KEY, 7))
    outcome, pauses = perform(tools[0], query="TiKV")
    assert outcome.error is not None
    assert f"can't reach AutoFlow at {url}: " in outcome.error.message
    assert "AUTOFLOW_BASE_URL" in outcome.error.message
    assert len(pauses) == 3


@pytest.mark.parametrize("slow", [Answer(200, ["{}"], wait=5), Answer(200, ['{"chunks": [', "]}"], pause=5)])
def test_a_server_that_is_silent_is_given_up(server: FakeServer, slow: Answer) -> None:
    server.answer_with([slow])
    client = AutoFlowClient(AutoFlow(server.url, KEY, 7), silent_seconds=0.2)
    started = time.monotonic()
    with pytest.raises(AutoFlowError, match=r"did not answer within 0\.2 s") as raised:
        client.chunks("stores", 3)
    assert time.monotonic() - started < 3
    assert not raised.value.final


def test_an_endless_answer_is_given_up(server: FakeServer) -> None:
    server.answer_with([Answer(200, ["x" * 400] * 5)])
    client = AutoFlowClient(AutoFlow(server.url, KEY, 7), max_bytes=1_000)
    with pytest.raises(AutoFlowError, match="more than 1,000 bytes") as raised:
        client.chunks("stores", 3)
    assert raised.value.final


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"base_url": ""}, "AUTOFLOW_BASE_URL is not set"),
        ({"api_key": ""}, "AUTOFLOW_API_KEY is not set"),
        ({"kb_id": None}, "KB_ID is not set"),
        ({"base_url": "tidb.ai"}, "AUTOFLOW_BASE_URL is no URL of a server"),
        ({"base_url": "http://[::1"}, "AUTOFLOW_BASE_URL is no URL of a server"),
        ({"base_url": "https://me:pw@tidb.ai"}, "AUTOFLOW_BASE_URL is no URL of a server"),
        ({"api_key": "ta-schlüssel"}, "AUTOFLOW_API_KEY holds characters no key has"),
        ({"api_key": "ta-one\nX-Header: two"}, "AUTOFLOW_API_KEY holds characters no key has"),
    ],
)
def test_a_setting_that_is_missing_or_wrong_is_named_when_the_tool_is_called(
    server: FakeServer, changes: dict[str, Any], said: str
) -> None:
    for tool in tools_of(server, **changes).values():
        assert tool.unavailable == said or tool.unavailable.startswith(f"{said},")  # type: ignore[union-attr]
        outcome, pauses = perform(tool, query="TiKV")
        assert outcome.error is not None
        assert f"NotConfigured: AutoFlow is not configured: {said}" in outcome.error.message
        assert (outcome.attempts, pauses) == (1, [])
        assert "pw@" not in outcome.error.message


def test_an_address_that_no_request_can_be_made_to_is_named(server: FakeServer) -> None:
    outcome, pauses = perform(tools_of(server, base_url="http://a b\x01c")["vector_search"], query="x")
    assert outcome.error is not None
    assert "AUTOFLOW_BASE_URL: " in outcome.error.message
    assert pauses == []


def test_all_settings_that_are_missing_are_named() -> None:
    (tool, _) = autoflow_tools(NO_AUTOFLOW)
    assert tool.unavailable == "AUTOFLOW_BASE_URL is not set; AUTOFLOW_API_KEY is not set; KB_ID is not set"


def test_a_model_that_plans_is_offered_what_works_only(tmp_path: Any) -> None:
    names = ["retrieve_knowledge_graph", "vector_search"]
    without = load_registry([], tools_root=tmp_path, entry_points=False)
    configured = load_registry(
        [], tools_root=tmp_path, autoflow=AutoFlow("http://127.0.0.1", KEY, 7), entry_points=False
    )
    for name in names:
        assert name not in tools_values(without.catalog())["tools"]
        assert name in tools_values(configured.catalog())["tools"]
        assert without.catalog(["vector_*", "retrieve_*"]).allowed(name)
        assert configured.get(name).unavailable is None


ARGUMENTS: list[tuple[str, dict[str, Any], bool]] = [
    ("vector_search", {"query": "x", "top_k": 100}, True),
    ("vector_search", {"query": "x", "top_k": 0}, False),
    ("vector_search", {"query": "x", "top_k": 101}, False),
    ("vector_search", {"query": ""}, False),
    ("retrieve_knowledge_graph", {"query": "x"}, True),
    ("retrieve_knowledge_graph", {"query": "x", "top_k": 1}, False),
]


@pytest.mark.parametrize(("name", "arguments", "fits"), ARGUMENTS)
def test_arguments_are_checked(name: str, arguments: dict[str, Any], fits: bool, server: FakeServer) -> None:
    check = ArgumentCheck(tools_of(server)[name].signature)
    assert (check.faults(arguments) == []) == fits


def test_the_checker_knows_what_comes_back(server: FakeServer) -> None:
    tools = tools_of(server)
    graph = ToolSchema(tools["retrieve_knowledge_graph"].result)
    assert graph.has_path(["relationships", 0, "rag_description"])
    assert not graph.has_path(["nodes"])
    chunks = ToolSchema(tools["vector_search"].result)
    assert chunks.has_path([0, "source_uri"])
    assert not chunks.has_path([0, "content"])


def test_both_look_and_change_nothing(server: FakeServer) -> None:
    for tool in tools_of(server).values():
        assert (tool.effect, tool.declared) == ("read", True)


def test_another_knowledge_base_is_another_version(server: FakeServer) -> None:
    def versions(**changes: Any) -> set[str]:
        return {each.version for each in tools_of(server, **changes).values()}

    assert versions() == versions(api_key=KEY + "x")
    assert not versions() & versions(kb_id=8)
    assert not versions() & versions(base_url="https://tidb.ai")


def test_settings_show_no_key() -> None:
    assert KEY not in repr(AutoFlow("http://127.0.0.1", KEY, 7))
