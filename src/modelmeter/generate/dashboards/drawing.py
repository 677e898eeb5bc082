"""Boards as Grafana's dashboards, by its own Foundation SDK.

The JSON is that of Grafana's classic dashboards, which every current Grafana provisions from files.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any, Final

from modelmeter.generate.dashboards.choices import SOURCE, drawn_variable
from modelmeter.generate.dashboards.ids import OVERVIEW_UID
from modelmeter.generate.dashboards.sdk import JSONEncoder, build, dashboard, kinds, prometheus
from modelmeter.generate.dashboards.shapes import drawn_panel
from modelmeter.generate.dashboards.spec import WIDTH, Annotation, Board, Panel, Row
from modelmeter.generate.rulefile import SCHEMA_VERSION

_TAG: Final = "modelmeter"
_REFRESH: Final = "1m"
_SPAN: Final = "now-24h"
_STEP: Final = "60s"


def draw(board: Board) -> dict[str, Any]:
    """Return a board as what Grafana reads.

    Parameters
    ----------
    board
        What is on it.

    Returns
    -------
    dict
        Of JSON's own types, the same for the same board.
    """
    drawn = (
        build.Dashboard(board.title)
        .uid(board.uid)
        .description(f"{board.description} {_writer()}")
        .tags([_TAG])
        .timezone(kinds.TimeZoneBrowser)
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .time(_SPAN, "now")
        .refresh(_REFRESH)
        .variables([drawn_variable(one) for one in board.variables])
        .annotations([_annotation(one) for one in board.annotations])
        .links([_home()] if board.home else [])
    )
    top = 0
    for row in board.rows:
        drawn.with_row(_heading(board, row, top))
        places, top = _places(row.panels, top + 1)
        for panel, place in zip(row.panels, places, strict=True):
            drawn.with_panel(drawn_panel(panel).id(board.ids[panel.key]).grid_pos(place))
    return tidy(json.loads(json.dumps(drawn.build(), cls=JSONEncoder)))


def _writer() -> str:
    """Say who wrote the file, where people see it: JSON has no comments."""
    return (
        f"Written by modelmeter {version('modelmeter')}, schema_version {SCHEMA_VERSION}. "
        "To change it for good, change the settings and generate again."
    )


def tidy(document: dict[str, Any]) -> dict[str, Any]:
    """Show links and marks at the top: the SDK knows only the menu for their place."""
    for part in (*document.get("links", ()), *document["annotations"]["list"]):
        part.pop("placement", None)
    return document


def _heading(board: Board, row: Row, top: int) -> build.Row:
    heading = (
        build.Row(row.title)
        .id(board.ids[row.key])
        .grid_pos(dashboard.GridPos(h=1, w=WIDTH, x=0, y=top))
    )
    return heading.repeat(row.repeat) if row.repeat else heading


def _places(panels: Iterable[Panel], top: int) -> tuple[list[dashboard.GridPos], int]:
    """Place panels from left to right, in lines as high as their highest; and what is below."""
    places: list[dashboard.GridPos] = []
    left = height = 0
    for panel in panels:
        if left + panel.width > WIDTH:
            left, top, height = 0, top + height, 0
        places.append(dashboard.GridPos(h=panel.height, w=panel.width, x=left, y=top))
        left += panel.width
        height = max(height, panel.height)
    return places, top + height


def _annotation(annotation: Annotation) -> build.AnnotationQuery:
    target = (
        prometheus.Dataquery()
        .expr(annotation.expr)
        .ref_id("Anno")
        .range()
        .interval(_STEP)
        .datasource(SOURCE)
    )
    return (
        build.AnnotationQuery()
        .name(annotation.name)
        .datasource(SOURCE)
        .enable(True)
        .icon_color(annotation.colour)
        .target(target)
        .title_format(annotation.title)
        .text_format(annotation.text)
    )


def _home() -> build.DashboardLink:
    return (
        build.DashboardLink("All models")
        .type(dashboard.DashboardLinkType.LINK)
        .icon("dashboard")
        .url(f"/d/{OVERVIEW_UID}")
        .keep_time(True)
    )
