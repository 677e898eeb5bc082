"""Observing: every form of rows counts alike, answers are counted, failures are let go."""

from __future__ import annotations

import logging
import threading

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression

import modelmeter as mm
from modelmeter import names
from modelmeter.live.counts import merged

RANDOM = np.random.default_rng(2)
N = 400
FRAME = pd.DataFrame(
    {
        "amount": np.where(RANDOM.random(N) < 0.1, np.nan, RANDOM.normal(size=N)),
        "hour": RANDOM.integers(0, 24, N),
        "city": RANDOM.choice(["Ulm", "Bonn", "Kiel"], N),
    }
)
MODEL = LogisticRegression().fit(FRAME[["hour"]], FRAME["hour"] > 11)


@pytest.fixture(scope="module")
def profile():
    return mm.Profile.build(lambda X: X["hour"] > 11, FRAME, name="m", version="1")


def family(monitor, metric):
    """Values of a metric by labels beyond model and version."""
    for found in merged([monitor.counts]):
        if found.metric is metric:
            return {row[2:]: v for row, v in zip(found.rows, found.values, strict=True)}
    return {}


def bins(monitor, feature):
    """Rows by bin of one feature or output."""
    return {
        row[-2]: value
        for row, value in family(monitor, names.FEATURE_BIN).items()
        if row[1] == feature and value
    }


def everything(monitor):
    return {k: v for k, v in family(monitor, names.FEATURE_BIN).items() if k[0] == "feature"}


