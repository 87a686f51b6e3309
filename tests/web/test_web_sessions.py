"""Signing in: the cookie is the key, no more and no less; pages of others have no use for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import Watched
from playwright.sync_api import Browser, expect
from served import Served, serving

ADMIN = "an-admin-key-of-the-test"
PLAN = [{"seq_no": 1, "type": "assign", "parameters": {"final_answer": 42}}]
OWN = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that wants keys."""
    folder: Path = tmp_path_factory.mktemp("locked")
    with serving(folder, workers=1, ADMIN_API_KEY=ADMIN) as served:
        yield served


def ask(served: Served, method: str, path: str, **more: Any) -> Any:
    more["headers"] = {"Authorization": f"Bearer {ADMIN}", **more.get("headers", {})}
    return served.client.request(method, path, **more)


def make_key(served: Served, role: str) -> dict[str, Any]:
    made = ask(served, "POST", "/api/keys", json={"name": f"a {role}", "role": role})
    assert made.status_code in (200, 201), made.text
    document: dict[str, Any] = made.json()
    return document


def signed_in(served: Served, key: str) -> dict[str, str]:
    """The headers of a browser that signed in."""
    answer = served.client.post("/api/session", json={"key": key}, headers=OWN)
    assert answer.status_code == 200, answer.text
    cookie = answer.headers["Set-Cookie"]
    served.client.cookies.clear()
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    return {"Cookie": cookie.split(";")[0]}


def test_the_cookie_is_the_same_actor_as_the_key(locked: Served) -> None:
    made = make_key(locked, "viewer")
    cookie = signed_in(locked, made["key"])
    who = locked.client.get("/api/session", headers=cookie).json()
    assert who == {
        "signed_in": True,
        "keys_needed": True,
        "name": "a viewer",
        "role": "viewer",
        "namespace": None,
    }
    assert locked.client.get("/api/tasks", headers=cookie).status_code == 200
    refused = locked.client.post("/api/tasks", json={"goal": "x", "plan": PLAN}, headers={**cookie, **OWN})
    assert refused.status_code == 403
    assert "operator" in refused.json()["title"]


def test_a_revoked_key_ends_the_session(locked: Served) -> None:
    made = make_key(locked, "operator")
    cookie = signed_in(locked, made["key"])
    assert ask(locked, "DELETE", f"/api/keys/{made['id']}").status_code == 200
    assert locked.client.get("/api/tasks", headers=cookie).status_code == 401
    assert locked.client.get("/api/session", headers=cookie).json()["signed_in"] is False


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "X-StackVM": "1"},
        {"Sec-Fetch-Site": "same-site"},  # another server on this machine
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {},
    ],
)
def test_pages_of_others_change_nothing_by_cookie(locked: Served, headers: dict[str, str]) -> None:
    cookie = signed_in(locked, ADMIN)
    answer = locked.client.post("/api/tasks", json={"goal": "x", "plan": PLAN}, headers={**cookie, **headers})
    assert answer.status_code == 403
    signing_in = locked.client.post("/api/session", json={"key": ADMIN}, headers=headers)
    assert signing_in.status_code == 403
    assert "Set-Cookie" not in signing_in.headers


def test_what_is_done_by_cookie_is_noted_with_its_name(locked: Served) -> None:
    made = make_key(locked, "operator")
    cookie = signed_in(locked, made["key"])
    task = locked.client.post("/api/tasks", json={"goal": "x", "plan": PLAN}, headers={**cookie, **OWN})
    assert task.status_code == 202
    noted = ask(locked, "GET", "/api/audit", params={"task": task.json()["task_id"]}).json()["items"]
    assert [each["actor"] for each in noted] == ["a operator"]


def test_a_wrong_key_is_refused(locked: Served) -> None:
    answer = locked.client.post("/api/session", json={"key": "svm_nothing"}, headers=OWN)
    assert answer.status_code == 401
    assert "Set-Cookie" not in answer.headers


def test_signing_in_and_out_in_a_browser(browser: Browser, locked: Served) -> None:
    made = make_key(locked, "operator")
    watched = Watched(browser, locked.url)
    watched.expected.append("401")
    page = watched.page()
    page.goto("/new?goal=kept&from=model")
    page.get_by_label("API key").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("not valid")
    page.get_by_label("API key").fill(made["key"])
    page.keyboard.press("Enter")
    expect(page.get_by_label("Goal")).to_have_value("kept")  # where one wanted to go
    assert page.evaluate("() => document.cookie") == ""
    ask(locked, "DELETE", f"/api/keys/{made['id']}")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("The session is over")).to_be_visible()
    page.get_by_label("API key").fill(ADMIN)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in to StackVM")).to_be_visible()
    assert watched.context.cookies() == []
    watched.close()
