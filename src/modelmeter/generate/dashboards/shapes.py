"""Panels as Grafana's own: lines, numbers, tables, bars."""

from __future__ import annotations

import re
from collections.abc import Callable
from string import ascii_uppercase
from typing import Any, Final

from modelmeter.generate.dashboards.choices import SOURCE
from modelmeter.generate.dashboards.look import COLOURS, DASHED, LIVE, Quantity
from modelmeter.generate.dashboards.sdk import (
    PromQueryFormat,
    barchart,
    build,
    common,
    dashboard,
    kinds,
    prometheus,
    stat,
    table,
    timeseries,
)
from modelmeter.generate.dashboards.spec import Column, Kind, Link, Panel

AnyPanel = barchart.Panel | stat.Panel | table.Panel | timeseries.Panel
_ORDER: Final = "place"
_NO_DATA: Final = "No data"


def drawn_panel(panel: Panel) -> AnyPanel:
    """Return a panel as Grafana reads it, without id and place."""
    drawn = _SHAPES[panel.kind](panel)
    for name, query in zip(ascii_uppercase, panel.queries, strict=False):
        target = prometheus.Dataquery().expr(query.expr).ref_id(name).datasource(SOURCE)
        if query.legend:
            target.legend_format(query.legend)
        if panel.kind in ("lines", "number"):
            target.format(PromQueryFormat.TIME_SERIES)
        else:
            target.format(PromQueryFormat.TABLE)
        drawn.with_target(target.range() if panel.kind == "lines" else target.instant())
    drawn.title(panel.title).description(panel.description).datasource(SOURCE)
    return drawn


