"""``/api/plans``: check, diff, schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from look_server import LookServer, look_server
from plans import assign, call

from app.api.plans import CheckOut, PlanDiffOut, WriterOut
from app.db.base import NamespaceRow

GOOD = {"version": 1, "steps": [assign(1, final_answer=2)]}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LookServer]:
    with look_server(tmp_path_factory.mktemp("plans")) as server:
        server.place.namespaces.create(NamespaceRow("blind", ("send",)))
        yield server


@pytest.mark.parametrize(
    ("body", "valid", "codes"),
    [
        ({"plan": GOOD}, True, []),
        ({"plan": GOOD["steps"]}, True, []),
        ({"text": json.dumps(GOOD)}, True, []),
        ({"plan": {"steps": [assign(1, a="${b}", final_answer=1)]}}, False, ["P005"]),
        ({"plan": {"steps": [call(1, "lok", "final_answer", {"value": 1})]}}, False, ["P007"]),
        ({"plan": None}, False, ["P001"]),
        ({"plan": 3}, False, ["P001"]),
        ({"plan": {"steps": [assign(1, final_answer=10**400)]}}, True, []),
        ({"text": '{"steps": ['}, False, ["P001"]),
        ({"text": ""}, False, ["P001"]),
        ({}, False, ["P001"]),
    ],
)
def test_a_plan_is_checked(served: LookServer, body: dict[str, Any], valid: bool, codes: list[str]) -> None:
    found = CheckOut.model_validate(served.post("/api/plans/check", body))
    assert (found.valid, [each.code for each in found.findings if each.severity == "error"]) == (valid, codes)


def test_a_plan_is_checked_for_a_namespace(served: LookServer) -> None:
    plan = {"steps": [call(1, "look", "final_answer", {"value": 1})]}
    assert served.post("/api/plans/check", {"plan": plan})["valid"]
    found = served.post("/api/plans/check", {"plan": plan, "namespace": "blind"})
    assert [each["code"] for each in found["findings"]] == ["P007"]
    served.post("/api/plans/check", {"plan": plan, "namespace": "nowhere"}, 404)


def test_plans_are_compared_by_what_their_steps_do(served: LookServer) -> None:
    renumbered = {"version": 1, "steps": [assign(7, final_answer=2)]}
    same = served.post("/api/plans/diff", {"old": GOOD, "new": renumbered})
    PlanDiffOut.model_validate(same)
    assert [step["kind"] for step in same["steps"]] == ["unchanged"]
    other = {"version": 1, "steps": [*GOOD["steps"], assign(9, b=1)]}
    kinds = [step["kind"] for step in served.post("/api/plans/diff", {"old": GOOD, "new": other})["steps"]]
    assert kinds == ["unchanged", "added"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"old": GOOD},
        {"old": GOOD, "new": 3},
        {"old": {"steps": [{}]}, "new": GOOD},
        {"old": GOOD, "new": "x"},
    ],
)
def test_what_is_no_plan_is_not_compared(served: LookServer, body: dict[str, Any]) -> None:
    assert served.post("/api/plans/diff", body, 422)["code"] == "invalid-input"


def test_the_schema_is_one_that_plans_fit(served: LookServer) -> None:
    response = served.client.get("/api/plans/schema")
    assert response.status_code == 200
    Draft202012Validator.check_schema(response.json)
    Draft202012Validator(response.json).validate(GOOD)
    again = served.client.get("/api/plans/schema", headers={"If-None-Match": response.headers["ETag"]})
    assert again.status_code == 304


def test_a_step_s_variables_are_told_where_they_are_asked_for(served: LookServer) -> None:
    plan = {
        "steps": [assign(1, a=1), call(2, "look", "b", {"value": "${a}"}), assign(3, final_answer="${b}")]
    }
    found = served.post("/api/plans/check", {"plan": plan, "step": 3})
    CheckOut.model_validate(found)
    assert found["scope"] == [
        {"name": "a", "always": True, "set_by": [1]},
        {"name": "b", "always": True, "set_by": [2]},
    ]
    assert served.post("/api/plans/check", {"plan": plan, "step": 4})["scope"] == []
    assert served.post("/api/plans/check", {"text": "{", "step": 1})["scope"] is None
    assert "scope" not in served.post("/api/plans/check", {"plan": plan})


def test_who_writes_plans_is_told_without_asking_it(served: LookServer) -> None:
    found = served.get("/api/plans/writer")
    WriterOut.model_validate(found)
    assert found["model"] is None
    assert "LLM_PROVIDER" in found["hint"]


def test_tools_are_listed_for_a_namespace(served: LookServer) -> None:
    names = [each["tool"] for each in served.get("/api/tools", namespace="blind")["items"]]
    assert names == ["send"]
    assert "look" in [each["tool"] for each in served.get("/api/tools")["items"]]
    served.get("/api/tools", 404, namespace="nowhere")
