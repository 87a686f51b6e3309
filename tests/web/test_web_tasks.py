"""The list of tasks in Chromium: empty, live, filtered, by the keyboard, long; and new tasks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import Watched
from playwright.sync_api import Browser, Page, expect
from served import Served, serving

HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>"
ANSWER = {"type": "assign", "parameters": {"final_answer": 42}}


def rows(page: Page) -> object:
    return page.locator("[role=table] .virtual-row")


def test_from_nothing_to_a_run_of_the_example_with_one_click(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("# Notes\n\nOne file a day.\n")
    with serving(tmp_path, workers=1) as served:
        watched = Watched(browser, served.url)
        page = watched.page()
        page.goto("/")
        page.get_by_role("button", name="Run the example").click()
        page.wait_for_url(re.compile(r"/tasks/[0-9a-f-]{36}"))
        task = served.wait(page.url.rsplit("/", 1)[1])
        report = served.client.get(f"/api/tasks/{task['task_id']}/report").json()
        assert "| 3 | `notes.md` | # Notes |" in report["final_answer"]
        watched.close()


def test_rows_come_and_change_while_one_looks(served: Served, page: Page) -> None:
    page.goto("/")
    page.wait_for_selector("main")
    task = served.submit(
        {
            "type": "calling",
            "parameters": {"tool_name": "nap", "tool_params": {"seconds": 2}, "output_vars": "x"},
        },
        ANSWER,
        goal=f"watch me {HOSTILE}",
    )
    row = page.get_by_role("row").filter(has_text="watch me")
    expect(row).to_contain_text("running")
    expect(row).to_contain_text("<script>alert(2)</script>")
    served.wait(task)
    expect(row).to_contain_text("completed")


def test_filters_stand_in_the_address(served: Served, page: Page) -> None:
    served.submit(ANSWER, goal="one to find")
    failing = {"type": "calling", "parameters": {"tool_name": "burst", "tool_params": {}, "output_vars": "x"}}
    served.wait(served.submit(failing, ANSWER, goal="one that fails", tags=["odd"]), "failed")
    page.goto("/")
    page.get_by_role("button", name="failed").click()
    expect(page).to_have_url(re.compile(r"\?status=failed$"))
    expect(page.get_by_role("row").filter(has_text="one that fails")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="one to find")).to_have_count(0)
    page.keyboard.press("/")
    page.keyboard.type("nothing like it")
    expect(page.get_by_text("No task fits these filters")).to_be_visible()
    page.reload()
    expect(page.get_by_role("searchbox")).to_have_value("nothing like it")
    page.get_by_role("button", name="Clear").click()
    expect(page.get_by_role("row").filter(has_text="one to find")).to_be_visible()
    page.goto("/?tag=odd")
    expect(rows(page)).to_have_count(1)


def test_the_keyboard_alone_is_enough(served: Served, page: Page) -> None:
    first, second = (served.wait(served.submit(ANSWER, goal=f"key {each}")) for each in (1, 2))
    page.goto("/?text=key")
    page.wait_for_selector(".virtual-row")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Next row")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    expect(page.locator("[data-selected]")).to_contain_text("key 2")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(first["task_id"]))
    page.go_back()
    assert second["task_id"]
    page.keyboard.press("g")
    page.keyboard.press("w")
    expect(page).to_have_url(re.compile("/waiting$"))


def test_a_long_list_keeps_few_rows_and_gets_more_as_one_scrolls(served: Served, page: Page) -> None:
    for number in range(130):
        served.submit(ANSWER, goal=f"many {number}")
    page.goto("/?text=many")
    page.wait_for_selector(".virtual-row")
    assert rows(page).count() < 80  # type: ignore[attr-defined]
    last = page.get_by_role("row").filter(has_text=re.compile(r"many 0\b"))
    for _ in range(100):  # each time as far as what has come by then
        if last.is_visible():
            break
        page.evaluate(
            "() => { const box = document.querySelector('.virtual'); box.scrollTop = box.scrollHeight; }"
        )
        page.wait_for_timeout(150)
    expect(last).to_be_visible()
    assert rows(page).count() < 80  # type: ignore[attr-defined]


def test_a_plan_is_checked_as_one_types_and_run(served: Served, page: Page) -> None:
    page.goto("/new?from=plan")
    page.get_by_label("Goal").fill("run my plan")
    page.locator(".cm-content").click()
    page.keyboard.insert_text(
        '{"steps": [{"seq_no": 1, "type": "calling", "parameters":'
        ' {"tool_name": "napp", "tool_params": {}, "output_vars": "x"}},'
        ' {"seq_no": 2, "type": "assign", "parameters": {"final_answer": "${x}"}}]}'
    )
    findings = page.get_by_label("What the checker finds")
    expect(findings).to_contain_text("napp")
    expect(findings.locator(".quiet").first).to_have_text(re.compile("^ – "))
    expect(page.locator(".cm-lintRange-error").first).to_have_text('"napp"')
    run = page.get_by_role("button", name="Run the plan")
    expect(run).to_be_disabled()
    findings.get_by_role("button").first.click()  # goes to the place
    page.get_by_role("button", name="Tidy up").click()
    page.locator(".cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text('[{"seq_no": 1, "type": "assign", "parameters": {"final_answer": 42}}]')
    expect(page.get_by_text("finds nothing wrong")).to_be_visible()
    page.keyboard.press("Control+Enter")
    page.wait_for_url(re.compile(r"/tasks/[0-9a-f-]{36}"))
    assert served.wait(page.url.rsplit("/", 1)[1])["goal"] == "run my plan"


def test_a_goal_that_nobody_can_plan_says_so_where_it_was_asked(
    served: Served, page: Page, watched: Watched
) -> None:
    watched.expected.append("422")
    page.goto("/new")
    chosen = page.locator(".segments [aria-pressed=true]")
    expect(chosen).to_have_text("I have a plan")  # what can be done is what is offered first
    expect(page.get_by_text("No model is set up on this server")).to_be_visible()
    page.get_by_role("button", name="A model writes the plan").click()
    expect(chosen).to_have_text("A model writes the plan")
    expect(page.get_by_text("No model is set up on this server")).to_be_visible()
    page.get_by_label("Goal").fill("plan this")
    page.get_by_label("Response format").fill("[1]")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("alert")).to_contain_text("is an object")
    page.get_by_label("Response format").fill('{"lang": "English"}')
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("alert")).to_contain_text("model")


def test_a_file_that_is_dropped_becomes_the_plan(served: Served, page: Page) -> None:
    page.goto("/new?from=plan")
    page.wait_for_selector(".cm-content")
    page.evaluate(
        """() => {
          const data = new DataTransfer();
          data.items.add(new File(['[{"seq_no":1,"type":"assign","parameters":{"final_answer":42}}]'], "plan.json"));
          document.querySelector(".cm-content").dispatchEvent(
            new DragEvent("drop", {bubbles: true, cancelable: true, dataTransfer: data}));
        }"""
    )
    expect(page.locator(".cm-content")).to_contain_text('"final_answer": 42')


@pytest.fixture
def dark(browser: Browser, served: Served) -> Iterator[Page]:
    watched = Watched(browser, served.url, color_scheme="dark")
    yield watched.page()
    watched.close()


def test_the_theme_follows_the_system_and_can_be_set(dark: Page) -> None:
    ground = "() => getComputedStyle(document.body).backgroundColor"
    dark.goto("/")
    dark.wait_for_selector("header.top")
    assert dark.evaluate(ground) == "rgb(20, 23, 27)"
    dark.get_by_role("button", name="Theme").click()
    assert dark.evaluate(ground) == "rgb(255, 255, 255)"
    dark.reload()
    assert dark.evaluate(ground) == "rgb(255, 255, 255)"


def test_a_phone_shows_the_list(served: Served, phone: Page) -> None:
    served.wait(served.submit(ANSWER, goal="small screen"))
    phone.goto("/?text=small")
    expect(phone.get_by_text("small screen")).to_be_visible()
    assert phone.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
