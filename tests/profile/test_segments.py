"""Segments: their counts add up, their baselines are scikit-learn's, their cost is said."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import accuracy_score, mean_absolute_error, r2_score
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

import modelmeter as mm
from modelmeter import names
from modelmeter.live.counts import Counts
from modelmeter.live.outputs import class_score_rows, is_by_class
from modelmeter.live.reference import export_reference
from modelmeter.live.tallies import series_of
from modelmeter.profile.folds import shuffled_folds, stratified_folds
from modelmeter.profile.segments import segment_names, segment_series

RANDOM = np.random.default_rng(31)
N = 1_200
FRAME = pd.DataFrame(
    {
        "temp": RANDOM.normal(10, 5, N),
        "hour": RANDOM.integers(0, 24, N),
        "origin": RANDOM.choice(["JFK", "LGA", "EWR", "rare"], N, p=[0.5, 0.3, 0.195, 0.005]),
        "vip": RANDOM.random(N) < 0.3,
        "stops": RANDOM.integers(0, 3, N),
        "when": pd.Timestamp("2026-01-01") + pd.to_timedelta(RANDOM.integers(0, 10**6, N), "s"),
        "gone": np.nan,
    }
)
FRAME.loc[::50, "origin"] = None
NUMBER = FRAME["temp"] / 5 + FRAME["hour"] / 6 - 4 + RANDOM.normal(size=N)
LATE = (NUMBER > 0).astype(int)
LEVEL = pd.Series(np.array(["low", "mid", "top"])[np.digitize(NUMBER, [-1, 1])])
USED = ["temp", "hour", "origin", "vip"]
SEGMENTS = ("origin", "vip")
CASES = {
    "probabilities": (LogisticRegression(), LATE),
    "margins": (LinearSVC(), LATE),
    "classes": (LogisticRegression(), LEVEL),
    "number": (LinearRegression(), NUMBER),
}


def fitted(final, y):
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["origin"]),
        (StandardScaler(), ["temp", "hour"]),
    )
    return make_pipeline(encode, final).fit(FRAME[USED], y)


MODELS = {kind: fitted(final, y) for kind, (final, y) in CASES.items()}


def build(kind, X=FRAME[USED], y=None, **options):
    y = CASES[kind][1][X.index] if y is None else y
    options = {"segments": SEGMENTS} | options
    return mm.Profile.build(MODELS[kind], X, y, name="m", version="1", **options)


def outputs_of(profile):
    return {output.name: output for output in profile.predictions}


def members(profile, segmentation):
    """Return which rows of the frame are in each segment."""
    (feature,) = (f for f in profile.features if f.name == segmentation.feature)
    places = np.array([feature.bins.index(v) for v in FRAME[segmentation.feature].tolist()])
    return [places == i for i in range(len(feature.bins.bins))]


@pytest.mark.parametrize("kind", CASES)
def test_counts_are_those_of_the_rows(kind, small_batches):
    """Each segment counts the answers to its rows, and all segments the answers to all."""
    profile = build(kind)
    answers = {"y_pred": MODELS[kind].predict(FRAME[USED])}
    if kind in ("probabilities", "classes"):
        answers["y_score"] = MODELS[kind].predict_proba(FRAME[USED])
    for one in profile.segments:
        for name, output in outputs_of(profile).items():
            table = np.asarray(one.counts[name])
            assert table.sum(axis=0).tolist() == list(output.counts)
            (feature,) = (f for f in profile.features if f.name == one.feature)
            assert table.sum(axis=1).tolist() == list(feature.counts)
            if name not in answers:
                continue
            values = answers[name]
            if values.ndim == 2:
                values = values[:, 1] if kind == "probabilities" else values.max(axis=1)
            for row, rows in zip(table, members(profile, one), strict=True):
                assert row.tolist() == output.bins.count(values[rows]).tolist()


@settings(max_examples=25)
@given(st.lists(st.sampled_from(["a", "b", None]), min_size=40, max_size=40), st.integers(1, 39))
def test_parts_add_up_to_the_whole(values, cut):
    """Segments of parts over the same bins merge to those of the whole, whatever is missing."""
    frame = pd.DataFrame({"x": np.arange(40.0), "c": pd.Series(values, dtype=object)})
    frame.loc[:9, "c"] = "a"

    def double(X):
        return 2.0 * X["x"]

    def part(rows, **options):
        return mm.Profile.build(double, rows, name="m", version="1", segments=["c"], **options)

    whole = part(frame)
    first, second = (part(rows, bins_from=whole) for rows in (frame[:cut], frame[cut:]))
    assert part(frame, bins_from=whole).segments == whole.segments
    assert first.merge(second).segments == whole.segments


@pytest.mark.parametrize("kind", CASES)
def test_baselines_by_segment_equal_scikit_learn(kind):
    """Cross-validated figures of a segment are scikit-learn's over its rows."""
    final, y = CASES[kind]
    profile = build(kind)
    folds = shuffled_folds(N, 5)
    if kind != "number":
        folds = stratified_folds(np.unique(y, return_inverse=True)[1], 5)
    said = cross_val_predict(fitted(final, y), FRAME[USED], y, cv=PredefinedSplit(folds))
    measured = 0
    for one in profile.segments:
        for baseline, rows in zip(one.baselines, members(profile, one), strict=True):
            if not rows.any():
                assert baseline is None
                continue
            measured += baseline.rows
            assert baseline.method == profile.baseline.method
            if kind != "number":
                expected = accuracy_score(y[rows], said[rows])
                assert baseline.get("accuracy").value == pytest.approx(expected)
                continue
            expected = mean_absolute_error(y[rows], said[rows])
            assert baseline.get("mae").value == pytest.approx(expected)
            if rows.sum() > 1:
                assert baseline.get("r2").value == pytest.approx(r2_score(y[rows], said[rows]))
    assert measured == 2 * N


