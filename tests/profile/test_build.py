"""Building a profile: what it says is so, and bad data are refused with their place."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

import modelmeter as mm
from modelmeter.stats.drift import psi_excess

RANDOM = np.random.default_rng(11)
N = 3_000
FRAME = pd.DataFrame(
    {
        "amount": np.where(RANDOM.random(N) < 0.1, np.nan, RANDOM.exponential(7, N).round(3)),
        "hour": RANDOM.integers(0, 24, N),
        "city": RANDOM.choice([*"ABCDEFGHIJKLMNOPQRSTUVWXYZ"], N),
        "flag": RANDOM.random(N) < 0.4,
        "when": pd.Timestamp("2026-01-01") + pd.to_timedelta(RANDOM.integers(0, 10**6, N), "s"),
    }
)
Y = (FRAME["hour"] > 12).to_numpy()


def build(X, model=None, y=None, **options):
    return mm.Profile.build(model, X, y, name="m", version="1", **options)


def test_what_a_profile_says_is_true_of_the_data():
    """Rows, missing, range, mean, deviation, quantiles are those of pandas."""
    profile = build(FRAME)
    amount = profile.features[0]
    column = FRAME["amount"]
    assert (profile.rows, amount.rows, amount.missing) == (N, N, column.isna().sum())
    assert (amount.min, amount.max) == (column.min(), column.max())
    assert amount.mean == pytest.approx(column.mean(), rel=1e-12)
    assert amount.std == pytest.approx(column.std(ddof=0), rel=1e-12)
    assert amount.quantiles[3] == pytest.approx(column.median(), rel=1e-12)
    city = profile.features[2]
    top = FRAME["city"].value_counts()
    assert sum(city.counts[:20]) == top.iloc[:20].sum()
    assert city.counts[city.bins.other] == top.iloc[20:].sum()


def test_rare_values_become_no_category():
    """A category of fewer than ten rows has no bin, and is told from one never seen."""
    frame = pd.DataFrame({"c": ["often"] * 50 + ["nine"] * 9 + ["ten"] * 10})
    bins = build(frame).features[0].bins
    assert bins.categories == ("often", "ten")
    assert bins.bins[bins.index("nine")].label == "other"
    assert bins.bins[bins.index("never")].label == "unseen"


def test_constant_and_missing_columns_are_marked():
    """All-missing and constant columns are accepted and marked."""
    columns = {"one": 1.0, "none": None, "nan": np.nan, "a": "a"}
    frame = pd.DataFrame({name: [value] * 9 for name, value in columns.items()})
    marks = {f.name: (f.constant, f.all_missing) for f in build(frame).features}
    assert marks["one"] == (True, False)
    assert marks["none"] == marks["nan"] == (False, True)


def frame_of(**columns):
    return pd.DataFrame({"x": range(20), **columns})


def with_value(value, row=3):
    cells = [float(i) for i in range(20)]
    cells[row] = value
    return pd.Series(cells, dtype=object)


@pytest.mark.parametrize(
    ("X", "words"),
    [
        (FRAME[:0], "no rows"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "two columns have the name 'a'"),
        (pd.DataFrame({0: [1]}), "column names must be text, not 0"),
        (frame_of(c=with_value("text")), "column 'c' mixes types: .*'text'"),
        (frame_of(c=with_value(np.inf)), "column 'c': row 3 holds inf"),
        (frame_of(c=with_value([1])), r"column 'c': row 3 holds \[1\] \(list\)"),
        (frame_of(c=with_value(b"b")), "column 'c': row 3 holds b'b'"),
        (np.zeros(5), "two dimensions"),
        ("nowhere.parquet", "there is no file 'nowhere.parquet'"),
        (__file__, r"is no \.parquet"),
        (3, "must be a data frame"),
        ([[1, 2]], "must be a data frame"),
    ],
)
def test_bad_data_is_refused_by_column_and_value(X, words):
    """What cannot be profiled is refused with the column and the value."""
    with pytest.raises(mm.DataError, match=words):
        build(X)


def test_columns_and_model_must_fit():
    """A column that the model does not know, or misses, is named."""
    model = LinearRegression().fit(FRAME[["hour"]], FRAME["hour"])
    with pytest.raises(mm.DataError, match="'amount' is not known to the model"):
        build(FRAME[["hour", "amount"]], model)
    both = LinearRegression().fit(FRAME[["hour", "flag"]], FRAME["hour"])
    with pytest.raises(mm.DataError, match="no column 'flag'"):
        build(FRAME[["hour"]], both)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"y": [1, 2]}, "y has 2 values"),
        ({"timestamps": [1.0]}, "timestamps has 1 values"),
        ({"timestamps": [None] * N}, "timestamps: row 0 holds None"),
        ({"y": "nothing"}, "y='nothing' is no column"),
        ({"drop": ["nothing"]}, "drop='nothing' is no column"),
    ],
)
def test_bad_companions_are_refused(options, words):
    """Targets and time stamps of another length or type are refused."""
    with pytest.raises(mm.DataError, match=words):
        build(FRAME, **options)


@pytest.mark.parametrize("bins", [1, 41, 2.5, "ten"])
def test_bad_numbers_of_bins_are_refused(bins):
    """A number of bins out of range is refused by name."""
    with pytest.raises(mm.ConfigurationError, match="bins must be"):
        mm.Binning(bins=bins)


def encoded(final):
    scale = make_column_transformer(
        (StandardScaler(), ["hour"]), (OneHotEncoder(), ["city", "flag"]), remainder="drop"
    )
    return make_pipeline(scale, final)


@pytest.mark.parametrize(
    ("model", "task", "method", "threshold"),
    [
        (encoded(LogisticRegression()), "binary", "predict_proba", np.nextafter(0.5, 1)),
        (encoded(LinearSVC()), "binary", "decision_function", np.nextafter(0, 1)),
        (
            FixedThresholdClassifier(
                encoded(LogisticRegression()), threshold=0.3, response_method="predict_proba"
            ),
            "binary", "predict_proba", 0.3,
        ),
        (GridSearchCV(encoded(LogisticRegression()), {}, cv=2), "binary", "predict_proba", None),
        (encoded(LinearRegression()), "regression", None, None),
    ],
)  # fmt: skip
def test_what_is_known_of_a_model(model, task, method, threshold):
    """Task, scores and threshold are found; outputs are counted as the model gives them."""
    X = FRAME[["hour", "city", "flag"]]
    model.fit(X, Y)
    profile = build(X, model, Y)
    facts = profile.model
    assert (facts.task, facts.score_method) == (task, method)
    if threshold is not None:
        assert facts.threshold == threshold
    y_pred = profile.predictions[0]
    assert y_pred.rows == N
    if task == "binary":
        answers = model.predict(X)
        assert y_pred.counts[:2] == ((~answers).sum(), answers.sum())
        score = profile.predictions[1]
        above = [low >= facts.threshold for low in score.bins.edges]
        positive = sum(n for n, up in zip(score.counts[1:], above, strict=False) if up)
        assert positive + 0 == answers.sum()


def test_importances_lead_back_to_the_inputs():
    """Importances sum to one, and the feature that decides has most of them."""
    X = FRAME[["hour", "city", "flag"]]
    for final in (LogisticRegression(), RandomForestClassifier(20, random_state=0)):
        features = build(X, encoded(final).fit(X, Y)).features
        shares = {f.name: f.importance for f in features}
        assert sum(shares.values()) == pytest.approx(1)
        assert max(shares, key=shares.get) == "hour"
    plain = LogisticRegression().fit(X[["hour"]], Y)
    assert build(X[["hour"]], plain).features[0].importance == 1
    assert build(FRAME).features[0].importance is None


def test_natural_variation_is_that_of_the_days():
    """The variation is what 95 days in 100 stay under, from their mean PSI above noise."""
    days = np.sort(RANDOM.integers(0, 30, N))
    drifting = pd.DataFrame({"x": RANDOM.normal(size=N) + days / 10, "c": RANDOM.normal(size=N)})
    profile = build(drifting, timestamps=days * 86_400.0 + 5)
    x, c = profile.features
    assert profile.time_span == (days.min() * 86_400 + 5, days.max() * 86_400 + 5)
    tables = [x.bins.count(drifting["x"][days == day].to_numpy()) for day in np.unique(days)]
    scores = [psi_excess(t, np.asarray(x.counts)) for t in tables if t.sum() >= 50]
    assert x.variation == pytest.approx(norm.ppf(0.975) ** 2 * np.mean(scores))
    assert c.variation < x.variation
    assert build(drifting).features[0].variation is None


@pytest.mark.parametrize(("classes", "told"), [(50, False), (60, True)])
def test_many_pairs_of_classes_are_told(classes, told, caplog):
    """Labels of many classes add a series for every pair of them, which is said beforehand."""
    X = np.arange(classes * 20.0).reshape(-1, 1) % classes
    y = X[:, 0].astype(int)
    model = DummyClassifier().fit(X, y)
    build(X, model, y, canary_rows=0)
    said = f"labels will add {classes**2} series per replica"
    assert any(said in message for message in caplog.messages) == told
