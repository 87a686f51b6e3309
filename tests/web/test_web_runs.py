"""The run and its variables in Chromium: watched to its end, looked back at, forked; long, live, hostile."""

from __future__ import annotations

import re
from typing import Any

import pytest
from browsing import Watched
from playwright.sync_api import Browser, Locator, Page, expect
from served import Served, serving

HOSTILE = "<img src=x onerror=window.ran=1><script>window.ran=2</script>"


def assign(**values: Any) -> dict[str, Any]:
    return {"type": "assign", "parameters": values}


def nap(seconds: Any, **more: Any) -> dict[str, Any]:
    parameters = {"tool_name": "nap", "tool_params": {"seconds": seconds}, "output_vars": "slept", **more}
    return {"type": "calling", "parameters": parameters}


def loop(times: int) -> list[dict[str, Any]]:
    """Three steps and two for each time: commits, with goal and plan, 2 * times + 4."""
    return [
        assign(next=0, total=0),
        assign(next="${{ next + 1 }}", total="${{ total + next }}"),
        {"type": "jmp", "parameters": {"condition": f"next < {times}", "jump_if_true": 2}},
        assign(final_answer="${total}"),
    ]


def rows(page: Page) -> Locator:
    return page.locator(".step-list [role=option]")


def selected(page: Page) -> Locator:
    return page.locator(".step-list [aria-selected=true]")


@pytest.fixture(scope="module")
def counted(served: Served) -> str:
    """A run of 24 commits."""
    return str(served.wait(served.submit(*loop(10)))["task_id"])


@pytest.fixture(scope="module")
def long(served: Served) -> str:
    """A run of 1,204 commits."""
    return str(served.wait(served.submit(*loop(600), max_steps=10_000))["task_id"])


def test_a_run_is_watched_to_its_answer(served: Served, page: Page) -> None:
    task = served.submit(
        nap(1.5), nap("${{ slept - 0.5 }}"), assign(final_answer="# Done\n\nAfter **${slept}** s")
    )
    page.goto(f"/tasks/{task}")
    expect(page.get_by_label("Under way").first).to_contain_text("nap")
    expect(page.locator(".task-head")).to_contain_text("running")
    served.wait(task)
    expect(page.locator(".task-head")).to_contain_text("completed")
    expect(selected(page)).to_contain_text("final_answer")  # it followed
    expect(page.get_by_role("heading", name="Done")).to_be_visible()
    expect(page.locator(".variable.changed")).to_contain_text("final_answer")
    expect(rows(page)).to_have_count(5)


def test_who_looks_back_is_left_where_they_are(served: Served, page: Page) -> None:
    task = served.submit(*[nap(0.4) for _ in range(45)], assign(final_answer=1))
    page.goto(f"/tasks/{task}")
    expect(rows(page).nth(18)).to_be_attached(timeout=30_000)
    page.evaluate("() => { document.querySelector('.step-list').scrollTop = 330; }")
    page.wait_for_timeout(100)
    first = "() => { const box = document.querySelector('.step-list').getBoundingClientRect();"
    first += " return document.elementFromPoint(box.left + 60, box.top + 60).closest('[role=option]').id; }"
    before = page.evaluate(first)
    more = page.get_by_role("button", name=re.compile("[2-9] new commits above"))
    expect(more).to_be_visible(timeout=30_000)
    assert page.evaluate(first) == before
    more.click()
    expect(selected(page)).to_be_in_viewport()
    expect(page.get_by_role("button", name=re.compile("new commit"))).to_have_count(0)


def test_a_step_shows_what_it_was_asked_and_what_came_back(served: Served, page: Page) -> None:
    listing = {"tool_name": "list_files", "tool_params": {"path": "${where}", "pattern": "**/*.py"}}
    task = served.submit(
        assign(where="tools"),
        {"type": "calling", "description": "Look", "parameters": {**listing, "output_vars": "files"}},
        nap("${item}", for_each=[0.01, 0.02]),
        assign(final_answer="${files}"),
    )
    served.wait(task)
    page.goto(f"/tasks/{task}")
    rows(page).filter(has_text="list_files").click()
    step = page.get_by_role("article", name="Step")
    expect(step).to_contain_text("Look")
    asked = step.get_by_role("row").filter(has_text="path").filter(has_text="${where}")
    expect(asked).to_contain_text("tools")
    expect(step.locator(".object-table")).to_contain_text("tools/own.py")  # a list of objects is a table
    step.get_by_role("button", name="tree").click()
    expect(step.locator(".json")).to_contain_text("own.py")
    expect(page).to_have_url(re.compile("commit=[0-9a-f]{40}"))
    page.reload()
    expect(step).to_contain_text("Look")  # a deep link
    rows(page).filter(has_text="nap").click()
    expect(step).to_contain_text("Items: 2 of 2")
    step.get_by_role("button", name="Item 1").click()
    expect(step.locator(".open-item")).to_contain_text("0.02")
    step.get_by_role("button", name="Explain").click()
    expect(step.locator(".why")).to_contain_text("It was done anew")


