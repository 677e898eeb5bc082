"""Numbers in words, and where they are written."""

from __future__ import annotations

import math
import sys
from io import TextIOWrapper
from typing import TextIO

from rich.console import Console
from rich.text import Text


def make_console(file: TextIO | None = None) -> Console:
    """Return a console that writes control codes to a terminal only.

    Parameters
    ----------
    file
        Where to write, by default standard output.

    Returns
    -------
    rich.console.Console
    """
    file = file or sys.stdout
    if isinstance(file, TextIOWrapper):
        # A log in another encoding shall not end the demo over a tick.
        file.reconfigure(errors="replace")
    terminal = file.isatty()
    return Console(file=file, force_terminal=terminal, no_color=None if terminal else True)


def say(console: Console, text: str | Text = "", style: str = "") -> None:
    """Write a line; it is folded on a terminal only, and nothing in it is markup.

    Parameters
    ----------
    console
        From `make_console`.
    text
        The line.
    style
        For a terminal.
    """
    soft = not console.is_terminal
    console.print(text, style=style or None, soft_wrap=soft, markup=False, highlight=False)


def figure(value: float) -> str:
    """Return a drift score with the digits that matter, ``-`` for NaN."""
    if math.isnan(value):
        return "-"
    if value >= 0.1:
        return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
    return f"{round(value, 3) + 0.0:.3f}"  # + 0.0: no minus sign before nothing


def score(value: float) -> str:
    """Return a figure of performance to three digits, ``-`` for NaN."""
    return "-" if math.isnan(value) else f"{value:.3f}"


def percent(share: float) -> str:
    """Return a share in percent, ``-`` for NaN."""
    if math.isnan(share):
        return "-"
    return f"{share:.0%}" if share == 0 else f"{share:.2%}" if share < 0.01 else f"{share:.1%}"


def count(value: float) -> str:
    """Return a whole number, ``-`` for NaN."""
    return "-" if math.isnan(value) else f"{value:,.0f}"


def milliseconds(seconds: float) -> str:
    """Return a duration in milliseconds, ``-`` for NaN."""
    return "-" if math.isnan(seconds) else f"{seconds * 1000:.0f} ms"


def clock(seconds: float) -> str:
    """Return a duration as minutes and seconds."""
    return f"{int(seconds // 60)}:{int(seconds % 60):02d}"
