"""The plan as a graph and the timeline of a run, while it goes on and afterwards."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from scenery import Scenery, build, call, company, step
from served import Served


@pytest.fixture(scope="module")
def scenery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenery]:
    with company(tmp_path_factory.mktemp("graph")) as served:
        yield build(served, small=0)


@pytest.fixture(scope="module")
def served(scenery: Scenery) -> Served:
    return scenery.served


def scale(page: Page) -> float:
    text = page.locator(".graph > g").get_attribute("transform") or ""
    return float(text.split("scale(")[1].rstrip(")"))


def test_steps_loops_and_edges_are_drawn_and_lead_to_the_step(scenery: Scenery, page: Page) -> None:
    task = scenery.tasks["review"]
    page.goto(f"/tasks/{task}/plan?branch=main")
    nodes = page.locator(".graph-node")
    expect(nodes).to_have_count(11)
    expect(page.locator("[data-node=loop-8]")).to_contain_text("3 steps, 30 rounds")
    expect(page.locator(".edge-true")).to_have_count(1)
    expect(page.locator(".edge-data")).to_have_count(0)
    page.locator("[data-node=step-12] a").hover()
    expect(page.locator(".edge-data.lit")).to_have_count(2)  # the report and the quarter
    page.locator("[data-node=loop-8] [role=button]").click()
    expect(page).to_have_url(re.compile(r"open=loop-8$"))
    expect(nodes).to_have_count(13)
    page.locator("[data-node=step-3] .node-open").click()
    expect(page.locator(".item-square")).to_have_count(100)
    expect(page.locator(".item-failed")).to_have_count(1)
    page.get_by_role("button", name="Data", exact=True).click()
    page.wait_for_selector(".graph-box[data-laid=data]")
    expect(page.locator(".edge-data")).not_to_have_count(0)
    page.locator("[data-node=step-4] a").click()
    commits = scenery.served.client.get(f"/api/tasks/{task}/commits?branch=main&limit=500").json()["items"]
    commit = next(each["commit"] for each in commits if each["seq_no"] == 4)
    expect(page).to_have_url(re.compile(rf"/tasks/{task}\?branch=main&commit={commit}$"))


def test_the_graph_is_moved_over_by_wheel_keys_and_buttons(scenery: Scenery, page: Page) -> None:
    page.goto(f"/tasks/{scenery.tasks['review']}/plan?branch=main")
    page.wait_for_selector(".graph-node")
    page.wait_for_timeout(100)
    before = scale(page)
    page.get_by_role("button", name="Larger").click()
    assert scale(page) > before
    page.keyboard.press("-")
    assert scale(page) == pytest.approx(before)
    page.locator(".graph-box").hover()
    page.keyboard.down("Control")
    page.mouse.wheel(0, -300)
    page.keyboard.up("Control")
    page.wait_for_timeout(100)
    assert scale(page) > before * 1.5
    page.keyboard.press("0")
    page.wait_for_timeout(50)
    assert scale(page) == pytest.approx(before, rel=0.05)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.wait_for_timeout(100)
    focused = page.evaluate("() => document.activeElement.closest('[data-node]')?.dataset.node")
    assert focused in ("step-1", "step-2")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"commit="))


def test_a_plan_of_two_hundred_steps_folds_and_unfolds(scenery: Scenery, page: Page) -> None:
    page.goto(f"/tasks/{scenery.tasks['graph']}/plan")
    page.wait_for_selector(".graph-node")
    groups = page.get_by_role("button", name=re.compile(r"Unfold \d+ groups"))
    expect(groups).to_be_visible()
    page.wait_for_timeout(200)
    assert page.locator(".graph-node").count() < 60
    groups.click()
    page.wait_for_selector("[data-node=step-3]", timeout=20_000)
    assert page.locator(".graph-node").count() < 120  # what is far from sight is not drawn
    page.get_by_role("button", name="List").click()
    expect(page.locator(".plan-side .plan-steps li")).to_have_count(200)


def test_the_list_says_what_the_picture_shows_and_the_code_has_the_marks(
    scenery: Scenery, page: Page
) -> None:
    page.goto(f"/tasks/{scenery.tasks['review']}/plan?branch=main&pane=steps")
    step = page.get_by_role("complementary").get_by_role("listitem").nth(3)
    expect(step).to_contain_text("rank")
    expect(step).to_contain_text("reads rows of 3")
    expect(step).to_contain_text("read by 5, 6, 8, 11")
    page.get_by_role("button", name="Code").click()
    expect(page.get_by_text("The checker finds nothing wrong in 13 steps")).to_be_visible()
    page.locator("[data-node=step-12] a").focus()
    expect(page.locator(".cm-content")).to_contain_text('"save_report"')


def test_a_graph_and_a_timeline_change_while_the_run_goes_on(served: Served, page: Page) -> None:
    task = served.submit(
        call("watch_delivery", "first", {"order": 1, "seconds": 1.5}),
        step(
            "assign", None, orders="${{ [1, 2, 3] if first else [] }}"
        ),  # else both would be under way at once
        call("watch_delivery", "all", {"order": "${item}", "seconds": 2}, for_each="${orders}"),
        step("assign", None, final_answer="${all}"),
        goal="live",
    )
    page.goto(f"/tasks/{task}/plan")
    expect(page.locator("[data-node=step-1].state-running")).to_be_visible()
    expect(page.locator("[data-node=step-3].state-pending")).to_be_visible()
    expect(page.locator("[data-node=step-1].state-done")).to_be_visible()
    expect(page.locator("[data-node=step-3].state-running")).to_contain_text("of 3 items")
    page.get_by_role("link", name="Timeline").click()
    expect(page.locator(".bar-running")).not_to_have_count(0)
    served.wait(task)
    expect(page.locator(".bar-running")).to_have_count(0)
    expect(page.locator(".timeline-bar")).to_have_count(4)
    expect(page.get_by_role("row").filter(has_text="watch_delivery").first).to_contain_text("4")


def test_a_timeline_shows_lanes_and_sums_up(scenery: Scenery, page: Page) -> None:
    task = scenery.tasks["review"]
    page.goto(f"/tasks/{task}/timeline?branch=seven")
    page.wait_for_selector(".timeline-bar")
    expect(page.get_by_text("from start to end")).to_be_visible()
    tool = page.get_by_role("row").filter(has_text="look_up_supplier").first
    expect(tool).to_contain_text("100")
    expect(page.get_by_role("row").filter(has_text="read_contract").first).to_contain_text("30")  # reused
    expect(page.get_by_role("row").filter(has_text="scripted").first).to_contain_text("$0.0")
    expect(page.locator(".bar-failed")).not_to_have_count(0)
    expect(page.locator(".mark-reused")).not_to_have_count(0)
    expect(page.locator(".timeline-gap")).not_to_have_count(0)
    page.get_by_label("fold pauses").uncheck()
    expect(page).to_have_url(re.compile(r"idle=1$"))
    expect(page.locator(".timeline-gap")).to_have_count(0)
    page.get_by_label("fold pauses").check()

    ticks = page.locator(".timeline-tick text")
    first = ticks.all_inner_texts()
    page.locator(".timeline-box").hover()
    page.mouse.wheel(0, -600)
    page.wait_for_timeout(100)
    assert ticks.all_inner_texts() != first
    page.keyboard.press("0")
    page.wait_for_timeout(100)
    assert ticks.all_inner_texts() == first
    page.locator(".bar-model").last.hover()
    expect(page.locator(".timeline-details")).to_contain_text("tokens")
    page.mouse.move(5, 5)
    page.keyboard.press("ArrowRight")
    expect(page.locator(".timeline-bar.chosen")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(rf"/tasks/{task}\?branch=seven&commit="))


def test_waiting_for_a_person_is_told_and_folded(scenery: Scenery, page: Page) -> None:
    page.goto(f"/tasks/{scenery.tasks['payment']}/timeline")
    expect(page.locator(".bar-waits").last).to_contain_text("waits for a person")
    expect(page.get_by_role("listitem").filter(has_text="waiting for a person")).to_be_visible()