def test_a_failure_says_why_and_resumes(served: Served, page: Page) -> None:
    burst = {"tool_name": "burst", "tool_params": {"message": HOSTILE}, "output_vars": "x"}
    task = served.submit({"type": "calling", "parameters": burst}, assign(final_answer=1), goal=HOSTILE)
    served.wait(task, "failed")
    page.goto(f"/tasks/{task}")
    expect(page.get_by_role("heading", name=HOSTILE)).to_be_visible()
    expect(page.locator(".error-text")).to_contain_text("onerror=window.ran=1")
    before = rows(page).count()
    page.get_by_role("button", name="Resume").click()
    expect(rows(page)).to_have_count(before + 1)
    assert page.evaluate("() => window.ran") is None


def test_the_keyboard_goes_through_time(served: Served, page: Page, counted: str) -> None:
    page.goto(f"/tasks/{counted}")
    expect(page.locator(".variable").filter(has_text="total")).to_contain_text("45")
    page.keyboard.press("End")
    expect(selected(page)).to_contain_text("goal")
    expect(page.get_by_text("No variable is set yet")).to_be_visible()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    expect(selected(page)).to_contain_text("next = 1")
    expect(page.locator(".variable.changed")).to_have_count(2)
    page.keyboard.press("ArrowRight")
    expect(page.locator(".variable.changed")).to_have_count(0)  # a jump sets nothing
    page.get_by_role("slider").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".scrubber")).to_contain_text("6 / 24")
    page.keyboard.press("Home")
    page.locator(".pane-step").focus()
    page.keyboard.press("Escape")
    expect(page).not_to_have_url(re.compile("commit="))


def test_who_set_a_variable_is_one_click_away(served: Served, page: Page, counted: str) -> None:
    page.goto(f"/tasks/{counted}")
    variable = page.locator(".variable").filter(has_text="total")
    variable.get_by_title("Go there").click()
    expect(selected(page)).to_contain_text("×10")
    expect(variable).to_have_class(re.compile("changed"))
    page.get_by_placeholder("Search 2 variables").fill("nothing like it")
    expect(page.get_by_text("No variable has that")).to_be_visible()


def test_a_fork_begins_where_one_looks(served: Served, page: Page, watched: Watched) -> None:
    watched.expected.append("409")
    task = served.submit(*loop(3))
    served.wait(task)
    page.goto(f"/tasks/{task}")
    rows(page).nth(3).click()
    page.get_by_role("button", name="Fork here").click()
    name = page.get_by_label("Name of the branch")
    expect(name).to_be_focused()
    name.fill("main")
    page.get_by_role("button", name="Fork", exact=True).click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("there is a branch")
    name.fill("again")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("branch=again"))
    tree = page.get_by_label("Branches", exact=True)
    expect(tree.get_by_role("button", name="again")).to_be_visible()
    tree.get_by_role("button", name="main").first.click()
    expect(page).to_have_url(re.compile("branch=main"))
    expect(page.get_by_title("again left here").first).to_be_visible()


def test_commands_and_comparisons_of_a_commit(served: Served, page: Page, counted: str) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"/tasks/{counted}")
    rows(page).nth(2).click()
    page.get_by_role("button", name="Copy as a command").click()
    page.get_by_role("menuitem").filter(has_text="stackvm fork").click()
    copied = page.evaluate("() => navigator.clipboard.readText()")
    assert re.fullmatch(rf"stackvm fork {counted[:8]} --at [0-9a-f]{{8}} --name NAME", copied)
    page.keyboard.press("c")
    page.keyboard.press("j")
    page.wait_for_timeout(50)
    page.keyboard.press("c")
    expect(page).to_have_url(
        re.compile(rf"/compare\?left={counted}:[0-9a-f]{{40}}&right={counted}:[0-9a-f]{{40}}")
    )


