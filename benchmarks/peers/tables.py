"""Tables, as text to look at and as Markdown to keep."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A table of texts; all columns but the first are set to the right.

    Parameters
    ----------
    title
        A line above it.
    header, rows
        Texts; every row is as long as the header.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def text(self):
        """Return it for a terminal."""
        widths = [max(map(len, column)) for column in zip(self.header, *self.rows, strict=True)]
        lines = [self.title]
        for row in (self.header, *self.rows):
            first, *others = zip(row, widths, strict=True)
            cells = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
            lines.append("  ".join(cells).rstrip())
        return "\n".join(lines) + "\n"

    def markdown(self):
        """Return it for a document."""
        rule = ("---", *("---:" for _ in self.header[1:]))
        lines = [f"| {' | '.join(row)} |" for row in (self.header, rule, *self.rows)]
        return "\n".join((f"### {self.title}", "", *lines)) + "\n"


def number(value, decimals):
    """Write a number; an empty text for None."""
    return "" if value is None else f"{value:,.{decimals}f}"
