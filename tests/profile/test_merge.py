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


# what was measured out of sample

HOUR = FRAME["k"].to_numpy()
TRUTHS = {
    "number": 2.0 * HOUR + RANDOM.normal(size=600),
    "scores": (HOUR + RANDOM.normal(0, 9, 600) > 20).astype(int),
    "classes": np.digitize(HOUR + RANDOM.normal(0, 9, 600), [15, 25]),
}


class Scored:
    """A classifier with probabilities of as many classes as it is told."""

    def __init__(self, classes):
        self.classes_ = np.arange(classes)

    def predict(self, X):
        return self.predict_proba(X).argmax(axis=1)

    def predict_proba(self, X):
        centers = np.linspace(5, 35, len(self.classes_))
        likely = np.exp(-np.abs(X["k"].to_numpy(dtype=float)[:, None] - centers) / 5)
        return likely / likely.sum(axis=1, keepdims=True)


MODELS = {"number": double, "scores": Scored(2), "classes": Scored(3)}


def measured(kind, rows, **options):
    """Return a profile of some rows, measured on the same rows."""
    y = {"y_holdout": TRUTHS[kind][rows], "X_holdout": FRAME[rows]}
    return mm.Profile.build(
        MODELS[kind], FRAME[rows], name="m", version="1", segments=["c"], **(y | options)
    )


def assert_same_baseline(mine, whole):
    """Two baselines have the same figures up to rounding."""
    assert (mine.method, mine.rows) == (whole.method, whole.rows)
    names = [(m.metric, m.of_class) for m in whole.measures]
    assert [(m.metric, m.of_class) for m in mine.measures] == names
    for one, other in zip(mine.measures, whole.measures, strict=True):
        assert one.value == pytest.approx(other.value, rel=1e-6, abs=1e-9)
        assert one.error == pytest.approx(other.error, rel=1e-6)


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("cut", [1, 250, 599])
def test_performance_of_parts_is_that_of_the_whole(kind, cut):
    """Calibrations add up, and baselines follow from them, as a whole and by segment."""
    whole = measured(kind, slice(None))
    first, second = (
        measured(kind, rows, bins_from=whole) for rows in (slice(0, cut), slice(cut, None))
    )
    merged = first.merge(second)
    assert merged.unmeasured == ""
    assert_same_baseline(merged.baseline, whole.baseline)
    if kind == "number":
        for mine, theirs in zip(merged.calibration.sums, whole.calibration.sums, strict=True):
            assert mine == pytest.approx(theirs)
    else:
        assert merged.calibration.counts == whole.calibration.counts
        assert merged.calibration.scores == pytest.approx(whole.calibration.scores)
    (mine,), (theirs,) = merged.segments, whole.segments
    assert mine.counts == theirs.counts
    for one, other in zip(mine.baselines, theirs.baselines, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            assert_same_baseline(one, other)


def test_a_merged_profile_can_be_saved(tmp_path):
    """What was merged is read back as it was."""
    merged = measured("scores", slice(None)).merge(measured("scores", slice(None)))
    merged.save(tmp_path / "m.json")
    assert mm.Profile.load(tmp_path / "m.json") == merged


def test_a_part_without_a_measurement_leaves_none():
    """Half a measurement is none; the reason names the part that lacks it, however often."""
    whole = measured("scores", slice(None))
    nothing = {"X_holdout": None, "y_holdout": None, "bins_from": whole}
    bare = measured("scores", slice(0, 300), **nothing)
    assert "give y" in bare.unmeasured
    for merged in (whole.merge(bare), bare.merge(whole), whole.merge(bare).merge(whole)):
        assert (merged.baseline, merged.calibration) == (None, None)
        assert merged.unmeasured == (
            f"of two profiles that were merged one is unmeasured: {bare.unmeasured}"
        )
        (segments,) = merged.segments
        assert set(segments.baselines) == set(segments.calibrations) == {None}
        assert np.asarray(segments.counts["y_pred"]).sum() == merged.rows
    assert bare.merge(bare).unmeasured == bare.unmeasured


def test_methods_are_named_once_each():
    """Parts measured in two ways say both, and no way twice."""
    whole = measured("scores", slice(None))
    other = replace(whole, baseline=replace(whole.baseline, method="cross-validation"))
    merged = whole.merge(other).merge(whole).merge(other)
    assert merged.baseline.method == "hold-out; cross-validation"
    assert merged.baseline.rows == 2400


def test_different_segments_are_refused():
    """Profiles with segments by different features cannot be merged."""
    whole = measured("scores", slice(None))
    with pytest.raises(mm.MergeError, match=r"different segments: \['c'\] and \[\]"):
        whole.merge(replace(whole, segments=()))


def test_a_canary_of_either_is_kept():
    """The first profile's canary rows stay; where it has none, the other's do."""
    bare, first, second = (build(FRAME, bins_from=WHOLE, canary_rows=n) for n in (0, 2, 3))
    assert first.merge(second).canary == first.canary
    assert bare.merge(second).canary == second.canary
    assert bare.merge(bare).canary is None
