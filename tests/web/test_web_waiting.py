"""What waits for a person: known, decided, gone; live, with roles, by the keyboard."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from browsing import Watched
from playwright.sync_api import Browser, Page, expect
from scenery import call, company, step
from served import Served

ADMIN = "an-admin-key-of-the-waiting"
PAYMENT = (
    call(
        "send_payment",
        "receipt",
        {"account": "DE02", "cents": 5, "reference": "<img src=x onerror=alert(1)>"},
    ),
    step("assign", None, final_answer="${receipt}"),
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with company(tmp_path_factory.mktemp("waiting")) as served:
        yield served


def letters(served: Served, *people: str) -> str:
    """A task of which a branch waits about a letter to each, as they were posted once before."""
    task = served.submit(
        call("send_letter", "posted", {"to": "${item}", "subject": "hello"}, for_each=list(people)),
        step("assign", None, final_answer="${posted}"),
        goal="letters",
    )
    served.wait(task)
    served.client.post(f"/api/tasks/{task}/branches", json={"revision": "main~2", "name": "again"})
    served.client.post(f"/api/tasks/{task}/resume", json={"branch": "again"})
    served.wait(task, "waiting")
    return task


def records(served: Served, task: str, branch: str) -> list[dict[str, Any]]:
    page = served.client.get(f"/api/tasks/{task}/commits", params={"branch": branch, "records": True}).json()
    return [each["record"] for each in page["items"] if each["kind"] == "decision"]


def test_nothing_waits_and_then_something_does(served: Served, page: Page) -> None:
    page.goto("/waiting")
    expect(page.get_by_role("heading", name="Nothing waits for you")).to_be_visible()
    task = served.submit(*PAYMENT, goal="pay <b>it</b>")
    call = page.get_by_role("article")
    expect(call).to_contain_text("pay <b>it</b>")
    expect(call).to_contain_text("the bank closed the connection")
    expect(call).to_contain_text("<img src=x onerror=alert(1)>")
    expect(call).to_contain_text("irreversible")
    expect(page.locator("header.top .badge")).to_have_text("1")
    call.get_by_label("Skip it, with a value").check()
    value = call.get_by_label("The result, as JSON")
    value.fill("paid by hand")
    expect(call.get_by_role("button", name="Decide")).to_be_disabled()
    value.fill('"paid by hand"')
    call.get_by_role("button", name="Decide").click()
    expect(page.get_by_role("article")).to_have_count(0)
    assert served.wait(task)["status"] == "completed"
    assert served.client.get(f"/api/tasks/{task}/report").json()["final_answer"] == "paid by hand"
    expect(page.locator("header.top .badge")).to_have_count(0)


def test_making_the_call_asks_once_more(served: Served, page: Page) -> None:
    task = served.submit(*PAYMENT, goal="pay again")
    served.wait(task, "waiting")
    page.goto("/waiting")
    call = page.get_by_role("article")
    call.get_by_label("Make the call").check()
    call.get_by_role("button", name="Decide").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("it may do so twice")
    dialog.get_by_role("button", name="Cancel").click()
    assert records(served, task, "main") == []
    call.get_by_role("button", name="Decide").click()
    dialog.get_by_role("button", name="Make the call").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(call).to_contain_text("Called 2 times so far")  # it broke again, and waits again
    assert [each["choice"] for each in records(served, task, "main")] == ["run"]
    served.client.post(f"/api/tasks/{task}/cancel", json={})


def test_some_items_are_decided_about_and_then_the_others(served: Served, page: Page) -> None:
    task = letters(served, "ann", "bob", "cy", "dee")
    page.goto("/waiting")
    call = page.get_by_role("article")
    expect(call.get_by_text("4 items of the for_each wait")).to_be_visible()
    expect(call.get_by_role("button", name="Decide for all 4 items")).to_be_disabled()
    call.get_by_label("Item 0", exact=True).uncheck()
    call.get_by_label("Item 3", exact=True).uncheck()
    call.get_by_label("Reuse the earlier result").check()
    call.get_by_label("and go on with the run").uncheck()
    call.get_by_role("button", name="Decide for 2 items").click()
    expect(page.get_by_role("status").filter(has_text="for 2 items")).to_be_visible()
    assert {each["item"] for each in records(served, task, "again")} <= {1, 2}
    served.client.post(f"/api/tasks/{task}/resume", json={"branch": "again"})
    served.wait(task, "waiting")
    page.reload()
    expect(call.get_by_text("2 items of the for_each wait")).to_be_visible()
    call.get_by_label("Skip it, with a value").check()
    call.get_by_role("button", name="Decide for all 2 items").click()
    served.wait(task)
    answer = served.client.get(f"/api/tasks/{task}/report").json()["final_answer"]
    assert answer == [None, "posted to bob", "posted to cy", None]


def test_a_proposal_waits_too(served: Served, page: Page) -> None:
    task = served.submit(step("assign", None, a=1), step("assign", None, final_answer="${a}"), goal="propose")
    served.wait(task)
    body = {"step": 1, "set": [{"path": "parameters.a", "value": 2}]}
    made = served.client.post(f"/api/tasks/{task}/proposals", json=body).json()
    page.goto("/waiting")
    page.get_by_role("link", name="Review").click()
    expect(page).to_have_url(re.compile(f"/tasks/{task}/proposals/{made['number']}$"))


def test_who_may_only_look_sees_why(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> None:
    with company(tmp_path_factory.mktemp("locked"), ADMIN_API_KEY=ADMIN) as locked:
        locked.client.headers["Authorization"] = f"Bearer {ADMIN}"
        served_task = locked.submit(*PAYMENT, goal="pay")
        locked.wait(served_task, "waiting")
        watched = Watched(browser, locked.url)
        watched.expected.append("403")  # keys are for admins: that is what is tried
        page = watched.page()
        key = locked.client.post("/api/keys", json={"name": "eve", "role": "viewer"}).json()["key"]
        page.goto("/waiting")
        page.get_by_label("API key").fill(key)
        page.keyboard.press("Enter")
        expect(page.get_by_role("article")).to_contain_text("Your key may look, not decide")
        expect(page.get_by_role("button", name="Decide")).to_have_count(0)
        page.goto("/keys")
        expect(page.get_by_role("heading", name="API keys are for admins")).to_be_visible()
        page.goto("/tools/rank")
        expect(page.get_by_text("Your key may look, not call tools")).to_be_visible()
        page.goto("/namespaces")
        expect(page.get_by_text("Your key may look. Namespaces")).to_be_visible()
        watched.close()
