"""Chromium, and pages of it that notice what should not be: errors on the console, requests to anywhere else."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
DESKTOP = {"width": 1360, "height": 860}
PHONE = {"width": 390, "height": 844}


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser; the test is skipped where there is none."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("there is no chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()


_AXE = Path(__file__).parent / "vendor" / "axe.min.js"
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


def faults_of(page: Page) -> list[str]:
    """What axe-core finds on the page as it stands, against WCAG 2.2 AA."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(_AXE.read_text())  # by the protocol of the tools, which no policy of the page forbids
    found = page.evaluate("(rules) => axe.run(document, {runOnly: rules})", _RULES)
    return [
        f"{fault['id']}: {fault['help']}: {node['html'][:200]} {node['failureSummary'][:300]}"
        for fault in found["violations"]
        for node in fault["nodes"][:3]
    ]


class Watched:
    """A context of the browser whose pages are looked after. ``expected`` are parts of messages that may come."""

    def __init__(self, browser: Browser, url: str, **options: Any) -> None:
        self.url, self.troubles, self.expected = url, [], list[str]()
        self.context: BrowserContext = browser.new_context(
            base_url=url, viewport=options.pop("viewport", DESKTOP), **options
        )
        self.context.set_default_timeout(10_000)

    troubles: list[str]

    def page(self) -> Page:
        """A new page."""
        page = self.context.new_page()
        page.on(
            "console",
            lambda said: (
                said.type == "error" and self._note(f"console: {said.text} {said.location.get('url')}")
            ),
        )
        page.on("pageerror", lambda error: self._note(f"error: {error}"))
        page.on("request", self._look)
        return page

    def _look(self, request: Any) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss") and f"{parts.scheme}://{parts.netloc}" != self.url:
            self._note(f"a request elsewhere: {request.url}")

    def _note(self, trouble: str) -> None:
        self.troubles.append(trouble)

    def close(self) -> None:
        """Raises ``AssertionError`` for what should not have been."""
        self.context.close()
        left = [each for each in self.troubles if not any(part in each for part in self.expected)]
        assert left == [], "\n".join(left)
