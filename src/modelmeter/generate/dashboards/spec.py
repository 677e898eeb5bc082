"""Dashboards as plain data: what they show, before Grafana's types come in.

A board is rows of panels; a panel is queries, and how their numbers look. `drawing` turns them
into Grafana's JSON. Tests read queries and descriptions from here, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from modelmeter.generate.dashboards.look import TEXT, Quantity

Kind = Literal["lines", "number", "table", "bars", "matrix"]
"""Lines over time; one large number; a table of several queries side by side; bars of a matrix
of two labels; the matrix itself, as a table."""

WIDTH = 24
"""Columns of Grafana's grid."""


@dataclass(frozen=True, kw_only=True)
class Query:
    """One question to Prometheus.

    Parameters
    ----------
    expr
        PromQL, with Grafana's variables in it.
    legend
        Name of each series, with ``{{label}}`` in it; empty in tables.
    """

    expr: str
    legend: str = ""


@dataclass(frozen=True, kw_only=True)
class Link:
    """Where a click on a value leads.

    Parameters
    ----------
    title, url
        With Grafana's variables in them.
    """

    title: str
    url: str


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a table.

    Parameters
    ----------
    field
        A label, or ``Value #A`` for the values of the first query and so on.
    title
        Its heading.
    quantity
        How its values look.
    bar
        Whether values are drawn as bars, too.
    hidden
        Whether it is only there for links.
    link
        Where a click leads.
    """

    field: str
    title: str
    quantity: Quantity = TEXT
    bar: bool = False
    hidden: bool = False
    link: Link | None = None


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One panel.

    Parameters
    ----------
    key
        Its place in the table of ids (`ids.MODEL_PANELS`, `ids.OVERVIEW_PANELS`).
    title
        Short.
    description
        What it shows and how to read it, for someone who knows no statistics.
    queries
        What it asks.
    quantity
        How its numbers look.
    kind
        How it is drawn.
    width, height
        In units of the grid.
    columns
        Of a table.
    sort
        Heading of the column by which a table is sorted, the largest first.
    matrix
        Labels that rows and columns of a matrix are of.
    series
        How the names of bars start.
    link
        Where a click on a series leads.
    """

    key: str
    title: str
    description: str
    queries: tuple[Query, ...]
    quantity: Quantity = TEXT
    kind: Kind = "lines"
    width: int = 8
    height: int = 8
    columns: tuple[Column, ...] = ()
    sort: str = ""
    matrix: tuple[str, str] = ("bin", "series")
    series: tuple[str, ...] = ("live", "training")
    link: Link | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """How the names of its series start."""
        legends = [query.legend for query in self.queries if query.legend]
        return (*legends, *(self.series if self.kind == "bars" else ()))


@dataclass(frozen=True, kw_only=True)
class Row:
    """Panels under one heading.

    Parameters
    ----------
    key
        Its place in the table of ids.
    title
        The heading.
    panels
        From left to right, top to bottom.
    repeat
        Variable for whose every selected value the row is shown once.
    """

    key: str
    title: str
    panels: tuple[Panel, ...]
    repeat: str = ""


@dataclass(frozen=True, kw_only=True)
class Variable:
    """Something to choose at the top of a dashboard.

    Parameters
    ----------
    name, label, description
        ``$name`` in queries, what people read, and what it does.
    query
        Where its values come from: a ``label_values(...)``; empty for a fixed list.
    values
        A fixed list.
    default
        What is chosen at first; empty for the first value (all of them, with `all_value`).
    multi
        Whether several can be chosen.
    all_value
        Regular expression for "All"; empty for no such choice.
    hidden
        Whether it is not shown.
    """

    name: str
    label: str
    description: str
    query: str = ""
    values: tuple[str, ...] = ()
    default: str = ""
    multi: bool = False
    all_value: str = ""
    hidden: bool = False


@dataclass(frozen=True, kw_only=True)
class Annotation:
    """Marks on the time axis of every panel.

    Parameters
    ----------
    name
        What can be switched off.
    expr
        PromQL; there is a mark where it has a value.
    title, text
        Of a mark, with ``{{label}}`` in them.
    colour
        Of a mark.
    """

    name: str
    expr: str
    title: str
    text: str
    colour: str


@dataclass(frozen=True, kw_only=True)
class Board:
    """One dashboard.

    Parameters
    ----------
    uid, title, description
        Of the dashboard.
    ids
        Number of every panel and row by key.
    variables, annotations, rows
        What is on it.
    home
        Whether to link back to the overview.
    """

    uid: str
    title: str
    description: str
    ids: dict[str, int]
    variables: tuple[Variable, ...]
    annotations: tuple[Annotation, ...]
    rows: tuple[Row, ...]
    home: bool = False

    @property
    def panels(self) -> tuple[Panel, ...]:
        """All panels, without the headings."""
        return tuple(panel for row in self.rows for panel in row.panels)
