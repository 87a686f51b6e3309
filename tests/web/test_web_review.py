"""Changing a plan in Chromium: edit, review, comment, approve, what moved is refused; plans and runs compared."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import Watched
from playwright.sync_api import Browser, Page, expect
from served import Served, serving

HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>"
NAPS = [number / 100_000 for number in range(100)]


def assign(**values: Any) -> dict[str, Any]:
    return {"type": "assign", "parameters": values}


def nap(seconds: Any, out: str, **more: Any) -> dict[str, Any]:
    call = {"tool_name": "nap", "tool_params": {"seconds": seconds}, "output_vars": out, **more}
    return {"type": "calling", "parameters": call}


HUNDRED = [
    assign(naps=NAPS),
    nap("${item}", "took", for_each="${naps}"),
    assign(final_answer="${{ sum(took) }}"),
]


def numbered(*steps: dict[str, Any], by: int = 1) -> list[dict[str, Any]]:
    return [{"seq_no": number * by, **step} for number, step in enumerate(steps, 1)]


def propose(served: Served, task: str, **wish: Any) -> dict[str, Any]:
    """Once the worker has let go of the run."""
    deadline = time.monotonic() + 30
    while True:
        answer = served.client.post(f"/api/tasks/{task}/proposals", json=wish)
        if answer.status_code == 201 or time.monotonic() > deadline:
            assert answer.status_code == 201, answer.text
            made: dict[str, Any] = answer.json()
            return made
        time.sleep(0.1)


def finished(served: Served, *steps: dict[str, Any], **more: Any) -> str:
    """A task that ran to its end, and that nobody holds any more."""
    task = served.submit(*steps, **more)
    served.wait(task)
    made = propose(served, task, plan=numbered(*steps, assign(final_answer=0)))
    assert served.client.post(f"/api/tasks/{task}/proposals/{made['number']}/discard").status_code == 200
    return task


def write(page: Page, text: str) -> None:
    page.locator(".cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(text)


def test_a_step_is_edited_reviewed_approved_and_two_of_a_hundred_calls_run(
    served: Served, page: Page
) -> None:
    task = finished(served, *HUNDRED)
    page.goto(f"/tasks/{task}/edit?branch=main&step=1")
    expect(page.get_by_role("button", name="Propose")).to_be_disabled()
    changed = [*NAPS[:7], 0.002, *NAPS[8:41], 0.003, *NAPS[42:]]
    write(page, json.dumps({"seq_no": 1, **assign(naps=changed)}))
    expect(page.locator(".edit-side")).to_contain_text("1 changed")
    page.keyboard.press("Control+Enter")
    page.wait_for_url(re.compile(r"/proposals/\d+$"))
    expect(page.locator(".totals-calls")).to_contain_text("2 of 100 calls will run")
    expect(page.locator(".totals-calls")).to_contain_text("98 reused")
    expect(page.locator("[data-row='2']")).to_contain_text("2 will run")
    expect(page.locator("[data-row='1'] ins")).to_have_count(2)

    page.get_by_role("button", name="Comment on step 2").click()
    page.get_by_label("Say something about step 2").fill("Why these two?")
    page.keyboard.press("Control+Enter")
    expect(page.locator("[data-row='2'] .comments")).to_contain_text("Why these two?")
    number = re.findall(r"/proposals/(\d+)", page.url)[0]
    kept = served.client.get(f"/api/tasks/{task}/proposals/{number}/comments").json()["items"]
    assert [(each["seq_no"], each["body"]) for each in kept] == [(2, "Why these two?")]

    page.get_by_role("button", name="Approve and run").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("2 of 100 calls will run, 98 reused")
    expect(dialog.get_by_role("listitem")).to_contain_text("2 of 100 nap")
    dialog.get_by_role("button", name="Approve and run").click()
    page.wait_for_url(re.compile(rf"/tasks/{task}\?branch=revision-1$"))
    served.wait(task)
    record = served.client.get(f"/api/tasks/{task}/commits/revision-1~1/record").json()
    asked = [index for index, call in enumerate(record["calls"]) if call[0] > 0]
    assert asked == [7, 41], record["calls"]
    page.goto(f"/tasks/{task}/proposals")
    expect(page.get_by_role("listitem").filter(has_text=f"{number}approved")).to_contain_text(
        "became revision-1"
    )


def test_where_the_branch_has_moved_nobody_approves_and_it_is_made_again(
    served: Served, page: Page, watched: Watched
) -> None:
    watched.expected.append("409")
    # It fails, so that the branch can move: a failed step is tried again.
    steps = [
        nap(0, "x"),
        {"type": "calling", "parameters": {"tool_name": "burst", "output_vars": "y"}},
        assign(final_answer=1),
    ]
    task = served.submit(*steps)
    served.wait(task, "failed")
    made = propose(served, task, step=1, set=[{"path": "parameters.tool_params.seconds", "value": 0.01}])
    address = f"/tasks/{task}/proposals/{made['number']}"
    page.goto(address)
    page.get_by_role("button", name="Approve and run").click()
    before = served.client.get(f"/api/tasks/{task}/commits/main").json()["commit"]
    assert served.client.post(f"/api/tasks/{task}/resume", json={"branch": "main"}).status_code == 202
    deadline = time.monotonic() + 30
    while served.client.get(f"/api/tasks/{task}/commits/main").json()["commit"] == before:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Approve and run").click()
    expect(dialog.get_by_role("alert")).to_contain_text("has moved since")
    served.wait(task, "failed")
    dialog.get_by_role("button", name="Not yet").click()
    expect(page.get_by_text("main has moved since this was worked out.")).to_be_visible()
    expect(page.get_by_role("button", name="Approve and run")).to_be_disabled()
    propose(
        served, task, step=1, set=[{"path": "parameters.tool_params.seconds", "value": 0.02}]
    )  # nobody holds it
    page.get_by_role("button", name="Make it again on the new base").click()
    page.wait_for_url(lambda url: url.endswith(address) is False)
    expect(page.get_by_role("button", name="Approve and run")).to_be_enabled()
    assert int(page.url.rsplit("/", 1)[1]) > made["number"]


def test_plans_are_compared_by_the_keyboard_alone(served: Served, page: Page) -> None:
    reads = [nap(number / 1000, f"v{number}") for number in range(12)]
    old = [assign(greeting="good morning to you"), *reads, assign(gone=1), assign(final_answer="${greeting}")]
    new = [
        reads[9],
        assign(greeting="good evening to you"),
        *reads[:9],
        *reads[10:],
        assign(put_in=2),
        old[-1],
    ]
    left = finished(served, *old)
    right = finished(served, *new)
    page.goto(f"/compare?left={left}:main&right={right}:main")
    rows = page.get_by_label("Plans", exact=True)
    # That `gone` became `put_in` is one change; that the steps have other numbers is none.
    expect(rows).to_contain_text("moved up from 11")
    expect(page.locator(".pd-counts")).to_contain_text("1 moved")
    expect(rows.locator("del").first).to_have_text("morning")
    expect(rows.locator("ins").first).to_have_text("evening")
    assert rows.get_by_role("group", name=re.compile("the same")).count() < 9  # the others are folded
    page.keyboard.press("n")
    expect(page).to_have_url(re.compile(r"step=1(&|$)"))
    page.keyboard.press("n")
    expect(page).to_have_url(re.compile(r"step=2(&|$)"))
    expect(page.locator("[data-row='2']")).to_be_focused()
    page.keyboard.press("p")
    expect(page).to_have_url(re.compile(r"step=1(&|$)"))
    page.keyboard.press("u")
    expect(page.locator(".pd-unified")).to_be_visible()
    page.keyboard.press("a")
    expect(rows.get_by_role("group", name=re.compile("the same"))).to_have_count(12)
    page.keyboard.press("x")
    expect(rows).to_contain_text("moved down from 1")
    page.keyboard.press("v")
    expect(page.get_by_text("The first divergence")).to_be_visible()


def test_what_is_equal_or_not_chosen_yet_says_so(served: Served, page: Page) -> None:
    task = finished(served, assign(final_answer=1), goal="the only one of its kind")
    page.goto("/compare")
    page.get_by_role("button", name="Choose the left side").click()
    page.get_by_label("Task", exact=True).fill("only one of its")
    page.get_by_role("button", name="the only one of its kind").click()
    page.get_by_role("button", name="main, wherever its head is").click()
    expect(page).to_have_url(re.compile(f"left={task}:main"))
    page.get_by_role("button", name="Choose the right side").click()
    page.get_by_role("button", name="step 1: assign").click()
    expect(page.get_by_text("The two plans do the same.")).to_be_visible()
    page.get_by_role("button", name="Compare the runs").click()
    expect(page.get_by_text("This is one and the same commit.")).to_be_visible()


def test_two_runs_are_compared_with_their_first_divergence(served: Served, page: Page) -> None:
    task = finished(served, assign(word="one"), nap(0, "x"), assign(final_answer="${word} and more"))
    made = propose(served, task, step=1, set=[{"path": "parameters.word", "value": "two"}])
    assert served.client.post(f"/api/tasks/{task}/proposals/{made['number']}/approve").status_code == 202
    served.wait(task)
    page.goto(f"/compare?left={task}:main&right={task}:revision-1&view=runs")
    found = page.locator(".divergence")
    expect(found).to_contain_text("step 1, given something else")
    expect(found.locator("del")).to_have_text("one")
    expect(page.get_by_role("table")).to_contain_text("completed")
    expect(page.locator(".compare-runs")).to_contain_text("two and more")
    page.locator("[data-row='0'] a").last.click()
    expect(page).to_have_url(re.compile(rf"/tasks/{task}\?branch=revision-1&commit=[0-9a-f]{{40}}"))


def test_strings_from_outside_stay_text(served: Served, page: Page) -> None:
    task = finished(
        served, {"description": HOSTILE, **assign(a=HOSTILE)}, assign(final_answer="${a}"), goal=HOSTILE
    )
    made = propose(served, task, step=1, set=[{"path": "parameters.a", "value": f"{HOSTILE} and more"}])
    address = f"/tasks/{task}/proposals/{made['number']}"
    said = served.client.post(f"/api{address}/comments", json={"body": HOSTILE, "seq_no": 1})
    assert said.status_code == 201
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    for at in (
        address,
        f"/tasks/{task}/proposals",
        f"/tasks/{task}/edit?step=1",
        f"/compare?left={task}:main&right={task}:main&view=runs",
    ):
        page.goto(at)
        expect(page.get_by_text("onerror=alert(1)").first).to_be_visible()
        assert page.locator("img[src=x]").count() == 0
    page.goto(address)
    expect(page.locator(".comment-body")).to_have_text(HOSTILE)


def test_keys_tools_arguments_and_variables_are_completed(served: Served, page: Page) -> None:
    task = finished(served, assign(pause=0, other=1), nap("${pause}", "x"), assign(final_answer="${x}"))
    page.goto(f"/tasks/{task}/edit?branch=main&at=main~1&step=2")  # as the run's screen leads here
    options = page.get_by_role("listbox").get_by_role("option")

    def at(text: str) -> None:
        """Write the text, with the cursor at its bar."""
        before, after = text.split("|")
        write(page, before + after)
        for _ in after:
            page.keyboard.press("ArrowLeft")

    at('{"seq_no": 2, "type": "calling", "parameters": {"tool_name": "na|", "output_vars": "x"}}')
    page.keyboard.type("p")
    expect(options.first).to_contain_text("nap")
    page.keyboard.press("Escape")
    at(
        '{"seq_no": 2, "type": "calling", "parameters": {"tool_name": "nap", "tool_params": {|}, "output_vars": "x"}}'
    )
    page.keyboard.press("Control+ ")
    expect(options).to_have_count(1)
    page.wait_for_timeout(150)  # it takes no choice that comes at once
    page.keyboard.press("Enter")
    expect(page.locator(".cm-content")).to_contain_text('{"seconds": }')
    page.keyboard.type('"${')
    expect(options).to_have_text([re.compile("^other"), re.compile("^pause")])
    page.wait_for_timeout(150)
    page.keyboard.type("pau")
    expect(options).to_have_count(1)
    page.wait_for_timeout(150)
    page.keyboard.press("Enter")
    expect(page.locator(".cm-content")).to_contain_text('{"seconds": "${pause}"}')
    expect(page.get_by_text("finds nothing wrong")).to_be_visible()


def test_findings_stand_beside_the_step_they_are_about(served: Served, page: Page) -> None:
    task = finished(served, assign(a=1), assign(b="${a}"), assign(final_answer="${b}"))
    page.goto(f"/tasks/{task}/edit?step=2&branch=main")
    write(page, '{"seq_no": 2,\n "type": "assign",\n "parameters": {"c": "${aa}"}}')
    side = page.locator(".edit-side")
    expect(side).to_contain_text("variable 'aa' is not set")
    expect(side).to_contain_text("Elsewhere in the plan")
    expect(page.locator(".cm-lintRange-error")).to_have_text('"${aa}"')
    expect(page.get_by_role("button", name="Propose")).to_be_disabled()
    write(page, '{"seq_no": 2,\n "type" "assign"}')
    expect(side).to_contain_text("line 2")
    write(page, '{"seq_no": 2,\n "type": "assign", "parameters": {"b": "${a} + 1"}}')
    expect(page.get_by_role("button", name="Propose")).to_be_enabled()
    page.get_by_role("button", name="Whole plan").click()
    expect(page.locator(".cm-content")).to_contain_text("${a} + 1")


def test_without_a_model_it_says_what_to_set(served: Served, page: Page) -> None:
    task = finished(served, assign(final_answer=1))
    page.goto(f"/tasks/{task}/edit?mode=ask")
    expect(page.get_by_text("LLM_PROVIDER")).to_be_visible()
    expect(page.get_by_role("button", name="Ask", exact=True)).to_be_disabled()


@pytest.fixture
def thinking(tmp_path: Path) -> Iterator[Served]:
    """A server with a model that answers from a file."""
    better = {"version": 1, "reasoning": "as asked", "steps": numbered(assign(final_answer="better"))}
    replies = tmp_path / "replies.yaml"
    replies.write_text(json.dumps([{"purpose": "revise", "reply": better, "delay": 1}]))
    with serving(tmp_path, workers=1, LLM_PROVIDER="scripted", SCRIPTED_REPLIES=replies) as served:
        yield served


def test_a_model_writes_what_is_asked_for(browser: Browser, thinking: Served) -> None:
    task = finished(thinking, assign(final_answer="good"))
    watched = Watched(browser, thinking.url)
    page = watched.page()
    page.goto(f"/tasks/{task}/edit?mode=ask")
    page.get_by_label("What should be different?").fill("say that it is better")
    page.keyboard.press("Control+Enter")
    page.wait_for_url(re.compile(r"/proposals/\d+$"))
    expect(page.get_by_text("say that it is better")).to_be_visible()
    expect(page.locator("[data-row='1'] ins")).to_have_text(re.compile("better"))
    page.get_by_role("button", name="Discard").click()
    expect(page.locator(".review-head .status")).to_have_text("discarded")
    watched.close()


def test_a_phone_reviews_in_one_column(served: Served, phone: Page) -> None:
    task = finished(served, *HUNDRED)
    made = propose(served, task, step=1, set=[{"path": "parameters.naps", "value": [0.004, *NAPS[1:]]}])
    for at in (
        f"/tasks/{task}/proposals/{made['number']}",
        f"/tasks/{task}/edit?step=1",
        f"/tasks/{task}/proposals",
        f"/compare?left={task}:main&right={task}:main",
    ):
        phone.goto(at)
        expect(phone.get_by_role("heading", level=1)).to_be_attached()
        expect(phone.locator(".pd-row, .pd-fold, .cm-line, .proposal-row").first).to_be_visible()
        assert phone.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), at
