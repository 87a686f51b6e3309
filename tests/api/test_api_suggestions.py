"""Proposals that a model writes: the request comes back at once, the proposal is there when the model is done."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from look_server import LookServer, look_server
from plans import assign, call
from scripting import reply

from app.api.errands import Errands
from app.api.problems import Problem
from app.api.proposal_models import ProposalOut
from app.llm.budget import Budget, Limits
from app.llm.gateway import Gateway
from app.llm.prices import Prices
from app.llm.scripted import ScriptedModel
from app.services.proposals import write_proposal
from app.services.thinking import Askers

STEPS = [
    assign(0, name="a"),
    call(1, "look", "seen", {"value": "${name}"}),
    assign(2, final_answer="${seen}"),
]
BETTER = [*STEPS[:1], call(1, "look", "seen", {"value": "better"}), STEPS[2]]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[LookServer]:
    with look_server(tmp_path) as server:
        yield server


@pytest.fixture
def speak(served: LookServer, tmp_path: Path) -> Callable[..., None]:
    """Has the model say something."""

    def speak(*replies: Any) -> None:
        script = tmp_path / "replies.yaml"
        script.write_text(json.dumps(list(replies)))
        model = ScriptedModel.from_file(script, name="scripted")
        gateway = Gateway(model, prices=Prices(), budget=Budget(Limits()), clock_ms=served.place.clock_ms)
        askers = Askers(gateway, gateway, "scripted", True)
        parts = served.app.extensions["stackvm"]
        served.app.extensions["stackvm"] = replace(
            parts, workplace=replace(parts.workplace, open_askers=lambda usage: askers)
        )

    return speak


def settled(served: LookServer, path: str) -> Any:
    """The proposal when the model is done."""
    deadline = time.monotonic() + 20
    while (found := served.get(path))["status"] == "writing":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def plan_reply(steps: list[dict[str, Any]]) -> dict[str, Any]:
    return reply("revise", {"version": 1, "reasoning": "because", "steps": steps})


def test_a_model_writes_what_was_suggested(served: LookServer, speak: Callable[..., None]) -> None:
    row = served.run(*STEPS)
    speak(plan_reply(BETTER))
    response = served.client.post(f"/api/tasks/{row.id}/proposals", json={"suggestion": "look at better"})
    assert (response.status_code, response.json["status"], response.json["plan"]) == (202, "writing", None)
    found = settled(served, response.headers["Location"])
    ProposalOut.model_validate(found)
    assert (found["status"], found["kind"], found["suggestion"]) == ("open", "suggestion", "look at better")
    assert found["plan"]["steps"][1]["parameters"]["tool_params"] == {"value": "better"}
    assert len(found["model_calls"]) == 1 and found["reasoning"] == "because"
    done = served.post(response.headers["Location"] + "/approve", None, 202)
    record = served.get(f"/api/tasks/{row.id}/commits/{done['commit']}/record")
    assert (record["who"], record["prompt"] is not None, len(record["model_calls"])) == ("local", True, 1)


def test_a_model_that_writes_nonsense_is_told(served: LookServer, speak: Callable[..., None]) -> None:
    row = served.run(*STEPS)
    speak(*[reply("revise", "no")] * 3)
    made = served.post(f"/api/tasks/{row.id}/proposals", {"suggestion": "x", "step": 1}, 202)
    path = f"/api/tasks/{row.id}/proposals/{made['number']}"
    found = settled(served, path)
    assert found["status"] == "failed" and "no clean plan" in found["error"]["message"]
    served.post(path + "/approve", None, 409)
    assert served.post(path + "/discard")["status"] == "discarded"
    served.post(f"/api/tasks/{row.id}/proposals", {"suggestion": "x", "step": 77}, 404)


def test_what_was_discarded_meanwhile_stays_so(
    served: LookServer, speak: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    row = served.run(*STEPS)
    speak(plan_reply(BETTER))
    go_on, ended = threading.Event(), threading.Event()

    def write_late(*given: Any) -> None:
        go_on.wait(10)
        write_proposal(*given)
        ended.set()

    monkeypatch.setattr("app.api.proposals.write_proposal", write_late)
    made = served.post(f"/api/tasks/{row.id}/proposals", {"suggestion": "x"}, 202)
    path = f"/api/tasks/{row.id}/proposals/{made['number']}"
    served.post(path + "/discard")
    go_on.set()
    assert ended.wait(10)
    assert served.get(path)["status"] == "discarded"


def test_only_so_many_errands_are_run_at_once() -> None:
    errands, release, done = Errands(2), threading.Event(), threading.Semaphore(0)

    def work(value: int) -> None:
        release.wait(10)
        done.release()

    assert [errands.start(lambda: 1, work), errands.start(lambda: 2, work)] == [1, 2]
    with pytest.raises(Problem) as refused:
        errands.start(lambda: 3, work)
    assert (refused.value.status, refused.value.headers["Retry-After"]) == (429, "10")
    release.set()
    for _ in range(2):
        assert done.acquire(timeout=10)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            errands.start(lambda: 4, lambda value: done.release())
            break
        except Problem:
            time.sleep(0.01)
    assert done.acquire(timeout=10)


def test_an_errand_that_was_never_begun_takes_no_place() -> None:
    errands = Errands(1)

    def refuse() -> int:
        raise ValueError

    for _ in range(3):
        with pytest.raises(ValueError):
            errands.start(refuse, print)


def test_an_errand_that_fails_takes_no_place(caplog: pytest.LogCaptureFixture) -> None:
    errands, done = Errands(1), threading.Event()

    def fail(value: int) -> None:
        done.set()
        raise RuntimeError("oops")

    errands.start(lambda: 1, fail)
    assert done.wait(10)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            errands.start(lambda: 2, lambda value: None)
            return
        except Problem:
            time.sleep(0.01)
    raise AssertionError("its place was not given back")
