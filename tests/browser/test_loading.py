"""What a page loads before it shows anything."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Request

from tests.browser.harness import OpenPage


@pytest.mark.parametrize("path", ["/", "/digits"])
def test_no_module_is_loaded_that_the_head_doesn_t_name(open_page: OpenPage, path: str) -> None:
    page = open_page("about:blank")
    loaded: list[str] = []

    def note(request: Request) -> None:
        if request.resource_type == "script":
            loaded.append(urlsplit(request.url).path)

    page.on("request", note)
    page.goto(path)
    page.wait_for_function("() => window.layerlab?.layers?.length > 0")
    links = page.locator("link[rel=modulepreload]")
    named = links.evaluate_all("links => links.map((link) => new URL(link.href).pathname)")
    assert len(named) == len(set(named)) > 50
    assert sorted(loaded) == sorted([*named, "/static/js/main.js"])