def test_a_long_run_is_read_where_one_looks(served: Served, page: Page, long: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: "/commits?" in request.url and asked.append(request.url))
    page.goto(f"/tasks/{long}")
    expect(page.locator(".scrubber")).to_contain_text("1,204 / 1,204")
    assert len(asked) <= 3  # the first page, and what came meanwhile
    page.evaluate(
        "() => { const list = document.querySelector('.step-list'); list.scrollTop = list.scrollHeight; }"
    )
    expect(rows(page).last).to_contain_text("goal")
    assert len(asked) <= 6  # not all that lies between
    assert rows(page).count() < 80
    page.get_by_role("slider").fill("602")
    expect(page.locator(".scrubber")).to_contain_text("602 / 1,204")
    expect(selected(page)).to_be_visible()
    page.keyboard.press("Escape")


def test_a_deep_link_into_a_long_run_finds_its_row(served: Served, page: Page, long: str) -> None:
    commits = served.client.get(f"/api/tasks/{long}/commits", params={"rev": "main~700", "limit": 1}).json()
    page.goto(f"/tasks/{long}?commit={commits['items'][0]['commit']}")
    expect(page.locator(".scrubber")).to_contain_text("504 / 1,204")
    expect(selected(page)).to_be_visible()


def test_a_large_value_is_loaded_when_it_is_wanted(served: Served, page: Page) -> None:
    task = served.submit(
        assign(big="${{ 'x' * 200000 }}", rows="${{ [{'n': 1}] * 500 }}"), assign(final_answer="done")
    )
    served.wait(task)
    page.goto(f"/tasks/{task}?var=big")
    variable = page.locator(".variable").filter(has_text="big").first
    variable.get_by_role("button", name="Load the value").click()
    expect(variable.get_by_role("button", name="Load more")).to_be_visible()
    expect(variable.locator("pre")).to_contain_text("xxxxx")


def test_a_variable_tells_its_values_its_readers_and_where_it_went_wrong(
    served: Served, page: Page, watched: Watched, counted: str
) -> None:
    page.goto(f"/tasks/{counted}/variables/next?branch=main")
    expect(page.locator(".past").first).to_contain_text("step 2 ×10")
    expect(page.locator(".past").last).to_contain_text("set first")
    expect(page.locator(".readers li").first).to_contain_text("step 3 ×10")
    page.get_by_label("Expression that should hold").fill("next < 4")
    page.keyboard.press("Enter")
    expect(page.locator(".turn")).to_contain_text("step 2 ×4")
    expect(page).to_have_url(re.compile(r"holds=next"))
    watched.expected.append("422")
    page.get_by_label("Expression that should hold").fill("next <")
    page.keyboard.press("Enter")
    expect(page.locator(".bisect").get_by_role("alert")).to_be_visible()
    page.locator(".past").last.get_by_role("link").first.click()
    expect(page).to_have_url(re.compile(r"/tasks/[^?]+\?.*commit="))


def test_a_run_is_watched_through_a_restart(browser: Browser, tmp_path: Any) -> None:
    with serving(tmp_path, workers=1) as served:
        watched = Watched(browser, served.url)
        watched.expected += ["ERR_", "503", "502"]  # while nobody listens
        page = watched.page()
        task = served.submit(*[nap(0.2) for _ in range(30)], assign(final_answer=1))
        page.goto(f"/tasks/{task}")
        expect(rows(page).nth(4)).to_be_attached()
        served.stop()
        served.start()
        served.wait(task)
        expect(page.locator(".task-head")).to_contain_text("completed", timeout=30_000)
        expect(selected(page)).to_contain_text("final_answer")
        expect(page.locator(".scrubber")).to_contain_text("33 / 33")
        watched.close()


def test_a_run_on_a_phone_is_three_tabs(served: Served, phone: Page, counted: str) -> None:
    phone.goto(f"/tasks/{counted}")
    rows(phone).first.click()
    expect(phone.get_by_role("tab", name="Step", exact=True)).to_have_attribute("aria-selected", "true")
    phone.get_by_role("tab", name="State").click()
    expect(phone.locator(".variable").first).to_be_visible()
    assert phone.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


def test_what_is_not_there_is_said(served: Served, page: Page, watched: Watched) -> None:
    watched.expected.append("404")
    page.goto("/tasks/00000000-nothing")
    expect(page.get_by_role("alert")).to_be_visible()
