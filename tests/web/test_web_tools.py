"""Tools to look at and to try, namespaces to make and change, keys to give and to take."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from browsing import Watched
from playwright.sync_api import Browser, Page, expect
from scenery import company
from served import Served


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with company(tmp_path_factory.mktemp("tools")) as served:
        yield served


def test_tools_are_listed_found_and_opened_by_the_keyboard(served: Served, page: Page) -> None:
    page.goto("/tools")
    page.get_by_role("button", name="irreversible").click()
    expect(page).to_have_url(re.compile(r"effect=irreversible$"))
    expect(page.locator(".virtual-row")).to_have_count(2)
    page.get_by_role("searchbox").fill("letter")
    expect(page.locator(".virtual-row")).to_have_count(1)
    page.get_by_role("searchbox").blur()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/tools/send_letter$"))
    expect(page.get_by_role("heading", name="send_letter")).to_be_visible()


def test_a_tool_is_tried_by_its_form_and_by_json(served: Served, page: Page) -> None:
    page.goto("/tools/look_up_supplier")
    run = page.get_by_role("button", name="Call look_up_supplier")
    run.click()
    expect(page.get_by_text("number is needed")).to_be_visible()
    page.get_by_label("number").fill("4")
    page.get_by_label("fields").fill('["name", "country"]')
    run.click()
    result = page.locator(".try-result")
    expect(result).to_contain_text('"Supplier 004"')
    expect(result).not_to_contain_text("late")
    page.get_by_role("button", name="JSON", exact=True).click()
    expect(page.locator(".cm-content")).to_contain_text('"number": 4')
    page.locator(".cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text('{"number": 66}')
    page.keyboard.press("Control+Enter")
    expect(result).to_contain_text("supplier 66 is not in the register any more")
    page.get_by_role("button", name="Form", exact=True).click()
    expect(page.get_by_label("number")).to_have_value("66")
    page.get_by_label("number").fill("10000")
    run.click()
    expect(result).to_contain_text("10000")  # what the schema forbids is said by the server
    expect(result).to_contain_text("It failed")


def test_what_changes_the_outside_asks_first(served: Served, page: Page) -> None:
    page.goto("/tools/save_report")
    page.get_by_label("title").fill("T")
    page.get_by_label("text", exact=False).last.fill("two\nlines")
    page.get_by_label("draft").select_option("true")
    page.get_by_role("button", name="Call save_report").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("changes the outside")
    dialog.get_by_role("button", name="Cancel").click()
    expect(page.locator(".try-result")).to_have_count(0)
    page.get_by_role("button", name="Call save_report").click()
    dialog.get_by_role("button", name="Call it").click()
    expect(page.locator(".try-result")).to_contain_text("drafttrue")


def test_a_tool_that_is_not_there_says_so(served: Served, page: Page, watched: Watched) -> None:
    watched.expected.append("404")
    page.goto("/tools/look_up")
    expect(page.get_by_role("heading", name="There is no tool look_up")).to_be_visible()
    expect(page.get_by_text("look_up_supplier")).to_be_visible()


def test_a_namespace_is_made_changed_and_removed(served: Served, page: Page) -> None:
    page.goto("/namespaces")
    page.get_by_role("link", name="Make one").click()
    page.get_by_label("Name", exact=True).fill("plants")
    page.get_by_label("Description").fill("What the plants need")
    page.get_by_role("checkbox", name="rank").check()
    page.get_by_label("Patterns and other names").fill("look_*, later_*")
    expect(page.get_by_role("checkbox", name="look_up_supplier")).to_be_checked()
    expect(page.get_by_text("No tool here is meant by later_*")).to_be_visible()
    page.get_by_role("button", name="Make it").click()
    expect(page).to_have_url(re.compile(r"name=plants$"))
    made = served.client.get("/api/namespaces/plants").json()
    assert made["tools"] == ["look_up_supplier", "rank"]
    assert made["allowed_tools"] == ["rank", "look_*", "later_*"]
    page.get_by_role("checkbox", name="read_contract").check()
    page.get_by_label("Irreversible calls after a fork").select_option("skip")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").filter(has_text="Saved")).to_be_visible()
    made = served.client.get("/api/namespaces/plants").json()
    assert "read_contract" in made["tools"] and made["policies"] == {"irreversible": "skip"}
    page.goto("/tools/rank")
    expect(page.get_by_role("link", name="plants")).to_be_visible()
    page.goto("/namespaces?name=plants")
    page.get_by_role("button", name="Remove").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove it").click()
    expect(page.get_by_role("heading", name="No namespaces")).to_be_visible()


def test_the_first_key_signs_this_page_in_and_keys_are_revoked(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with company(tmp_path_factory.mktemp("keys")) as served:
        watched = Watched(browser, served.url)
        watched.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = watched.page()
        page.goto("/keys")
        page.get_by_label("For whom").fill("ann")
        page.get_by_role("button", name="Make the key").click()
        dialog = page.get_by_role("dialog")
        key = dialog.locator(".secret").inner_text().strip()
        dialog.get_by_role("button", name="Copy").click()
        assert page.evaluate("() => navigator.clipboard.readText()") == key
        dialog.get_by_role("button", name="I have it").click()
        expect(page.get_by_role("row").filter(has_text="ann")).to_contain_text("valid")
        assert served.client.get("/api/tasks").status_code == 401
        assert served.client.get("/api/tasks", headers={"Authorization": f"Bearer {key}"}).status_code == 200
        page.get_by_label("For whom").fill("bob")
        page.get_by_label("Days").fill("30")
        page.get_by_role("button", name="Make the key").click()
        dialog.get_by_role("button", name="I have it").click()
        page.get_by_role("button", name="Revoke the key of bob").click()
        dialog.get_by_role("button", name="Revoke it").click()
        expect(page.get_by_role("row").filter(has_text="bob")).to_contain_text("revoked")
        expect(page.get_by_text(key)).to_have_count(0)
        watched.close()
