"""Tokens reach whoever watches while the server still writes: it goes on only when the first was heard."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from threading import Event as Signal

import pytest
from fake_ollama import FakeOllama
from fake_openai import FakeOpenAI
from fake_server import running
from place import make_workplace

from app.services.runs import RunOptions, RunReport, run_branch
from app.services.tasks import NewTask, submit_task
from app.services.workplace import Workplace
from app.tools.llm import llm_generate
from app.vm.events import Event, TokenSaid
from app.vm.interrupts import Interrupts

PLAN = [
    {
        "seq_no": 3,
        "type": "calling",
        "parameters": {
            "tool_name": "llm_generate",
            "tool_params": {"prompt": "Say ${item}"},
            "for_each": ["it", "more"],
            "output_vars": "final_answer",
        },
    }
]
Served = tuple[Workplace, FakeOpenAI | FakeOllama]


@pytest.fixture(params=["openai", "ollama"])
def served(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Served]:
    """A workplace whose model is on a server of each protocol."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    with running({"openai": FakeOpenAI, "ollama": FakeOllama}[request.param]()) as server:
        url = {f"{request.param}_base_url": server.url + ("/v1" if request.param == "openai" else "")}
        place, database = make_workplace(
            tmp_path, [llm_generate], llm_provider=request.param, llm_model="m", llm_timeout=20, **url
        )
        yield place, server
        database.close()


def run(place: Workplace, heard: list[TokenSaid], first: dict[int | None, Signal]) -> RunReport:
    """A run that sets a signal at the first token of each item, and of the plan (``None``)."""

    def listen(event: Event) -> None:
        if isinstance(event, TokenSaid):
            heard.append(event)
            first[event.item].set()

    return run_branch(
        place, submit_task(place, NewTask(goal="say it")), "main", RunOptions(Interrupts(), listener=listen)
    )


def test_plans_and_texts_are_heard_as_they_are_written(served: Served) -> None:
    place, server = served
    first: dict[int | None, Signal] = {None: Signal(), 0: Signal(), 1: Signal()}
    text = json.dumps(PLAN)
    server.on("plan").says(text, go_on=first[None])
    server.on("generate", match="Say it").says("It is said.", go_on=first[0])
    server.on("generate", match="Say more").says("And some more.", go_on=first[1])
    heard: list[TokenSaid] = []
    report = run(place, heard, first)
    assert report.final_answer == ["It is said.", "And some more."]
    planned = [event.token for event in heard if event.seq_no is None]
    assert len(planned) > 10
    assert "".join(planned) == text
    for item, whole in enumerate(["It is said.", "And some more."]):
        assert "".join(event.token for event in heard if (event.seq_no, event.item) == (3, item)) == whole
