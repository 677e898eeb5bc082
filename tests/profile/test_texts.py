"""Columns of texts, each different one looked at once: the same profile, sooner."""

from __future__ import annotations

from dataclasses import replace

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pytest

from modelmeter import DataError, Profile
from modelmeter.profile import sources
from modelmeter.profile.documents import to_document
from modelmeter.profile.texts import as_texts

NAMES = ["", "a", "b", "c", "ä", "rare", "rarer"]


def values(rows=500):
    """Return texts of which some are missing, some rare, in no order."""
    random = np.random.default_rng(3)
    shares = np.asarray([5, 40, 20, 10, 10, 1, 1, 13])
    return random.choice(np.asarray([*NAMES, None], dtype=object), rows, p=shares / shares.sum())


SERIES = {
    "pandas text": lambda cells: pd.Series(cells, dtype="str"),
    "pandas object": lambda cells: pd.Series(cells, dtype=object),
    "pandas category": lambda cells: pd.Series(pd.Categorical(cells, ["unused", *NAMES])),
    "polars text": lambda cells: pl.Series(cells.tolist(), dtype=pl.String),
    "polars category": lambda cells: pl.Series(cells.tolist(), dtype=pl.String).cast(
        pl.Categorical
    ),
    "polars enum": lambda cells: pl.Series(cells.tolist(), dtype=pl.Enum(["unused", *NAMES])),
}


@pytest.mark.parametrize("kind", SERIES)
def test_texts_are_those_of_the_column(kind):
    """Texts and codes put together are the column, with None for what is missing."""
    cells = values()
    texts = as_texts(nw.from_native(SERIES[kind](cells), series_only=True))
    assert texts.distinct[texts.codes].tolist() == cells.tolist()
    assert dict(texts.tally()) == {v: (cells == v).sum() for v in NAMES if (cells == v).any()}
    first_come = list(dict.fromkeys(v for v in cells if v is not None))
    assert texts.distinct.tolist() == [*first_come, None]


@pytest.mark.parametrize(
    "series",
    [
        pd.Series([1.0, 2.0]),
        pd.Series(["a", 1], dtype=object),
        pd.Series(pd.Categorical([1, 2])),
        pl.Series([True, False]),
        pl.Series([], dtype=pl.String),
    ],
)
def test_what_is_not_text_is_left_to_others(series):
    """Numbers, mixtures, categories that are numbers and empty columns are no texts."""
    assert as_texts(nw.from_native(series, series_only=True)) is None


def built(X, **options):
    """Build a profile without the time at which it was made."""
    profile = Profile.build(None, X, name="m", version="1", canary_rows=0, **options)
    return to_document(replace(profile, created=""))


@pytest.mark.parametrize("kind", SERIES)
def test_profile_is_the_same_to_the_last_bit(kind, monkeypatch):
    """By batches, segments and days, looked at text by text or cell by cell."""
    monkeypatch.setattr(sources, "BATCH_ROWS", 60)
    cells = values()
    cells[:150] = None  # the first batches do not show what the column holds
    text = SERIES[kind](cells)
    frame = pd.DataFrame if kind.startswith("pandas") else pl.DataFrame
    number = np.arange(500.0)
    days = np.repeat(np.arange(10), 50) * 86_400.0
    X = frame({"x": number, "text": text, "nothing": [None] * 500})
    quick = built(X, timestamps=days, y=number > 250)
    monkeypatch.setattr(sources, "as_texts", lambda series: None)
    assert quick == built(X, timestamps=days, y=number > 250)


def test_texts_in_a_column_of_numbers_are_refused(monkeypatch):
    """A batch of texts after one of numbers is a mixture, with the row that shows it."""
    monkeypatch.setattr(sources, "BATCH_ROWS", 3)
    X = pd.DataFrame({"x": pd.Series([1, 2, 3, None, "four", 5], dtype=object)})
    with pytest.raises(DataError, match="mixes types: row 4 holds 'four'"):
        Profile.build(None, X[:5], name="m", version="1")
