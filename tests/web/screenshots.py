"""Pictures of every screen in both themes, of made-up tasks of real size: ``make screenshots`` writes them to
``docs/images/viewer``. Run as ``python -m screenshots``; with names of screens only those."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from browsing import Watched, chromium
from PIL import Image
from playwright.sync_api import Browser, Page
from scenery import Scenery, build, company

FOLDER = Path(__file__).parent.parent.parent / "docs" / "images" / "viewer"
MOST_BYTES = 150_000
SIZES = {"wide": {"width": 1440, "height": 900}, "phone": {"width": 390, "height": 844}}
THEMES = ("light", "dark")
_SETTLED_MS = 500


def _nothing(page: Page) -> None:
    """The page as it comes."""


@dataclass(frozen=True)
class Screen:
    """``at`` is an address with the ids of tasks in braces; ``shows`` is a selector of what has to be there before
    the picture is taken, ``prepare`` does something on the page first."""

    name: str
    at: str
    shows: str = "main h1, main h2"
    prepare: Callable[[Page], None] = _nothing


def _try_a_tool(page: Page) -> None:
    page.get_by_label("number").fill("47")
    page.get_by_role("button", name="Call look_up_supplier").click()
    page.wait_for_selector(".try-result")


def _choose_a_word(page: Page) -> None:
    page.get_by_text("Reuse the earlier result").first.click()


def _help(page: Page) -> None:
    page.keyboard.press("?")
    page.wait_for_selector("dialog")


SCREENS = (
    Screen("tasks", "/", ".virtual-row"),
    Screen("keys-help", "/", ".virtual-row", _help),
    Screen("new", "/new", "form"),
    Screen("run", "/tasks/{review}?branch=main", "header.task-head"),
    Screen("run-live", "/tasks/{running}", "header.task-head"),
    Screen("run-failed", "/tasks/{failed}", "header.task-head"),
    Screen("plan", "/tasks/{review}/plan?branch=main&open=loop-8,each-3", ".item-square"),
    Screen("plan-large", "/tasks/{graph}/plan", ".graph-node"),
    Screen("timeline", "/tasks/{review}/timeline?branch=main", ".timeline-bar"),
    Screen("variable", "/tasks/{review}/variables/page?branch=main", "main"),
    Screen("edit", "/tasks/{review}/edit?branch=main&step=4", "main"),
    Screen("proposal", "/tasks/{review}/proposals/{proposal}", "main"),
    Screen("compare", "/compare?left={review}:main&right={review}:seven", "main"),
    Screen("compare-runs", "/compare?left={review}:main&right={review}:seven&view=runs", "main"),
    Screen("waiting", "/waiting", ".choices", _choose_a_word),
    Screen("tools", "/tools", ".virtual-row"),
    Screen("tool", "/tools/look_up_supplier", "form.try", _try_a_tool),
    Screen("namespaces", "/namespaces?name=purchasing", ".tool-choice"),
    Screen("keys", "/keys", "form"),
)


def address(screen: Screen, scenery: Scenery) -> str:
    """Where the screen is, with its tasks."""
    return screen.at.format(**scenery.tasks, proposal=scenery.proposal)


def shrunk(picture: bytes) -> bytes:
    """The picture with as few colours as it takes to stay below the limit."""
    image = Image.open(BytesIO(picture)).convert("RGB")
    for colours in (256, 96, 48, 24):
        out = BytesIO()
        image.quantize(colours, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
        if out.tell() <= MOST_BYTES:
            break
    return out.getvalue()


def take(browser: Browser, scenery: Scenery, screens: list[Screen], folder: Path) -> None:
    """Every screen in every theme and size."""
    for size, viewport in SIZES.items():
        for theme in THEMES:
            watched = Watched(browser, scenery.served.url, viewport=viewport, color_scheme=theme)
            page = watched.page()
            for screen in screens:
                page.goto(address(screen, scenery))
                page.wait_for_selector(screen.shows)
                screen.prepare(page)
                page.wait_for_timeout(_SETTLED_MS)
                written = shrunk(page.screenshot())
                path = folder / f"{screen.name}-{size}-{theme}.png"
                path.write_bytes(written)
                print(f"{path.name}  {len(written) // 1000} KB", flush=True)
            watched.close()


def main() -> None:
    """What `make screenshots` does."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "names", nargs="*", help="only these screens: " + ", ".join(each.name for each in SCREENS)
    )
    parser.add_argument("--into", type=Path, default=FOLDER, help="the folder")
    options = parser.parse_args()
    screens = [each for each in SCREENS if not options.names or each.name in options.names]
    options.into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, company(Path(folder)) as served, chromium() as browser:
        take(browser, build(served), screens, options.into)


if __name__ == "__main__":
    main()
