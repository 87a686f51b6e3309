"""Fixtures of the viewer's tests: a real server with runs, a real browser, pages that fail on what should not be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import PHONE, Watched, chromium
from playwright.sync_api import Browser, Page, expect
from served import Served, serving

expect.set_options(timeout=20_000)  # it is met as soon as it can be; a busy machine takes its time


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server without keys, for the tests of one file."""
    folder: Path = tmp_path_factory.mktemp("viewer")
    with serving(folder, workers=1) as served:
        yield served


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def watched(browser: Browser, served: Served) -> Iterator[Watched]:
    """A context of its own; at the end nothing bad was seen."""
    watched = Watched(browser, served.url)
    yield watched
    watched.close()


@pytest.fixture
def page(watched: Watched) -> Page:
    """A page in it."""
    return watched.page()


@pytest.fixture
def phone(browser: Browser, served: Served) -> Iterator[Page]:
    """A page as wide as a phone."""
    watched = Watched(browser, served.url, viewport=PHONE, has_touch=True)
    yield watched.page()
    watched.close()
