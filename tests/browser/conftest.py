"""Fixtures of the browser tests: one server for all, fresh profiles for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.harness import OpenPage, Problems, opener, rest
from tests.running import Server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("layerlab"))
    yield running
    running.stop()


@pytest.fixture
def open_page(browser: Browser, server: Server) -> Iterator[OpenPage]:
    """Opens pages, each in a profile of its own; the test fails if one of them had a problem."""
    watched: list[tuple[Page, Problems]] = []
    yield opener(browser.new_context, server.url, watched)
    found = [f"{page.url}: {problem}" for page, problems in watched for problem in problems.found]
    for page, _ in watched:
        rest(page)
        page.context.close()
    assert not found, "\n".join(found)


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    """The 2D page as it is first seen."""
    return open_page("/")
