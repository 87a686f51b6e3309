"""How many connections a tab keeps: a browser has six for all tabs, and what a tab keeps open no other can use."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from browsing import Watched
from playwright.sync_api import Page, expect
from served import Served

# Streams that are open now, as the page itself made them, and those that were ever made.
COUNTING = """
(() => {
  const Real = window.EventSource;
  window.made = [];
  window.heard = 0;
  window.EventSource = class extends Real {
    constructor(address) {
      super(address);
      window.made.push(this);
      this.addEventListener("commit", () => { window.heard += 1; });
    }
  };
  window.openNow = () => window.made.filter((each) => each.readyState !== 2).map((each) => each.url);
  let isHidden = false;
  Object.defineProperty(document, "hidden", { get: () => isHidden });
  window.setHidden = (value) => { isHidden = value; document.dispatchEvent(new Event("visibilitychange")); };
})();
"""
LATER_MS = 1_200  # the frame asks for what waits after the screen


@pytest.fixture
def counted(page: Page) -> Page:
    """A page that counts its streams, and can be hidden."""
    page.add_init_script(COUNTING)
    return page


@pytest.fixture(scope="module")
def task(served: Served) -> str:
    """A finished run."""
    plan = {"type": "assign", "parameters": {"final_answer": 1}}
    return str(served.wait(served.submit(plan))["task_id"])


def streams(page: Page) -> list[str]:
    found: list[str] = page.evaluate("() => window.openNow()")
    return [urlsplit(each).path for each in found]


@pytest.mark.parametrize("view", ["", "/plan", "/timeline", "/proposals", "/edit"])
def test_a_page_of_a_task_has_its_stream_alone(counted: Page, task: str, view: str) -> None:
    counted.goto(f"/tasks/{task}{view}")
    expect(counted.locator("#screen main")).to_be_visible()
    counted.wait_for_timeout(LATER_MS)
    assert set(streams(counted)) <= {f"/api/tasks/{task}/events"}
    assert len(streams(counted)) <= 1


@pytest.mark.parametrize("at", ["/", "/waiting", "/tools"])
def test_a_page_of_many_tasks_has_the_list_alone(counted: Page, task: str, at: str) -> None:
    counted.goto(at)
    expect(counted.locator("#screen main")).to_be_visible()
    counted.wait_for_timeout(LATER_MS)
    assert streams(counted) == ([] if at == "/tools" else ["/api/events"])
    counted.goto(f"/tasks/{task}")
    expect(counted.locator(".task-head")).to_be_visible()
    counted.wait_for_timeout(LATER_MS)
    assert streams(counted) == [f"/api/tasks/{task}/events"]


def test_a_hidden_page_lets_go_and_comes_back_where_it_was(served: Served, counted: Page) -> None:
    task = served.submit(
        *[
            {
                "type": "calling",
                "parameters": {"tool_name": "nap", "tool_params": {"seconds": 0.5}, "output_vars": "x"},
            }
            for _ in range(12)
        ],
        {"type": "assign", "parameters": {"final_answer": 1}},
    )
    counted.goto(f"/tasks/{task}")
    expect(counted.locator(".task-head")).to_contain_text("running")
    counted.wait_for_function("() => window.heard > 1")  # it has been told something since it was opened
    counted.evaluate("() => window.setHidden(true)")
    counted.wait_for_function("() => window.openNow().length === 0")
    served.wait(task)
    counted.evaluate("() => window.setHidden(false)")
    expect(counted.locator(".step-list [role=option]")).to_have_count(15)
    expect(counted.locator(".task-head")).to_contain_text("completed")
    again = counted.evaluate("() => window.made.at(-1).url")
    assert "last_event_id=" in again


def test_many_tabs_leave_room_for_what_one_does(served: Served, watched: Watched, task: str) -> None:
    watched.expected.append("409")  # it has ended: the answer is all that is wanted
    for _ in range(5):  # each with one: a sixth connection is left
        page = watched.page()
        page.goto(f"/tasks/{task}")
        expect(page.locator(".task-head")).to_be_visible()
    answer: Any = page.evaluate(
        "(at) => fetch(at, {method: 'POST', headers: {'X-StackVM': 'viewer', 'Content-Type': 'application/json'},"
        " body: JSON.stringify({branch: 'main'}), signal: AbortSignal.timeout(8000)}).then((found) => found.status)",
        f"/api/tasks/{task}/resume",
    )
    assert answer in (200, 202, 409), json.dumps(answer)


def test_who_waits_long_for_an_answer_is_told(served: Served, page: Page, task: str) -> None:
    page.route(
        "**/api/tasks/*/branches",
        lambda route: (
            page.wait_for_timeout(5_500) or route.continue_()
            if route.request.method == "POST"
            else route.continue_()
        ),
    )
    page.goto(f"/tasks/{task}")
    page.get_by_role("button", name="Fork here").click()
    page.get_by_role("dialog").get_by_role("button", name="Fork").click()
    expect(page.get_by_text("has not answered yet")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)  # it is answered in the end