def _lines(panel: Panel) -> timeseries.Panel:
    drawn = (
        timeseries.Panel()
        .line_width(1)
        .fill_opacity(0)
        .show_points(kinds.VisibilityMode.AUTO)
        .legend(_legend())
        .tooltip(
            common.VizTooltipOptions()
            .mode(kinds.TooltipDisplayMode.MULTI)
            .sort(kinds.SortOrder.DESCENDING)
        )
    )
    _measure(drawn, panel.quantity)
    if panel.quantity.judged:
        drawn.thresholds_style(
            common.GraphThresholdsStyleConfig().mode(kinds.GraphThresholdsStyleMode.DASHED)
        )
    drawn.color_scheme(build.FieldColor().mode(dashboard.FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
    _colour(drawn, panel)
    if any(re.match(DASHED, series) for series in panel.names):
        dashes = {"fill": "dash", "dash": [6, 6]}
        drawn.override_by_regexp(f"{DASHED}.*", [_property("custom.lineStyle", dashes)])
    if panel.link:
        drawn.data_links([_link(panel.link)])
    return drawn


def _number(panel: Panel) -> stat.Panel:
    drawn = (
        stat.Panel()
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .color_mode(kinds.BigValueColorMode.VALUE)
        .graph_mode(kinds.BigValueGraphMode.NONE)
        .color_scheme(build.FieldColor().mode(dashboard.FieldColorModeId.THRESHOLDS))
    )
    _measure(drawn, panel.quantity)
    return drawn


def _bars(panel: Panel) -> barchart.Panel:
    drawn = (
        barchart.Panel()
        .legend(_legend())
        .fill_opacity(80)
        .group_width(0.8)
        .x_tick_label_rotation(-45)
        .x_tick_label_max_length(18)
        .tooltip(common.VizTooltipOptions().mode(kinds.TooltipDisplayMode.MULTI))
        .color_scheme(build.FieldColor().mode(dashboard.FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
    )
    _measure(drawn, panel.quantity)
    _colour(drawn, panel)
    drawn.with_transformation(_sorted_by(_ORDER))
    drawn.with_transformation(_to_matrix(panel))
    return drawn


def _matrix(panel: Panel) -> table.Panel:
    drawn = (
        table.Panel()
        .cell_options(kinds.TableColoredBackgroundCellOptions())
        .color_scheme(build.FieldColor().mode(dashboard.FieldColorModeId.CONTINUOUS_BL_PU))
    )
    _measure(drawn, panel.quantity)
    down, across = panel.matrix
    drawn.with_transformation(_sorted_by(across))
    drawn.with_transformation(_sorted_by(down))
    drawn.with_transformation(_to_matrix(panel))
    drawn.override_by_name(f"{down}\\{across}", [_property("custom.cellOptions", {"type": "auto"})])
    return drawn


def _table(panel: Panel) -> table.Panel:
    drawn = table.Panel().filterable(True)
    _measure(drawn, panel.quantity)
    if len(panel.queries) > 1:
        drawn.with_transformation(_transformation("merge", {}))
    drawn.with_transformation(
        _transformation(
            "organize",
            {
                "excludeByName": {"Time": True},
                "indexByName": {column.field: i for i, column in enumerate(panel.columns)},
                "renameByName": {column.field: column.title for column in panel.columns},
            },
        )
    )
    for column in panel.columns:
        drawn.override_by_name(column.title, _column(column))
    if panel.sort:
        drawn.sort_by([common.TableSortByFieldState().display_name(panel.sort).desc(True)])
    return drawn


def _column(column: Column) -> list[dashboard.DynamicConfigValue]:
    found = [_property("unit", column.quantity.unit)]
    for name in ("decimals", "min", "max"):
        value = getattr(column.quantity, name)
        if value is not None:
            found.append(_property(name, value))
    if column.quantity.judged:
        steps = [{"value": value, "color": colour} for value, colour in column.quantity.steps]
        found.append(_property("thresholds", {"mode": "absolute", "steps": steps}))
        found.append(_property("color", {"mode": "thresholds"}))
    if column.quantity.words:
        found.append(_property("mappings", [_words(column.quantity)]))
        found.append(_property("custom.cellOptions", {"type": "color-text"}))
    if column.bar:
        found.append(_property("custom.cellOptions", {"type": "gauge", "mode": "basic"}))
        if not column.quantity.judged:
            found.append(_property("color", {"mode": "fixed", "fixedColor": LIVE}))
    elif column.quantity.judged:
        found.append(_property("custom.cellOptions", {"type": "color-text"}))
    if column.hidden:
        found.append(_property("custom.hidden", True))
    if column.link:
        found.append(_property("links", [{"title": column.link.title, "url": column.link.url}]))
    return found


def _words(quantity: Quantity) -> dict[str, Any]:
    """Return a mapping of values to words."""
    words = {
        str(value): {"text": text, "color": colour, "index": place}
        for place, (value, text, colour) in enumerate(quantity.words)
    }
    return {"type": "value", "options": words}


def _measure(drawn: AnyPanel, quantity: Quantity) -> None:
    """Set unit, range and limits."""
    drawn.unit(quantity.unit).no_value(_NO_DATA)
    if quantity.decimals is not None:
        drawn.decimals(quantity.decimals)
    if quantity.min is not None:
        drawn.min(quantity.min)
    if quantity.max is not None:
        drawn.max(quantity.max)
    steps = [dashboard.Threshold(value=value, color=colour) for value, colour in quantity.steps]
    drawn.thresholds(build.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(steps))


def _colour(drawn: barchart.Panel | timeseries.Panel, panel: Panel) -> None:
    """Give live, training and the like their colours, whatever the panel."""
    for name, colour in COLOURS.items():
        if not any(re.match(name, series) for series in panel.names):
            continue
        # Versions side by side are shades of one colour.
        drawn.override_by_regexp(
            f"{name}.*", [_property("color", {"mode": "shades", "fixedColor": colour})]
        )


def _legend() -> common.VizLegendOptions:
    return (
        common.VizLegendOptions()
        .display_mode(kinds.LegendDisplayMode.LIST)
        .placement(kinds.LegendPlacement.BOTTOM)
        .show_legend(True)
    )


def _link(link: Link) -> build.DashboardLink:
    return build.DashboardLink(link.title).url(link.url)


def _sorted_by(field: str) -> dashboard.DataTransformerConfig:
    return _transformation("sortBy", {"fields": {}, "sort": [{"field": field}]})


def _to_matrix(panel: Panel) -> dashboard.DataTransformerConfig:
    down, across = panel.matrix
    return _transformation(
        "groupingToMatrix",
        {"rowField": down, "columnField": across, "valueField": "Value", "emptyValue": "null"},
    )


def _transformation(name: str, options: dict[str, Any]) -> dashboard.DataTransformerConfig:
    return dashboard.DataTransformerConfig(id_val=name, options=options)


def _property(name: str, value: object) -> dashboard.DynamicConfigValue:
    return dashboard.DynamicConfigValue(id_val=name, value=value)


_SHAPES: Final[dict[Kind, Callable[[Panel], AnyPanel]]] = {
    "lines": _lines,
    "number": _number,
    "bars": _bars,
    "matrix": _matrix,
    "table": _table,
}
