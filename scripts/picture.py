"""Draw the README's pictures from the demo in late summer: its table, and its page.

    .venv/bin/python scripts/picture.py

It runs the demo, with the Prometheus that is installed, and writes ``docs/demo.svg`` as a
terminal shows it, and ``docs/page.png`` and ``docs/page-dark.png`` as Chromium shows ``/monitor``.
"""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import sync_playwright
from rich.console import Console

from modelmeter.demo import screen
from modelmeter.demo.processes import free_port
from modelmeter.demo.reading import Reading
from modelmeter.demo.replay import Progress
from modelmeter.demo.run import run
from modelmeter.demo.summary import Month

DOCS = Path(__file__).parent.parent / "docs"
SHARE = 0.6
SIZE = (100, 34)
PAGE = {"width": 1200, "height": 1500}
SECONDS = 60


class PictureScreen(screen.PlainScreen):
    """Shows plain lines, and draws one moment as the terminal and the browser would."""

    done = False
    service = ""

    def update(self, progress: Progress, reading: Reading, months: Sequence[Month] = ()) -> None:
        """Draw when it is late summer."""
        super().update(progress, reading, months)
        if progress.share < SHARE or self.done:
            return
        self.done = True
        draw_page(self.service)
        width, height = SIZE
        paper = Console(
            record=True, width=width, height=height, file=io.StringIO(), force_terminal=True
        )
        drawn = screen.TerminalScreen(paper, "Prometheus", f"{self.window}", self.seconds)
        paper.print(drawn.draw(progress, reading, months))
        svg = paper.export_svg(title="make demo")
        # No picture of ours asks another host for a font.
        svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)
        (DOCS / "demo.svg").write_text(
            re.sub(r"[ \t]+\n", "\n", svg).rstrip() + "\n", encoding="utf-8"
        )


def draw_page(service: str) -> None:
    """Draw the page in both themes."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for scheme, name in (("light", "page.png"), ("dark", "page-dark.png")):
            page = browser.new_page(viewport=PAGE, color_scheme=scheme)
            page.goto(f"{service}/monitor")
            page.wait_for_selector("#features canvas")
            page.wait_for_timeout(1_000)
            page.screenshot(path=DOCS / name)
        browser.close()


def _make_screen(console: Console, source: str, window: str, seconds: float) -> PictureScreen:
    made = PictureScreen(console, seconds)
    made.window, made.seconds = window, seconds
    return made


if __name__ == "__main__":
    screen.make_screen = _make_screen
    port = free_port(5000)
    PictureScreen.service = f"http://127.0.0.1:{port}"
    raise SystemExit(run(duration=SECONDS, port=port))
