"""What axe-core says of each screen, in both themes and on a phone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from browsing import PHONE, Watched, faults_of
from playwright.sync_api import Browser, Page
from served import Served

NAPS = {
    "tool_name": "nap",
    "for_each": [0.01, 0.02],
    "tool_params": {"seconds": "${item}"},
    "output_vars": "slept",
}
PLAN = [
    {"type": "assign", "parameters": {"rows": [{"a": 1, "b": "x"}], "text": "# A heading\n\n- one"}},
    {"type": "calling", "parameters": NAPS},
    {"type": "assign", "parameters": {"final_answer": "${text}"}},
]


@pytest.fixture(scope="module")
def task(served: Served) -> str:
    """A run with a branch that left it."""
    task_id = str(served.wait(served.submit(*PLAN))["task_id"])
    served.client.post(f"/api/tasks/{task_id}/branches", json={"revision": "main~1", "name": "other"})
    return task_id


def row(name: str) -> Callable[[Page], None]:
    return lambda page: page.locator(".step-list [role=option]").filter(has_text=name).click()


SCREENS: dict[str, tuple[str, str, Callable[[Page], None] | None]] = {
    "tasks": ("/", ".virtual-row", None),
    "keys": ("/", ".virtual-row", lambda page: page.keyboard.press("?")),
    "new task": ("/new?from=plan", ".cm-content", None),
    "run": ("/tasks/{task}", ".variable", None),
    "items": ("/tasks/{task}", ".variable", row("nap")),
    "variable open": ("/tasks/{task}?var=rows", ".variable-value", None),
    "fork": ("/tasks/{task}", ".variable", lambda page: page.get_by_role("button", name="Fork here").click()),
    "variable": ("/tasks/{task}/variables/text", ".past", None),
}


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(browser: Browser, served: Served, task: str, screen: str, theme: str) -> None:
    path, ready, act = SCREENS[screen]
    watched = Watched(browser, served.url, color_scheme=theme)
    page = watched.page()
    page.goto(path.format(task=task))
    page.wait_for_selector(ready)
    if act is not None:
        act(page)
    page.wait_for_timeout(400)
    assert faults_of(page) == []
    watched.close()


@pytest.mark.parametrize("screen", ["tasks", "new task", "variable"])
def test_axe_finds_nothing_on_a_phone(browser: Browser, served: Served, task: str, screen: str) -> None:
    path, ready, _ = SCREENS[screen]
    watched = Watched(browser, served.url, viewport=PHONE)
    page = watched.page()
    page.goto(path.format(task=task))
    page.wait_for_selector(ready)
    assert faults_of(page) == []
    watched.close()
