"""Every screen opens by its address, every row of the list of tools leads to a page, and what is none says so."""

from __future__ import annotations

from dataclasses import dataclass

import httpx
import pytest
from browsing import DESKTOP, PHONE, Watched
from playwright.sync_api import Browser, Page, expect
from served import Served, serving

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


@pytest.mark.parametrize("address", ["/nosuch", "/namespaces/nosuch", "/tasks/"])
def test_an_address_that_is_none_has_a_page_that_says_so(
    watched: Watched, page: Page, address: str
) -> None:
    watched.expected.append("404")
    answer = page.goto(address)
    assert answer is not None
    assert answer.status == 404
    expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()
    expect(page.get_by_role("link", name="All tasks", exact=True)).to_be_visible()


def test_programs_are_told_of_missing_addresses_in_json(served: Served) -> None:
    html = {"Accept": "text/html,*/*;q=0.8"}
    with httpx.Client(base_url=served.url, trust_env=False) as client:
        for path, accept in (("/nosuch", {}), ("/api/nosuch", html), ("/git/nosuch", html)):
            answer = client.get(path, headers=accept)
            assert (answer.status_code, answer.json()["code"]) == (404, "not-found"), path
        assert client.post("/nosuch", headers=html).status_code == 404


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("branch=nope", "There is no branch nope here"),
        ("commit=deadbeef", "There is no commit deadbeef here"),
    ],
)
def test_what_the_task_does_not_have_is_said_once_with_its_branches(
    served: Served, made: Made, watched: Watched, page: Page, query: str, said: str
) -> None:
    watched.expected.append("404")
    page.goto(f"/tasks/{made.task}?{query}")
    expect(page.get_by_role("heading", name=said)).to_be_visible()
    expect(page.locator(".problem")).to_have_count(0)
    expect(page.locator(".loading")).to_have_count(0)
    page.get_by_role("link", name="main", exact=True).click()
    expect(page.locator(".step-row").first).to_be_visible()
    expect(page.locator(".variables")).to_contain_text("answer")


def test_a_server_that_was_away_is_asked_again_by_itself(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with serving(tmp_path_factory.mktemp("away"), workers=1) as served:
        task = served.submit(*STEPS, goal=GOAL)
        served.wait(task, "completed")
        watched = Watched(browser, served.url)
        watched.expected += ["net::ERR", "Failed to fetch dynamically imported module"]
        page = watched.page()
        page.goto(f"/tasks/{task}")
        expect(page.locator(".variables")).to_contain_text("answer")
        served.stop()
        page.get_by_role("link", name="Timeline").click()
        expect(page.locator(".problem")).to_contain_text("the server can't be reached")
        page.get_by_role("link", name="Waiting").click()
        expect(page.locator(".problem")).to_contain_text("the server can't be reached")
        page.go_back()
        page.go_back()
        expect(page.locator(".problem").first).to_contain_text("the server can't be reached")
        expect(page.locator(".loading")).to_have_count(0)
        served.start()
        expect(page.locator(".variables")).to_contain_text("answer")
        expect(page.locator(".problem")).to_have_count(0)
        watched.close()
