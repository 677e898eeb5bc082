"""The page about recording rules follows from the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelmeter.generate import series
from modelmeter.generate.reference import END, START, series_table, update

PAGE = Path(__file__).parents[2] / "docs" / "rules.md"


def test_page_has_every_recorded_series():
    """The table in the page is the one that the code makes (`reference.update` renews it)."""
    page = PAGE.read_text()
    assert page.count(START) == page.count(END) == 1
    assert update(page) == page


@pytest.mark.parametrize("recorded", series.ALL, ids=lambda one: one.name)
def test_every_series_has_a_row_of_five_cells(recorded):
    """Name, labels, unit, formula, meaning; a bar inside a formula does not split its cell."""
    rows = [line for line in series_table().splitlines() if f"`{recorded.name}`" in line]
    assert len(rows) == 1
    assert rows[0].replace("\\|", "").count("|") == 6


def test_names_are_unique_and_their_level_is_known():
    """``level:metric``, with labels that the level does not have already."""
    assert len({one.name for one in series.ALL}) == len(series.ALL)
    for one in series.ALL:
        level, _, metric = one.name.partition(":")
        assert metric
        assert not set(one.labels) & set(series.LEVELS[level])


@pytest.mark.parametrize("level", series.LEVELS)
def test_page_lists_the_labels_of_each_level(level):
    """The table of levels names the labels that the rules group by."""
    row = next(line for line in PAGE.read_text().splitlines() if line.startswith(f"| `{level}` |"))
    assert all(f"`{label}`" in row for label in series.LEVELS[level])
