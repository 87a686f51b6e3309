"""What was typed and not sent is there again; where proposals, other branches and comparisons are found."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from served import Served
from test_web_review import assign, finished, numbered, propose, write

ANSWER = """# Report

[left out](javascript:alert(1)) and [kept](https://example.org/) go <form style="color: red"><b>o</b></form>d

<div style="color: red">a block</div>
"""


@pytest.fixture(scope="module")
def task(served: Served) -> str:
    """A finished run."""
    return finished(served, assign(a=1), assign(final_answer="${a}"), goal="drafted")


def test_an_edit_that_was_left_is_there_again_until_it_is_dropped(page: Page, task: str) -> None:
    page.goto(f"/tasks/{task}/edit?step=1")
    write(page, '{"seq_no": 1, "type": "assign", "parameters": {"a": 77}}')
    expect(page.get_by_role("button", name="Propose")).to_be_enabled()
    page.get_by_label("Places").get_by_role("link", name="Tools").click()
    expect(page).to_have_url(re.compile("/tools$"))
    page.go_back()
    expect(page.get_by_text("a draft that you left here")).to_be_visible()
    expect(page.locator(".cm-content")).to_contain_text("77")
    page.get_by_role("button", name="Drop the draft").click()
    expect(page.locator(".cm-content")).not_to_contain_text("77")
    expect(page.get_by_text("a draft that you left here")).to_have_count(0)
    page.reload()
    expect(page.locator(".cm-content")).to_contain_text("seq_no")
    expect(page.locator(".cm-content")).not_to_contain_text("77")


def test_an_edit_that_was_proposed_is_no_draft(page: Page, task: str) -> None:
    page.goto(f"/tasks/{task}/edit?step=1")
    write(page, '{"seq_no": 1, "type": "assign", "parameters": {"a": 5}}')
    page.get_by_role("button", name="Propose").click()
    expect(page).to_have_url(re.compile(r"/proposals/\d+"))
    page.go_back()
    expect(page.locator(".cm-content")).to_contain_text("seq_no")
    expect(page.get_by_text("a draft that you left here")).to_have_count(0)


def test_a_new_task_that_was_left_is_there_again(page: Page) -> None:
    page.goto("/new?from=plan")
    page.get_by_label("Goal").fill("kept for later")
    write(page, '{"steps": []}')
    page.get_by_label("Places").get_by_role("link", name="Tools").click()
    page.get_by_role("link", name="New task").click()
    expect(page.get_by_label("Goal")).to_have_value("kept for later")
    expect(page.locator(".cm-content")).to_contain_text('{"steps": []}')
    page.get_by_role("button", name="Drop the draft").click()
    expect(page.get_by_label("Goal")).to_have_value("")


def test_an_open_proposal_is_found_from_the_run_and_its_branch_compared(served: Served, page: Page) -> None:
    task = finished(served, assign(a=1), assign(final_answer="${a}"), goal="proposed")
    page.goto(f"/tasks/{task}")
    views = page.get_by_label("Views of the task")
    expect(views.get_by_role("link", name="Proposals", exact=True)).to_be_visible()
    made = propose(served, task, plan=numbered(assign(a=2), assign(final_answer="${a}")))
    page.reload()
    views.get_by_role("link", name="1 proposal open").click()
    expect(page.get_by_text("No calls will be made")).to_be_visible()
    expect(page.locator(".totals")).to_contain_text("Will takeno time")
    expect(page.locator(".will-compute").first).to_have_text("calls nothing")
    page.get_by_role("button", name="Approve and run").click()
    page.get_by_role("dialog").get_by_role("button", name=re.compile("Approve")).click()
    expect(page).to_have_url(re.compile("branch=revision-1"))
    toast = page.locator(".note").filter(has_text="Approved")
    expect(toast.get_by_role("link", name="Compare the runs")).to_have_attribute(
        "href", re.compile("left=.*:main&")
    )
    expect(page.locator(".task-head .status").first).to_have_text("completed")
    expect(page.locator(".branch-row.here .status")).to_have_class(re.compile("completed"))
    expect(page.get_by_role("link", name="Edit from here")).to_be_visible()
    expect(page.locator(".step-pane")).to_be_visible()
    page.locator(".step-pane").get_by_role("button", name="Compare").click()
    expect(page.get_by_text("With the newest of main")).to_be_visible()
    expect(page.get_by_text("With the newest of revision-1")).to_have_count(0)  # it is this commit
    page.get_by_text("With the newest of main").click()
    expect(page.locator(".pd-bar")).to_contain_text("Of 2 steps that ran:")
    page.goto(f"/tasks/{task}/proposals/{made['number']}")
    expect(page.get_by_text("Approved. It ran as revision-1. Compare the runs")).to_be_visible()


def test_what_markdown_does_not_let_through_is_text(served: Served, page: Page) -> None:
    steps: list[dict[str, Any]] = [assign(final_answer=ANSWER)]
    task = served.submit(*steps)
    served.wait(task)
    page.goto(f"/tasks/{task}")
    shown = page.locator(".markdown").first
    expect(shown).to_contain_text('go <form style="color: red">o</form>d')
    expect(shown).to_contain_text('<div style="color: red">a block</div>')
    expect(shown.get_by_role("link")).to_have_text(["kept"])
    expect(shown.locator("a")).to_have_count(1)
    expect(shown).to_contain_text("left out")


def test_api_keys_and_keyboard_shortcuts_have_names_of_their_own(page: Page) -> None:
    page.goto("/")
    expect(page.get_by_label("Places").get_by_role("link", name="API keys")).to_be_visible()
    page.get_by_role("button", name="Keyboard shortcuts").click()
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
