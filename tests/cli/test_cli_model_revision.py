"""A step fails, and a real SDK's model revises the plan: with every request, token and commit accounted for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from command_line import assign
from model_servers import ModelServer, document

FAILS = {
    "type": "calling",
    "parameters": {
        "tool_name": "read_file",
        "tool_params": {"path": "poems.txt"},
        "output_vars": {"text": "text"},
    },
}
WORKS = {
    "type": "calling",
    "parameters": {
        "tool_name": "read_file",
        "tool_params": {"path": "poem.txt"},
        "output_vars": {"text": "text"},
    },
}
FILES = {
    "type": "calling",
    "parameters": {"tool_name": "list_files", "tool_params": {"path": "."}, "output_vars": "files"},
}


@pytest.fixture
def poem(models: ModelServer) -> ModelServer:
    (models.cli.folder / "poem.txt").write_text("Roses are red")
    models.configure(MAX_REVISIONS=2)
    return models


def revises(models: ModelServer, *steps: dict[str, Any], usage: tuple[int, int] | None = (200, 20)) -> None:
    models.server.on("revise").says(json.dumps(document(*steps)), usage=usage)


def test_the_revision_goes_on_behind_the_fork_point_and_the_answer_comes_out(poem: ModelServer) -> None:
    poem.prices(**{poem.model: ("1", "2")})
    poem.plans(FILES, FAILS, assign(final_answer="${text}"))
    revises(poem, FILES, WORKS, assign(final_answer="${text}"))
    report = poem.execute()
    assert report["final_answer"] == "Roses are red"
    assert (report["branch"], [each["kept"] for each in report["revisions"]]) == ("revision-1", [1])
    # 100 + 200 tokens in at 1, 10 + 20 out at 2 the million, and not a digit more.
    assert report["usage"] == {"model_calls": 2, "input_tokens": 300, "output_tokens": 30, "cost": 0.00036}
    assert [asked.purpose for asked in poem.asked] == ["plan", "revise"]
    kinds = [record["kind"] for record in poem.records(report["task_id"])]
    assert kinds == ["goal", "plan", "step", "revision", "step", "step"]


def test_the_model_is_told_what_went_wrong(poem: ModelServer) -> None:
    poem.plans(FAILS, assign(final_answer="${text}"))
    revises(poem, WORKS, assign(final_answer="${text}"))
    poem.execute("Praise the poem", "--response-format", '{"lang": "de"}')
    said = poem.asked[-1].last
    for part in ("Praise the poem", "poems.txt", "there is no 'poems.txt'", '{"lang": "de"}'):
        assert part in said


def test_the_reasoning_model_revises(poem: ModelServer) -> None:
    poem.configure(REASON_LLM_MODEL="thinker")
    poem.plans(FAILS, assign(final_answer="${text}"))
    revises(poem, WORKS, assign(final_answer="${text}"))
    poem.execute()
    assert [asked.model for asked in poem.asked] == ["thinker", "thinker"]


def test_findings_go_back_as_with_a_plan(poem: ModelServer) -> None:
    poem.plans(FAILS, assign(final_answer="${text}"))
    revises(poem, WORKS, assign(final_answer="${words}"))
    revises(poem, WORKS, assign(final_answer="${text}"))
    assert poem.execute()["final_answer"] == "Roses are red"
    assert "variable 'words' is not set" in poem.asked[-1].last


def test_both_branches_replay_without_the_server(poem: ModelServer) -> None:
    poem.plans(FILES, FAILS, assign(final_answer="${text}"))
    revises(poem, FILES, WORKS, assign(final_answer="${text}"))
    task = poem.execute()["task_id"]
    requests = len(poem.asked)
    poem.server.close()
    for branch in ("main", "revision-1"):
        assert poem.cli.json("replay", task, "--branch", branch)["identical"]
    assert len(poem.asked) == requests


def test_a_plan_that_was_given_is_revised_only_where_that_is_asked_for(poem: ModelServer) -> None:
    (poem.cli.folder / "plan.json").write_text(json.dumps(document(FAILS, assign(final_answer="${text}"))))
    assert poem.execute("g", "--plan", "plan.json", code=1)["revisions"] == []
    assert poem.asked == []
    revises(poem, WORKS, assign(final_answer="${text}"))
    assert poem.execute("g", "--plan", "plan.json", "--revise")["final_answer"] == "Roses are red"


def test_a_server_that_goes_away_leaves_the_failure_and_what_it_said(poem: ModelServer) -> None:
    poem.plans(FAILS, assign(final_answer="${text}"))
    poem.server.on("revise").put(poem.server.refusal(401, "no"))
    report = poem.execute(code=1)
    assert report["status"] == "failed" and report["branch"] == "main"
    assert "poems.txt" in report["error"]["message"] and "no revision" in report["error"]["message"]
    poem.server.on("revise").put(poem.server.refusal(401, "no"))
    again = poem.cli.json("resume", report["task_id"], code=1)
    assert again["usage"]["model_calls"] >= 1


def test_a_forbidden_tool_stays_forbidden_in_a_revision(poem: ModelServer) -> None:
    poem.cli.ok("namespace", "create", "reading", "--allowed-tools", "read_file")
    poem.plans(FAILS, assign(final_answer="${text}"))
    for _ in range(3):
        revises(poem, FILES, assign(final_answer="${files}"))
    report = poem.execute("g", "--namespace-name", "reading", code=1)
    assert report["revisions"] == [] and "P007" in json.dumps(poem.records(report["task_id"])[-1])
