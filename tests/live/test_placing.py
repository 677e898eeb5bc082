"""The cells of rows and columns are those that the bins say, value by value."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelmeter.live.placing import Plan, RowPlacer
from modelmeter.stats.bins import CategoricalBins, NumericBins
from stats.strategies import NUMBERS, STRANGERS

BINS = {
    "number": NumericBins((0.0, 1.5, 2.0**53 + 4)),
    "nothing": NumericBins(()),
    "time": NumericBins((0.0, 86_400.0), is_time=True),
    "text": CategoricalBins(("a", "", "b"), "str"),
    "whole": CategoricalBins((0, 1, 7), "int"),
    "flag": CategoricalBins((True, False), "bool"),
    "open": CategoricalBins(("a",), "str", open_ended=True),
}
VALUES = st.one_of(NUMBERS, STRANGERS, st.sampled_from(["a", "b", "c", 0, 1, True, np.str_("a")]))


def plans(names):
    """Lay out the cells of some features."""
    start, made = 5, []
    for name in names:
        made.append(Plan(name, start, start + len(BINS[name].bins), BINS[name]))
        start = made[-1].stop
    return made


@settings(deadline=None, max_examples=300)
@given(st.dictionaries(st.sampled_from(sorted(BINS)), VALUES), st.data())
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_row_lands_where_its_values_do(row, data):
    """Whatever the values, their cells are those of `index`; what is not there is absent."""
    names = data.draw(st.lists(st.sampled_from(sorted(BINS)), unique=True))
    laid = plans(names)
    cells, absent = [], []
    RowPlacer(laid).place(row, cells, absent)
    expected = [plan.start + plan.bins.index(row[plan.name]) for plan in laid if plan.name in row]
    assert sorted(cells) == sorted(expected)
    assert absent == [(i, 1) for i, name in enumerate(names) if name not in row]


def test_values_are_not_kept():
    """Values that are no category are asked anew each time: no memory fills up with them."""
    placer = RowPlacer(plans(["text", "time"]))
    for number in range(100):
        placer.place({"text": f"user {number}", "time": number}, [], [])
    assert [len(table) for table in placer._tables] == [3, 0]
