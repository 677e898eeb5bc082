"""The table of units, limits and colours."""

from __future__ import annotations

import math

from modelmeter.generate.dashboards import look

# Ids of Grafana's own list of units.
UNITS = {"short", "rowsps", "reqps", "percentunit", "s", "bytes", "string"}


def test_units_are_grafanas():
    """Every unit is one that Grafana knows."""
    assert {quantity.unit for quantity in look.ALL.values()} == UNITS


def test_limits_rise_from_good_to_bad():
    """Colours follow each other from green over yellow to red, at rising values."""
    order = [look.GOOD, look.WARNING, look.BAD]
    for quantity in look.ALL.values():
        values = [-math.inf if value is None else value for value, _ in quantity.steps]
        assert values == sorted(set(values))
        places = [order.index(colour) for _, colour in quantity.steps]
        assert places == sorted(set(places))
        assert quantity.judged == (len(quantity.steps) > 1)
