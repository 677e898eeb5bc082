"""Draw the README's picture: the demo's table in late summer, as a terminal shows it.

    .venv/bin/python scripts/picture.py

It runs the demo, with the Prometheus that is installed, and writes ``docs/demo.svg``.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from modelmeter.demo import screen
from modelmeter.demo.reading import Reading
from modelmeter.demo.replay import Progress
from modelmeter.demo.run import run
from modelmeter.demo.summary import Month

FILE = Path(__file__).parent.parent / "docs" / "demo.svg"
SHARE = 0.6
SIZE = (100, 34)


class PictureScreen(screen.PlainScreen):
    """Shows plain lines, and draws one moment as the terminal would."""

    done = False

    def update(self, progress: Progress, reading: Reading, months: Sequence[Month] = ()) -> None:
        """Draw when it is late summer."""
        super().update(progress, reading, months)
        if progress.share < SHARE or self.done:
            return
        self.done = True
        width, height = SIZE
        paper = Console(
            record=True, width=width, height=height, file=io.StringIO(), force_terminal=True
        )
        drawn = screen.TerminalScreen(paper, "Prometheus", f"{self.window}", self.seconds)
        paper.print(drawn.draw(progress, reading, months))
        svg = paper.export_svg(title="make demo")
        # No picture of ours asks another host for a font.
        svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)
        FILE.write_text(re.sub(r"[ \t]+\n", "\n", svg).rstrip() + "\n", encoding="utf-8")


def _make_screen(console: Console, source: str, window: str, seconds: float) -> PictureScreen:
    made = PictureScreen(console, seconds)
    made.window, made.seconds = window, seconds
    return made


if __name__ == "__main__":
    screen.make_screen = _make_screen
    raise SystemExit(run(duration=60))
