"""A real Chromium, headless: pages that tell what went wrong in them, and where they asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from real.prometheus import require
from real.web import until

SECONDS = 20
"""How long a page may take to come to be as a test wants it."""


class Tab:
    """A page of the browser.

    Parameters
    ----------
    page
        Playwright's own.

    Attributes
    ----------
    problems
        Errors and warnings of the console, exceptions, violations of the policy.
    hosts
        Hosts that were asked for anything.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.problems: list[str] = []
        self.hosts: set[str] = set()
        page.set_default_timeout(SECONDS * 1000)
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))

    def open(self, url: str, ready: str = "#features") -> Page:
        """Go to a URL and wait until an element is shown."""
        self.page.goto(url)
        self.page.wait_for_selector(ready)
        return self.page

    def until(self, expression: str) -> None:
        """Wait until an expression holds; Playwright's own way is against a strict policy."""
        until(lambda: self.page.evaluate(expression), SECONDS)

    def drawn(self, selector: str) -> bool:
        """Scroll to a canvas, wait for its chart, and tell whether it has drawn anything."""
        self.page.locator(selector).first.scroll_into_view_if_needed()
        self.until(f"Boolean(Chart.getChart(document.querySelector({selector!r})))")
        return bool(
            self.page.eval_on_selector(
                selector,
                """canvas => canvas.width > 0 && canvas.getContext("2d")
                   .getImageData(0, 0, canvas.width, canvas.height).data.some((x) => x)""",
            )
        )

    def open_all(self) -> None:
        """Open everything that can be opened, and what is in it."""
        self.until(
            """(() => {
                const closed = [...document.querySelectorAll("details:not([open])")];
                closed.forEach((one) => { one.open = true; });
                return !closed.length;
            })()"""
        )

    def violations(self) -> list[str]:
        """Return what axe-core finds not to be accessible, by rule and place."""
        found = Axe().run(self.page).response["violations"]
        return [f"{one['id']}: {node['html'][:200]}" for one in found for node in one["nodes"]]

    def overflow(self) -> int:
        """Return by how many pixels the page is wider than its window."""
        return int(
            self.page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
        )

    def _heard(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(message.text)


class Chromium:
    """The browser, started once for many pages.

    Parameters
    ----------
    browser
        Playwright's own.
    """

    def __init__(self, browser: Browser) -> None:
        self._browser = browser

    @contextmanager
    def tab(self, *, width: int = 1280, height: int = 900, scheme: str = "light") -> Iterator[Tab]:
        """Open a page with a session of its own, and close it."""
        context = self._browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,  # type: ignore[arg-type]
            reduced_motion="reduce",
        )
        try:
            yield Tab(context.new_page())
        finally:
            context.close()


@contextmanager
def chromium() -> Iterator[Chromium]:
    """Start Chromium, and end it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=require("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        try:
            yield Chromium(browser)
        finally:
            browser.close()
