"""Variables as Grafana's own."""

from __future__ import annotations

from typing import Final

from modelmeter.generate.dashboards.sdk import Builder, build, dashboard, kinds
from modelmeter.generate.dashboards.spec import Variable

SOURCE: Final = kinds.DataSourceRef(type_val="prometheus", uid="${datasource}")
"""The Prometheus that is chosen at the top."""

_ALL_TEXT: Final = "All"
_ALL_VALUE: Final = "$__all"
_LABEL_VALUES: Final = 1  # Grafana's number for this kind of query.


def drawn_variable(variable: Variable) -> Builder[dashboard.VariableModel]:
    """Return a variable as Grafana reads it."""
    if variable.hidden:
        (value,) = variable.values
        return (
            build.ConstantVariable(variable.name)
            .label(variable.label)
            .description(variable.description)
            .value(value)
        )
    if variable.query:
        return _query(variable)
    if variable.values:
        return _list(variable)
    return (
        build.DatasourceVariable(variable.name)
        .label(variable.label)
        .description(variable.description)
        .type("prometheus")
    )


def _query(variable: Variable) -> build.QueryVariable:
    query: dict[str, object] = {
        "qryType": _LABEL_VALUES,
        "query": variable.query,
        "refId": "PrometheusVariableQueryEditor-VariableQuery",
    }
    drawn = (
        build.QueryVariable(variable.name)
        .label(variable.label)
        .description(variable.description)
        .datasource(SOURCE)
        .query(query)
        .definition(variable.query)
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.NATURAL_ASC)
        .multi(variable.multi)
        .include_all(bool(variable.all_value))
    )
    if variable.all_value:
        drawn.all_value(variable.all_value)
        drawn.current(_option(_ALL_TEXT, _ALL_VALUE, multi=variable.multi))
    elif variable.default:
        drawn.current(_option(variable.default, variable.default, multi=variable.multi))
    return drawn


def _list(variable: Variable) -> build.CustomVariable:
    return (
        build.CustomVariable(variable.name)
        .label(variable.label)
        .description(variable.description)
        .values(",".join(variable.values))
        .current(_option(variable.default, variable.default, multi=False))
    )


def _option(text: str, value: str, *, multi: bool) -> dashboard.VariableOption:
    if multi:
        return dashboard.VariableOption(selected=True, text=[text], value=[value])
    return dashboard.VariableOption(selected=True, text=text, value=value)
