"""The summary at the end: nine months in one table, and what they mean."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from modelmeter.demo.summary import (
    CONTROLS,
    Line,
    Month,
    drift_lines,
    findings,
    performance_lines,
    rate_lines,
)
from modelmeter.demo.words import say


def show(console: Console, months: Sequence[Month], measured_by: str) -> None:
    """Write what the replay showed.

    Parameters
    ----------
    console
        Where to.
    months
        In order; without any there is nothing to say, and that is said.
    measured_by
        Who measured.
    """
    if not months:
        say(console, "Nothing was measured.", "bold red")
        return
    say(console, f"Drift by month, measured by {measured_by}: PSI beyond noise", "bold")
    lines = drift_lines(months)
    quiet_from = next((i for i, line in enumerate(lines) if line.label in CONTROLS), len(lines))
    table = _table(months)
    for line in lines[:quiet_from]:
        table.add_row(*_cells(line))
    table.add_row(Text("controls", style="dim italic"))
    for line in lines[quiet_from:]:
        table.add_row(*_cells(line))
    table.add_row(Text("shares", style="dim italic"))
    for line in rate_lines(months):
        table.add_row(*_cells(line))
    table.add_row(Text("performance", style="dim italic"))
    for line in performance_lines(months):
        table.add_row(*_cells(line))
    console.print(table, soft_wrap=not console.is_terminal)
    say(console)
    for finding in findings(months):
        mark, style = ("✓", "green") if finding.expected else ("✗", "bold red")
        grid = Table.grid(padding=(0, 1))
        grid.add_row(Text(mark, style=style), Text(finding.text))
        if console.is_terminal:
            console.print(grid)
        else:
            say(console, f"{mark} {finding.text}")
    _verdict(console, all(finding.expected for finding in findings(months)))


def _verdict(console: Console, as_expected: bool) -> None:
    if as_expected:
        say(console, "All of it is what the data holds.", "bold green")
    else:
        say(
            console,
            "Not all of it is what the data holds: was this run too short for its machine?",
            "bold red",
        )


def _table(months: Sequence[Month]) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold", pad_edge=False)
    table.add_column("", no_wrap=True, min_width=16)
    table.add_column("train", justify="right", no_wrap=True)
    for month in months:
        table.add_column(month.label, justify="right", min_width=5, no_wrap=True)
    return table


def _cells(line: Line) -> list[Text]:
    """Return the cells of a line: its name, the value of training, those of the months."""
    before = Text("" if math.isnan(line.before) else line.words(line.before), style="dim")
    return [Text(line.label), before, *month_cells(line)]


def month_cells(line: Line) -> list[Text]:
    """Return one cell for every month of a line."""
    return [
        Text(line.words(value), style="bold red" if worth else "dim" if math.isnan(value) else "")
        for value, worth in zip(line.values, line.worth, strict=True)
    ]
