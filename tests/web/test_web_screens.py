"""Every screen opens by its address, every row of the list of tools leads to a page, and what is none says so."""

from __future__ import annotations

from dataclasses import dataclass

import httpx
import pytest
from browsing import DESKTOP, PHONE, Watched
from playwright.sync_api import Browser, Page, expect
from served import Served

from app.web import files

STEPS = [
    {"seq_no": 1, "type": "assign", "parameters": {"count": 2, "answer": "two"}},
    {"seq_no": 2, "type": "assign", "parameters": {"final_answer": "${answer}"}},
]
GOAL = "Count to two and say so"


@dataclass(frozen=True)
class Made:
    """A task that is completed, and a proposal to it."""

    task: str
    proposal: int


@pytest.fixture(scope="module")
def made(served: Served) -> Made:
    task = served.submit(*STEPS, goal=GOAL)
    served.wait(task, "completed")
    change = {"branch": "main", "step": 1, "set": [{"path": "parameters.count", "value": 3}]}
    answer = served.client.post(f"/api/tasks/{task}/proposals", json=change)
    assert answer.status_code == 201, answer.text
    return Made(task, int(answer.json()["number"]))


def _addresses(route: str, made: Made, served: Served) -> list[str]:
    """What a route is opened as: with real names for its parameters."""
    if route == "/tools/:name":
        return [f"/tools/{each['tool']}" for each in served.client.get("/api/tools").json()["items"]]
    if route == "/tasks/:id/edit":
        return [f"/tasks/{made.task}/edit", f"/tasks/{made.task}/edit?branch=main&step=2"]
    if route == "/compare":
        return [route, f"/compare?left={made.task}:main~1&right={made.task}:main"]
    at = route.replace("/variables/:name", "/variables/answer")
    return [at.replace(":id", made.task).replace(":number", str(made.proposal))]


@pytest.mark.parametrize("route", list(files._routes()))
def test_every_screen_opens_without_an_error(
    served: Served, made: Made, watched: Watched, page: Page, route: str
) -> None:
    addresses = _addresses(route, made, served)
    assert addresses, "there is nothing to open"
    for address in addresses:
        assert ":id" not in address and ":n" not in address, "the test has no name for this parameter"
        page.goto(address)
        expect(page.locator("main")).to_be_visible()
        expect(page.locator(".loading")).to_have_count(0)
        expect(page.locator("main h1, main h2").first).to_be_attached()
        assert page.locator(".problem").all_inner_texts() == [], address
        assert page.get_by_text("There is no such page").count() == 0, address
