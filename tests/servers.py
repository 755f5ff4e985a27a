"""Servers for the tests of the web side, and the browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.labs import Lab, Page

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A server that all tests share; whoever harms its workers or needs other limits makes another by ``make_lab``."""
    lab = Lab(tmp_path_factory.mktemp("lab"))
    yield lab
    lab.stop()


@pytest.fixture
def make_lab(tmp_path: Any) -> Iterator[Callable[..., Lab]]:
    """Start a server with other choices of :class:`webapp.config.Config`."""
    labs: list[Lab] = []

    def make(**choices: Any) -> Lab:
        labs.append(Lab(tmp_path / f"lab{len(labs)}", **choices))
        return labs[-1]

    yield make
    for lab in labs:
        lab.stop()


@pytest.fixture
def open_page(request: pytest.FixtureRequest) -> Iterator[Callable[..., Page]]:
    """Open a page: ``open_page()`` on the shared server, ``open_page(other_lab)``, ``open_page(lab, cookie)``."""
    pages: list[Page] = []

    def open_(lab: Lab | None = None, cookie: str | None = None) -> Page:
        lab = lab or request.getfixturevalue("lab")
        pages.append(Page(lab.url, cookie))
        return pages[-1]

    yield open_
    for page in pages:
        page.close()


@pytest.fixture
def page(open_page: Callable[..., Page]) -> Page:
    """A new person's page on the shared server."""
    return open_page()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The one browser of all tests: a second one can't be driven from the same thread."""
    from playwright.sync_api import sync_playwright  # here: most tests need none

    from tests.browser.harness import FLAGS, chromium

    with sync_playwright() as play:
        started = play.chromium.launch(executable_path=chromium() or None, args=FLAGS)
        yield started
        started.close()
