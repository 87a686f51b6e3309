"""The page and its files: the policy, what may be kept, what is not there."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from pathlib import Path

import httpx
import pytest
from browsing import Watched
from playwright.sync_api import Page
from served import Served

from app.web import files

VENDOR = files.STATIC / "vendor"


def test_the_index_answers_under_every_address_of_the_viewer(served: Served) -> None:
    for path in ("/", "/new", "/tasks/4c33", "/tasks/4c33/plan", "/compare", "/waiting", "/tools/x", "/keys"):
        answer = served.client.get(path)
        assert answer.status_code == 200, path
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert "{{" not in answer.text
    assert served.client.get("/nowhere").status_code == 404


def test_the_policy_lets_nothing_in_from_elsewhere_and_no_inline_script(served: Served) -> None:
    answer = served.client.get("/")
    policy = answer.headers["Content-Security-Policy"]
    script = next(part for part in policy.split("; ") if part.startswith("script-src"))
    inline = re.findall(r"<script(?![^>]*src=)[^>]*>(.*?)</script>", answer.text, re.DOTALL)
    hashes = {f"'sha256-{b64encode(hashlib.sha256(each.encode()).digest()).decode()}'" for each in inline}
    assert set(script.split()[1:]) == {"'self'", *hashes}
    assert "default-src 'none'" in policy
    assert "'unsafe" not in policy
    assert answer.headers["Cache-Control"] == "no-store"
    assert served.client.get("/").headers["Content-Security-Policy"] != policy  # the nonce is for one answer


def test_files_are_kept_for_good_under_their_version_alone(served: Served) -> None:
    script = re.search(r'src="(/static/[^"]*main\.js)"', served.client.get("/").text)
    assert script is not None
    answer = served.client.get(script[1])
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    again = served.client.get(script[1], headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304
    assert served.client.get("/static/old/js/main.js").headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("name", ["js/nothing.js", "../pages.py", "%2e%2e/pages.py", "index.html", "js"])
def test_what_is_no_file_of_the_viewer_is_not_found(served: Served, name: str) -> None:
    with httpx.Client(base_url=served.url, trust_env=False) as client:
        assert client.get(f"/static/x/{name}").status_code == 404


def test_an_inline_script_does_not_run(watched: Watched, page: Page) -> None:
    watched.expected.append("Content Security Policy")
    page.goto("/")
    page.wait_for_selector("header.top")
    page.evaluate(
        "() => { const script = document.createElement('script'); script.textContent = 'window.ran = 1';"
        " document.body.append(script); const box = document.createElement('div');"
        ' box.innerHTML = \'<img src="data:," onerror="window.ran = 2">\'; document.body.append(box); }'
    )
    page.wait_for_timeout(200)
    assert page.evaluate("() => window.ran") is None


def test_vendored_files_are_those_that_their_list_names() -> None:
    listed = dict(
        re.findall(r"^\| `([^`]+)` \|.*\| `([0-9a-f]{64})` \|$", (VENDOR / "VERSIONS.md").read_text(), re.M)
    )
    found = {path.name for path in VENDOR.iterdir() if path.suffix in (".js", ".mjs")}
    assert found == set(listed)
    for name, digest in listed.items():
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == digest, name


def test_modules_import_by_paths_that_exist() -> None:
    bare = {"preact", "preact/hooks", "htm"}
    for path in (files.STATIC / "js").rglob("*.js"):
        assert len(path.read_text().splitlines()) <= 250, f"{path.name}: is this still one idea?"
        for name in re.findall(r"""(?:from|import\()\s*["']([^"']+)["']""", path.read_text()):
            assert name in bare or (path.parent / name).is_file(), f"{path.name} imports {name}"


def test_style_sheets_of_screens_exist() -> None:
    main = Path(files.STATIC / "js" / "main.js").read_text()
    for name in re.findall(r'css: "([a-z_]+)"', main):
        assert (files.STATIC / "css" / f"{name}.css").is_file(), name