@pytest.mark.parametrize("form", [pd.DataFrame, pl.from_pandas])
def test_rows_held_out_are_parted_by_their_own_columns(form):
    """With a hold-out a segment has the rows held out whose feature says so."""
    X, y = FRAME[USED][800:], LATE[800:]
    profile = build("probabilities", X_holdout=form(X), y_holdout=y.to_numpy())
    said = MODELS["probabilities"].predict(X)
    (origin, _), rows = profile.segments, (X["origin"] == "LGA").to_numpy()
    (feature,) = (f for f in profile.features if f.name == "origin")
    baseline = origin.baselines[feature.bins.index("LGA")]
    assert (baseline.rows, baseline.method) == (rows.sum(), "hold-out")
    assert baseline.get("accuracy").value == accuracy_score(y[rows], said[rows])


def test_segments_without_a_measurement_are_counted():
    """Where nothing is measured, segments have counts and no baselines."""
    profile = build("probabilities", measuring=mm.Measuring(folds=0))
    for one in profile.segments:
        assert set(one.baselines) == set(one.calibrations) == {None}
        assert np.asarray(one.counts["y_pred"]).sum() == N


def test_a_number_may_be_a_segment_as_a_category():
    """Numbers taken as categories make segments, named by their values."""
    profile = mm.Profile.build(
        lambda X: X["temp"] > 10, FRAME[["temp", "stops"]], name="m", version="1",
        segments=["stops"], binning=mm.Binning(categorical=("stops",)),
    )  # fmt: skip
    stops = profile.features[1]
    found = segment_names("stops", stops.bins)
    assert set(found[:3]) == {"stops=0", "stops=1", "stops=2"}
    assert found[3:] == ("stops=other", "stops=unseen", "stops=missing", "stops=invalid")


@pytest.mark.parametrize(
    ("segments", "words"),
    [
        ("origin", r"must be a list of features: \['origin'\]"),
        (["nothing"], "'nothing' is no feature; there are"),
        (["late"], "'late' is no feature"),
        (["origin", "vip", "origin"], "'origin' is there twice"),
        (["temp"], r"'temp' is numeric; .*categorical=\('temp',\)"),
        (["when"], "'when' holds times"),
        (["gone"], "'gone' has no value"),
    ],
)
def test_bad_segments_are_refused(segments, words):
    """What is no categorical feature is refused by name."""
    with pytest.raises(mm.DataError, match=words):
        mm.Profile.build(
            lambda X: X["temp"], FRAME.assign(late=LATE), "late",
            name="m", version="1", segments=segments,
        )  # fmt: skip


def test_segments_need_answers():
    """Without a model that predicts there is nothing to part."""
    with pytest.raises(mm.DataError, match="give a model that predicts"):
        mm.Profile.build(None, FRAME, name="m", version="1", segments=["origin"])


# what they cost


def exported(profile):
    """Count the series with a segment that a replica exports."""
    counts = Counts()
    live = sum(1 for row in export_reference(profile, counts) if row[-1])
    for block in counts.blocks:
        if "segment" in block.metric.labels:
            place = block.metric.labels.index("segment")
            live += sum(1 for row in block.rows if row[place])
    # Of the totals of labels, the first label beyond model, version and store.
    by_segment = {m.name for m in names.ALL if "segment" in m.labels and "store" in m.labels}
    labels = sum(1 for name, row in series_of(profile) if name in by_segment and row[0])
    if is_by_class(profile):
        live += sum(1 for row in class_score_rows(profile) if row[-1])
    return live + labels


@pytest.mark.parametrize("kind", CASES)
def test_the_series_counted_are_those_exported(kind):
    """The number that the build says is that of a replica, with and without baselines."""
    for measuring in (mm.Measuring(), mm.Measuring(folds=0)):
        profile = build(kind, measuring=measuring)
        assert segment_series(profile) == exported(profile) > 100
    assert segment_series(build(kind, segments=())) == 0


def test_what_segments_cost_is_said_once(caplog):
    """One warning names the features and the series; without segments there is none."""
    with caplog.at_level(logging.WARNING, logger="modelmeter"):
        profile = build("number")
        build("number", segments=())
    expected = f"segments add {segment_series(profile)} series per replica: "
    assert caplog.messages == [f"{expected}origin 7 segments, vip 6 segments"]


def test_too_many_series_are_refused_before_what_takes_long():
    """Above the limit the build stops, says how many and what to do, and fits no model."""
    fits = []

    class Slow(LinearRegression):
        def fit(self, X, y):
            fits.append(len(X))
            return super().fit(X, y)

    X = FRAME[["temp", "hour", "vip"]]
    model = Slow().fit(X, NUMBER)
    limit = mm.Measuring(max_segment_series=50)
    words = (
        r"would add \d+ series to every replica \(vip 6 segments\).*max_segment_series=50.*raise"
    )
    with pytest.raises(mm.DataError, match=words):
        mm.Profile.build(
            model, X, NUMBER, name="m", version="1", segments=["vip"], measuring=limit
        )  # fmt: skip
    assert fits == [N]


def test_baselines_count_against_the_limit():
    """Figures by segment are series, too: a limit that only they pass is passed."""
    unmeasured = segment_series(build("probabilities", measuring=mm.Measuring(folds=0)))
    with pytest.raises(mm.DataError, match="series to every replica"):
        build("probabilities", measuring=mm.Measuring(max_segment_series=unmeasured))
