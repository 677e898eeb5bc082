"""Profiles of parts of a training set add up to the profile of the whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import modelmeter as mm

RANDOM = np.random.default_rng(3)
FRAME = pd.DataFrame(
    {
        "x": np.where(RANDOM.random(600) < 0.1, np.nan, RANDOM.normal(5, 2, 600)),
        "k": RANDOM.integers(0, 40, 600),
        "c": RANDOM.choice(list("abcdef"), 600),
    }
)


def double(X):
    return 2.0 * X["k"].to_numpy()


def build(frame, **options):
    return mm.Profile.build(double, frame, name="m", version="1", **options)


WHOLE = build(FRAME)


@settings(max_examples=25)
@given(st.integers(1, 599))
def test_two_parts_merge_to_the_whole(cut):
    """Counts, missing, range are exactly those of one build; moments up to rounding."""
    parts = [build(part, bins_from=WHOLE) for part in (FRAME[:cut], FRAME[cut:])]
    merged = parts[0].merge(parts[1])
    assert merged.rows == WHOLE.rows
    for mine, whole in zip(
        (*merged.features, *merged.predictions), (*WHOLE.features, *WHOLE.predictions), strict=True
    ):
        assert mine.counts == whole.counts
        assert (mine.missing, mine.min, mine.max) == (whole.missing, whole.min, whole.max)
        if whole.moments:
            assert mine.moments == pytest.approx(whole.moments, rel=1e-9)
            assert mine.centers == pytest.approx(whole.centers, rel=1e-9)


def test_quantiles_of_a_merge_are_read_off_the_bins():
    """Merged quantiles lie within a bin's width of those of the whole."""
    merged = build(FRAME[:200], bins_from=WHOLE).merge(build(FRAME[200:], bins_from=WHOLE))
    x, whole = merged.features[0], WHOLE.features[0]
    widths = np.diff(whole.bins.edges)
    assert np.abs(np.subtract(x.quantiles, whole.quantiles)).max() <= widths.max()


def test_different_bins_are_refused():
    """Profiles over bins of their own cannot be merged; the message says what to do."""
    with pytest.raises(mm.MergeError, match=r"'x' has different bins.*bins_from"):
        build(FRAME[:300]).merge(build(FRAME[300:]))


@pytest.mark.parametrize("change", [{"name": "other"}, {"version": "2"}, {"features": ()}])
def test_different_models_are_refused(change):
    """Profiles of another name, version or features cannot be merged."""
    with pytest.raises(mm.MergeError, match=next(iter(change))):
        WHOLE.merge(replace(WHOLE, **change))


def test_a_part_without_values_changes_nothing():
    """A part in which a column is all missing leaves its moments as they are."""
    empty = FRAME[:50].assign(x=np.nan)
    merged = WHOLE.merge(build(empty, bins_from=WHOLE))
    assert merged.features[0].moments == WHOLE.features[0].moments
    assert merged.features[0].missing == WHOLE.features[0].missing + 50
