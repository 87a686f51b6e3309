"""Every screen with real data, in both themes, on a wide page and a phone: axe-core finds nothing serious, the
console is quiet, nothing is asked of anybody else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import Watched
from playwright.sync_api import Browser, Page
from scenery import Scenery, build, company
from screenshots import SCREENS, SIZES, THEMES, Screen, address

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
BAD = ("serious", "critical")


@pytest.fixture(scope="module")
def scenery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenery]:
    with company(tmp_path_factory.mktemp("company")) as served:
        yield build(served, small=6)


def violations(page: Page) -> list[str]:
    """What axe-core finds: what is wrong, how bad it is, and where."""
    page.evaluate(AXE)  # through the debugger, as the page's policy lets no script in
    found: list[dict[str, Any]] = page.evaluate(
        "tags => axe.run(document, {runOnly: {type: 'tag', values: tags}}).then(found => found.violations)",
        TAGS,
    )
    return [
        f"{each['impact']} {each['id']}: {each['help']} at {node['target']} {node['failureSummary']}"
        for each in found
        if each["impact"] in BAD
        for node in each["nodes"][:4]
    ]


@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: screen.name)
def test_nothing_serious_is_found(browser: Browser, scenery: Scenery, screen: Screen) -> None:
    found: list[str] = []
    watched = Watched(browser, scenery.served.url)
    page = watched.page()
    for size, viewport in SIZES.items():
        page.set_viewport_size(viewport)  # type: ignore[arg-type]
        page.goto(address(screen, scenery))
        page.wait_for_selector(screen.shows)
        screen.prepare(page)
        for theme in THEMES:
            page.emulate_media(color_scheme=theme)
            page.wait_for_timeout(200)
            found += [f"{size}, {theme}: {each}" for each in violations(page)]
        if not page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"):
            found.append(f"wider than a {size}")
    watched.close()
    if found:
        pytest.fail("\n".join(found), pytrace=False)


def test_what_is_wrong_is_found(browser: Browser, scenery: Scenery) -> None:
    watched = Watched(browser, scenery.served.url)
    page = watched.page()
    page.goto("/waiting")
    page.wait_for_selector(".choices")
    page.evaluate(
        "() => { const box = document.createElement('img'); box.src = '/favicon.ico';"
        " document.querySelector('main').append(box); }"
    )
    assert any("image-alt" in each for each in violations(page))
    watched.close()