FORMS = {
    "frame": lambda f: [f],
    "frames of one row": lambda f: [f.iloc[[i]] for i in range(len(f))],
    "dicts": lambda f: f.to_dict("records"),
    "list of dicts": lambda f: [f.to_dict("records")],
    "few dicts": lambda f: [f.to_dict("records")[i : i + 7] for i in range(0, len(f), 7)],
    "tuples": lambda f: list(f.itertuples(index=False, name=None)),
    "list of tuples": lambda f: [list(f.itertuples(index=False, name=None))],
    "lists": lambda f: [list(row) for row in f.itertuples(index=False)],
    "array": lambda f: [f.to_numpy(dtype=object)],
    "array rows": lambda f: list(f.to_numpy(dtype=object)),
    "polars": lambda f: [pl.from_pandas(f)],
    "polars of one row": lambda f: [pl.from_pandas(f)[i] for i in range(len(f))],
    "pyarrow": lambda f: [pa.Table.from_pandas(f)],
    "reordered": lambda f: [f[["city", "hour", "amount"]].assign(extra=1)],
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_rows_counts_as_at_build_time(form, profile):
    """Training rows observed in any form land in the bins that the profile counted them in."""
    monitor = mm.Monitor(profile)
    for X in FORMS[form](FRAME):
        monitor.observe(X)
    trained = family(monitor, names.REFERENCE_ROWS)
    assert everything(monitor) == {k: v for k, v in trained.items() if k[0] == "feature"}
    assert family(monitor, names.PREDICTIONS) == {("ok",): N, ("error",): 0}
    assert not any(family(monitor, names.FAILURES).values())


def test_answers_are_counted_by_class(profile):
    """Predicted classes are counted as the model gives them, as array, list or Series."""
    monitor = mm.Monitor(profile)
    y_pred = FRAME["hour"] > 11
    for answer in (y_pred, y_pred.to_numpy(), y_pred.tolist()):
        monitor.observe(FRAME, answer)
    assert bins(monitor, "y_pred") == {"True": 3 * y_pred.sum(), "False": 3 * (~y_pred).sum()}


@pytest.mark.parametrize("form", ["proba", "positive", "one by one"])
def test_classes_are_derived_from_scores(form):
    """Scores alone say the class as the model does, and each score is counted once."""
    X = FRAME[["hour"]]
    proba = MODEL.predict_proba(X)
    monitor = mm.Monitor(mm.Profile.build(MODEL, X, name="m", version="1"))
    if form == "one by one":
        for i in range(N):
            monitor.observe(X.iloc[[i]], y_score=proba[i, 1])
    else:
        monitor.observe(X, y_score=proba if form == "proba" else proba[:, 1])
    answers = MODEL.predict(X)
    assert bins(monitor, "y_pred") == {"True": answers.sum(), "False": (~answers).sum()}
    assert sum(bins(monitor, "y_score").values()) == N


def test_absent_columns_are_told_from_missing_values(profile):
    """A column that is not there is absent, not missing; nothing else is disturbed."""
    monitor = mm.Monitor(profile)
    monitor.observe({"amount": None, "hour": 3})
    monitor.observe([{"hour": 3, "city": "Ulm"}] * 50)
    monitor.observe(FRAME[["city"]].iloc[:100])
    absent = {k[0]: v for k, v in family(monitor, names.FEATURE_ABSENT).items()}
    assert absent == {"amount": 150, "hour": 100, "city": 1}
    assert bins(monitor, "amount") == {"missing": 1}
    assert sum(bins(monitor, "city").values()) == 150


def test_rows_may_stand_for_the_frame(profile):
    """Inside `observing` the given rows are counted instead of what is observed."""
    monitor, other = mm.Monitor(profile), mm.Monitor(profile)
    with monitor.observing([{"hour": 3}, {"hour": 4}]):
        monitor.observe(FRAME[:2], [True, False])
        other.observe(FRAME[:2])
    assert sum(bins(monitor, "hour").values()) == 2
    assert not bins(monitor, "city")
    assert sum(bins(other, "city").values()) == 2


def test_times_of_the_last_value_and_change(profile, monkeypatch):
    """A value that stays the same is seen, but does not change; a missing one is neither."""
    clock = [1_000.0]
    monkeypatch.setattr("time.time", lambda: clock[0])
    monitor = mm.Monitor(profile)
    for now, amount in ((1_000.0, 1.0), (1_010.0, 2.0), (1_020.0, 2.0), (1_030.0, None)):
        clock[0] = now
        monitor.observe({"amount": amount, "hour": 5, "city": "Ulm"})
    seen = {k[0]: v for k, v in family(monitor, names.FEATURE_LAST_VALUE).items()}
    changed = {k[0]: v for k, v in family(monitor, names.FEATURE_LAST_CHANGE).items()}
    assert (seen["amount"], changed["amount"]) == (1_020, 1_010)
    assert (seen["hour"], changed["hour"]) == (1_030, 0)
    assert family(monitor, names.LAST_PREDICTION) == {(): 1_030}


@pytest.mark.parametrize(
    ("X", "y_pred"),
    [
        ("text", None), (3, None), (object(), None), (FRAME, [True]), (FRAME[:2], [[1, 2], [3, 4]]),
        (np.zeros((2, 2, 2)), None), ({"hour": 1}, [True, False]),
    ],
)  # fmt: skip
def test_a_failure_is_counted_logged_once_and_counts_nothing_else(X, y_pred, profile, caplog):
    """What cannot be observed raises nothing, counts one failure a time, and no row."""
    monitor = mm.Monitor(profile)
    with caplog.at_level(logging.WARNING, "modelmeter"):
        monitor.observe(X, y_pred)
        monitor.observe(X, y_pred)
    assert sum(family(monitor, names.FAILURES).values()) == 2
    assert len(caplog.records) == 1
    assert not any(family(monitor, names.FEATURE_BIN).values())
    assert not any(family(monitor, names.PREDICTIONS).values())


def test_sixteen_threads_lose_nothing(profile):
    """Rows observed by sixteen threads at once are all counted."""
    monitor = mm.Monitor(profile)
    rows = FRAME.to_dict("records")

    def work():
        for row in rows[:100]:
            monitor.observe(row, [True])
        monitor.observe(FRAME, FRAME["hour"] > 11)

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    total = 16 * (100 + N)
    assert sum(bins(monitor, "city").values()) == total
    assert sum(bins(monitor, "y_pred").values()) == total
    assert family(monitor, names.PREDICTIONS)["ok",] == total


def test_models_and_versions_are_apart(profile):
    """Two monitors in one process count for themselves, under their own labels."""
    other = mm.Profile.build(None, FRAME, name="other", version="2")
    one, two = mm.Monitor(profile), mm.Monitor(other)
    one.observe(FRAME)
    two.observe(FRAME[:5])
    labels = {
        row[:2]: value
        for found in merged([one.counts, two.counts])
        if found.metric is names.PREDICTIONS
        for row, value in zip(found.rows, found.values, strict=True)
        if row[2] == "ok"
    }
    assert labels == {("m", "1"): N, ("other", "2"): 5}


def test_every_series_is_there_from_the_start(profile):
    """Before any row all bins are exported at zero, with the training rows beside them."""
    monitor = mm.Monitor(profile)
    live, trained = family(monitor, names.FEATURE_BIN), family(monitor, names.REFERENCE_ROWS)
    assert live.keys() == trained.keys()
    assert not any(live.values())
    assert len(family(monitor, names.REFERENCE_VARIATION)) == 4
    assert next(iter(family(monitor, names.MODEL_INFO)))[0] == profile.hash
