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
def test_an_address_that_is_none_has_a_page_that_says_so(watched: Watched, page: Page, address: str) -> None:
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


def test_a_title_tells_one_tab_from_another(made: Made, page: Page) -> None:
    page.goto(f"/tasks/{made.task}")
    expect(page).to_have_title(f"{GOAL} · Run · StackVM")
    page.get_by_role("link", name="Plan", exact=True).click()
    expect(page).to_have_title(f"{GOAL} · Plan · StackVM")
    page.get_by_role("link", name="Tools").click()
    expect(page).to_have_title("Tools · StackVM")


def test_keys_of_the_keyboard_are_not_called_as_those_of_the_api(page: Page) -> None:
    page.goto("/keys")
    expect(page.get_by_role("link", name="API keys", exact=True)).to_be_visible()
    page.get_by_role("button", name="Keyboard shortcuts").click()
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()


def _outside(page: Page, selector: str) -> list[str]:
    """What stands, even in part, beside the page or beside a box around it that hides what is too long."""
    found: list[str] = page.evaluate(
        """selector => [...document.querySelectorAll(selector)].filter((each) => {
          const {left, right} = each.getBoundingClientRect();
          for (let box = each.parentElement; box; box = box.parentElement) {
            const around = box.getBoundingClientRect();
            const hides = box === document.documentElement || getComputedStyle(box).overflowX !== "visible";
            if (hides && (left < around.left - 0.5 || right > around.right + 0.5)) return true;
          }
          return false;
        }).map((each) => each.textContent)""",
        selector,
    )
    return found


def test_all_places_and_filters_are_in_sight_on_a_phone(made: Made, phone: Page) -> None:
    phone.goto("/")
    expect(phone.locator(".virtual-row").first).to_be_visible()
    expect(phone.locator("a.place")).to_have_count(5)
    assert _outside(phone, "a.place, .chip, .top-end > *") == []
    phone.goto("/tools")
    expect(phone.locator(".virtual-row").first).to_be_visible()
    assert _outside(phone, ".narrow-about") == []
    phone.goto("/new")
    expect(phone.get_by_role("button", name="Run the plan")).to_be_visible()
    assert not phone.locator(".actions kbd").first.is_visible()
    left = phone.evaluate(
        "() => ['.budgets legend', '.budgets .field span', '.new-task .label'].map((each) => {"
        " const range = document.createRange(); range.selectNodeContents(document.querySelector(each));"
        " return Math.round(range.getBoundingClientRect().left); })"
    )
    assert len(set(left)) == 1, left


@pytest.mark.parametrize("width", [780, PHONE["width"]])
def test_what_the_checker_says_is_in_sight_beside_the_button(made: Made, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": DESKTOP["height"]})
    page.goto(f"/tasks/{made.task}/plan?pane=code")
    expect(page.get_by_text("finds nothing wrong")).to_be_visible()
    assert _outside(page, ".findings-clean span, .plan-code-head button") == []
    page.goto(f"/tasks/{made.task}/edit")
    expect(page.get_by_text("finds nothing wrong")).to_be_visible()
    assert _outside(page, ".findings-clean span") == []
