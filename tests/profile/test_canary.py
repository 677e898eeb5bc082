"""Canary rows: real or likely, answered by the model, and told from other answers."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

import modelmeter as mm
from modelmeter.profile.canary import Canary, canary_answers

RANDOM = np.random.default_rng(41)
N = 400
FRAME = pd.DataFrame(
    {
        "temp": np.where(RANDOM.random(N) < 0.2, np.nan, RANDOM.normal(10, 5, N)),
        "hour": RANDOM.integers(0, 24, N),
        "origin": RANDOM.choice(["JFK", "LGA", "once"], N, p=[0.6, 0.39, 0.01]),
        "vip": RANDOM.random(N) < 0.3,
        "stops": RANDOM.choice([0.0, 1.0, 2.5], N),
        "when": pd.Timestamp("2026-01-01") + pd.to_timedelta(RANDOM.integers(0, 10**6, N), "s"),
        "gone": np.nan,
    }
)
LATE = (FRAME["hour"] > 12).astype(int)
LEVEL = pd.Series(np.array(["low", "mid", "top"])[FRAME["hour"] // 8])


def pipeline(final):
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["origin", "vip"]),
        (make_pipeline(SimpleImputer(), StandardScaler()), ["temp", "hour"]),
    )
    return make_pipeline(encode, final)


MODELS = {
    "probabilities": (pipeline(LogisticRegression()), LATE),
    "margins": (pipeline(LinearSVC()), LATE),
    "classes": (pipeline(LogisticRegression()), LEVEL),
    "number": (pipeline(LinearRegression()), FRAME["hour"] * 1.5),
}
for _model, _y in MODELS.values():
    _model.fit(FRAME, _y)


def build(model, X=FRAME, rows=30, source="synthetic", **options):
    options.setdefault("binning", mm.Binning(categorical=("stops",)))
    measuring = mm.Measuring(canary_source=source)
    return mm.Profile.build(
        model, X, name="m", version="1", canary_rows=rows, measuring=measuring, **options
    )


@pytest.mark.parametrize("source", ["synthetic", "training"])
@pytest.mark.parametrize("kind", MODELS)
def test_answers_are_the_models_now_and_later(kind, source, tmp_path):
    """The model kept, and read from a file, answers all rows as it did; another one does not."""
    model, _ = MODELS[kind]
    profile = build(model, source=source)
    canary = profile.canary
    assert (canary.source, len(canary.rows), len(canary.y_pred)) == (source, 30, 30)
    assert len(canary.y_score) == (0 if kind == "number" else 30)
    profile.save(tmp_path / "m.json")
    kept = mm.Profile.load(tmp_path / "m.json").canary
    assert kept == canary
    assert kept.differing(*canary_answers(profile, model, kept.rows)) == 0
    other = pipeline(type(model[-1])()).fit(FRAME, np.roll(MODELS[kind][1], 37))
    assert kept.differing(*canary_answers(profile, other, kept.rows)) > 0


@given(st.integers(1, 60))
def test_synthetic_rows_are_of_the_bins_of_training(rows):
    """Drawn values fall into bins that training had, and are the same for the same profile."""
    profile = build(lambda X: X["hour"] > 12, rows=rows)
    assert len(profile.canary.rows) == rows
    for feature in profile.features:
        for row in profile.canary.rows:
            value = row[feature.name]
            if feature.kind == "datetime":
                value = datetime.fromisoformat(value)
            place = feature.bins.index(value)
            assert feature.counts[place]
            assert feature.bins.bins[place].kind in ("interval", "category", "missing", "unseen")
    assert all(isinstance(row["hour"], int) for row in profile.canary.rows)
    assert {row["gone"] for row in profile.canary.rows} == {None}
    again = build(lambda X: X["hour"] > 12, rows=rows)
    assert again.canary.rows == profile.canary.rows


def test_synthetic_rows_are_as_frequent_as_in_training():
    """Bins are drawn in proportion to their rows; a rare value becomes a frequent one."""
    rows = build(lambda X: X["hour"] > 12, rows=1_000).canary.rows
    frame = pd.DataFrame(rows)
    assert frame["temp"].isna().mean() == pytest.approx(0.2, abs=0.05)
    assert (frame["origin"] == "JFK").mean() == pytest.approx(0.6, abs=0.05)
    assert set(frame["origin"]) == {"JFK", "LGA"}
    assert frame["hour"].mean() == pytest.approx(FRAME["hour"].mean(), abs=1)


FORMS = {
    "pandas": lambda f: f,
    "polars": pl.from_pandas,
    "objects": lambda f: f.astype(object),
    "nullable": lambda f: f.convert_dtypes().astype({"gone": float}),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_training_rows_are_real_and_evenly_spread(form, small_batches):
    """Real rows come from the first to the last, as JSON has their values."""

    def hour(X):
        return [int(h) for h in X["hour"]]

    profile = build(hour, form(FRAME), rows=5, source="training")
    numbers = [0, 100, 200, 299, 399]
    expected = FRAME.iloc[numbers]
    rows = pd.DataFrame(profile.canary.rows)
    assert rows["temp"].tolist() == pytest.approx(expected["temp"].tolist(), nan_ok=True)
    for name in ("hour", "origin", "vip", "stops"):
        assert rows[name].tolist() == expected[name].tolist()
    times = [datetime.fromisoformat(text) for text in rows["when"]]
    assert times == expected["when"].dt.tz_localize(UTC).tolist()
    assert profile.canary.y_pred == tuple(expected["hour"].tolist())
    assert json.loads(json.dumps(profile.canary.rows, allow_nan=False)) == list(profile.canary.rows)


def test_few_training_rows_are_all_kept():
    """With fewer rows than asked for, each is there once."""
    X = FRAME[["hour"]][:7]
    profile = build(lambda X: X["hour"] * 2.0, X, source="training", binning=None)
    assert [row["hour"] for row in profile.canary.rows] == X["hour"].tolist()


def test_values_of_any_type_are_kept_as_json_has_them():
    """Decimals and durations are numbers; a missing answer is None."""
    X = pd.DataFrame(
        {"price": [Decimal("1.5"), None], "span": pd.to_timedelta(["90s", None]), "k": [1, 2]}
    )

    def model(X):
        return [None, 2.5]

    profile = build(model, X, source="training", binning=None)
    assert profile.canary.rows[0] == {"price": 1.5, "span": 90.0, "k": 1}
    assert profile.canary.rows[1] == {"price": None, "span": None, "k": 2}
    assert profile.canary.y_pred == (None, 2.5)
    assert profile.canary.differing([np.nan, 2.5]) == 0


def test_models_of_arrays_are_asked_with_arrays():
    """A model fitted on an array is given one, without a warning about names."""
    X = FRAME[["hour", "vip"]].to_numpy(dtype=float)
    model = LogisticRegression().fit(X, LATE)
    canary = build(model, X, binning=None, source="training", rows=N).canary
    assert canary.y_pred == tuple(model.predict(X).tolist())


# what cannot be kept


def test_a_model_that_fails_on_made_up_rows_says_the_way_out():
    """Where a model cannot do without what belongs together, real rows are offered."""
    X = pd.DataFrame({"low": np.arange(50.0), "high": np.arange(50.0) + 1})

    def ordered(X):
        if (X["low"] > X["high"]).any():
            raise ValueError("low is above high")
        return X["low"] * 2

    words = r"failed on synthetic canary rows: .*low is above high.*canary_source='training'"
    with pytest.raises(mm.ModelError, match=words):
        build(ordered, X, binning=None)
    assert build(ordered, X, binning=None, source="training").canary.y_pred[0] == 0

    def endless(X):
        return np.where(X["low"] > X["high"], np.inf, 1.5)

    with pytest.raises(mm.ModelError, match=r"answers inf to a synthetic canary row.*training"):
        build(endless, X, binning=None)


def test_a_model_that_fails_on_real_rows_says_to_keep_none():
    """A callable of arrays cannot be asked with the frame that rows become."""
    X = FRAME[["hour"]].to_numpy()
    with pytest.raises(mm.ModelError, match=r"failed on training canary rows.*canary_rows=0"):
        build(lambda X: X[:, 0] * 2.0, X, source="training", binning=None)


def test_another_number_of_answers_is_refused():
    """A model that answers other than once a row on canary rows is named."""

    def model(X):
        return np.zeros(len(X) if len(X) == N else 3)

    with pytest.raises(mm.ModelError, match="gave 3 answers for 30 canary rows"):
        build(model)


def test_a_canary_needs_a_model_that_predicts():
    """Features alone, or a transformer, have no answers to keep."""
    for model in (None, StandardScaler().fit(FRAME[["temp", "hour"]])):
        with pytest.raises(mm.ModelError, match="canary_rows needs a model that predicts"):
            build(model, FRAME[["temp", "hour"]], binning=None)


@pytest.mark.parametrize("rows", [-1, 1_001, 2.0, True, "ten"])
def test_bad_numbers_of_rows_are_refused(rows):
    """A number of canary rows out of its range is refused by name."""
    with pytest.raises(mm.ConfigurationError, match="canary_rows must be a whole number"):
        build(None, rows=rows)


def test_no_canary_unless_asked_for():
    """Without canary_rows nothing is kept."""
    assert build(lambda X: X["hour"] > 3, rows=0).canary is None


# comparing


def canary(y_pred, y_score=()):
    return Canary("synthetic", tuple({"x": i} for i in range(len(y_pred))), y_pred, y_score)


@pytest.mark.parametrize(
    ("then", "now", "differing"),
    [
        ((1.0, 2.0), [1.0, 2.0], 0),
        ((1.0, 1e6), [1.0 + 1e-6, 1e6 + 0.9], 0),
        ((1.0, 1e6), [1.0 + 3e-6, 1e6 + 1.1], 2),
        ((None, None, 1.0), [np.nan, None, np.nan], 1),
        ((1.0,), [np.inf], 1),
        ((1, 2_000_000), np.array([1, 2_000_001]), 1),
        ((1, 2), [1.0, 2.0], 0),
        (("a", "b"), np.array(["a", "c"]), 1),
        (("a",), [1], 1),
        ((1.5,), ["1.5"], 1),
        ((True, False), np.array([True, True]), 1),
        ((1.0, 2.0), np.array([[1.0], [2.0]]), 0),
        ((1.0, 2.0), [1.0], 2),
        ((1.0, 2.0), np.ones((2, 2)), 2),
        ((90.0,), [timedelta(seconds=90)], 0),
    ],
)
def test_rows_differ_beyond_the_tolerance(then, now, differing):
    """Numbers may differ a little, missing equals missing, labels are compared as they are."""
    assert canary(then).differing(now) == differing


def test_a_row_differs_by_its_answer_or_its_score():
    """Each row counts once; scores count where both sides have them."""
    kept = canary((0, 1, 1), (0.1, 0.9, None))
    assert kept.differing([0, 1, 1], [0.1, 0.9, np.nan]) == 0
    assert kept.differing([1, 1, 1], [0.2, 0.8, np.nan]) == 2
    assert kept.differing([0, 1, 1], [[0.9, 0.1], [0.1, 0.9], [0.5, 0.5]]) == 1
    assert kept.differing([0, 1, 1]) == 0
    assert kept.differing([0, 1, 1], [0.1, 0.9]) == 3
    assert kept.differing([0, 1, 1], ["x"] * 3) == 3
    assert canary((0, 1)).differing([0, 1], [0.1, 0.9]) == 0


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_the_same_answers_never_differ(values):
    """Whatever the numbers, they equal themselves."""
    assert canary(tuple(values)).differing(values) == 0
    assert canary(tuple(values)).differing(np.array(values)) == 0
