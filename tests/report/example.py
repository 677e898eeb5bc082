"""A model, its profile and what was counted of it: everything that findings can hold, made up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

import modelmeter as mm
from modelmeter import names
from modelmeter.live.counts import merged
from modelmeter.live.merge import Family
from modelmeter.live.observer import Observer
from modelmeter.report.counts import observed

SINCE, UNTIL = 1_780_000_000.0, 1_780_086_400.0
MODEL = ("flight-delay", "7")
HOSTILE = "<b onclick=\"x\">wind</b> & 'co'"


class Late:
    """A binary classifier whose every number is fixed."""

    classes_ = np.array(["on time", "late"])
    feature_importances_ = np.array([0.4, 0.3, 0.15, 0.1, 0.05])
    feature_names_in_ = np.array(["temp", "pressure", "origin", "weekend", HOSTILE])

    def predict_proba(self, X):
        odds = (X["temp"].fillna(50) - 50) / 8 + (X["origin"] == "JFK") - 0.5
        late = 1 / (1 + np.exp(-odds))
        return np.column_stack([1 - late, late])

    def predict(self, X):
        return self.classes_[(self.predict_proba(X)[:, 1] > 0.5).astype(int)]


def flights(n, *, seed, shift=0.0, missing=0.02):
    """Return rows and whether each flight was late."""
    random = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "temp": random.normal(50 + shift, 12, n).round(6),
            "pressure": random.normal(1013, 9, n).round(6),
            "origin": random.choice(["JFK", "LGA", "EWR"], n, p=[0.5, 0.3, 0.2]),
            "weekend": random.random(n) < 0.3,
            HOSTILE: random.exponential(10, n).round(6),
        }
    )
    X.loc[random.random(n) < missing, "pressure"] = np.nan
    chance = Late().predict_proba(X)[:, 1]
    return X, pd.Series(np.where(random.random(n) < chance, "late", "on time"), name="late")


def make_profile():
    """Return the profile, with everything in it that depends on the day replaced."""
    X, y = flights(12_000, seed=1)
    held, truth = flights(6_000, seed=2)
    built = mm.Profile.build(
        Late(),
        X,
        y,
        name=MODEL[0],
        version=MODEL[1],
        segments=["origin"],
        X_holdout=held,
        y_holdout=truth,
    )
    libraries = {"python": "3.11.9", "numpy": "2.0.0", "modelmeter": "0.1.0"}
    return replace(built, created="2026-05-01T00:00:00+00:00", libraries=libraries)


def make_families(profile):
    """Return what a process exports after a day: drift, missing values, labels, a failure."""
    observer = Observer(profile)
    X, y = flights(4_000, seed=3, shift=9.0, missing=0.07)
    X.loc[:120, "origin"] = "<script>alert(1)</script>"
    model = Late()
    observer.observe(X, model.predict(X), model.predict_proba(X), seconds=0.02)
    fixed = {
        names.FEATURE_LAST_VALUE: UNTIL - 1,
        names.FEATURE_LAST_CHANGE: UNTIL - 2,
        names.LAST_PREDICTION: UNTIL - 1,
    }
    own = (names.MODEL_INFO, names.LIBRARY_MISMATCH)
    found = []
    for family in merged([observer.counts]):
        if family.metric in fixed:
            family = family._replace(values=np.full(len(family.rows), fixed[family.metric]))
        if family.metric not in own:
            found.append(family)
    return [*found, *_service(profile), *_labels(profile, model, X, y)]


def family(metric, series):
    """Return a family of a metric, from values by labels."""
    return Family(metric, tuple(series), np.asarray(list(series.values()), dtype=np.float64))


def _service(profile):
    route = ("POST", "/predict", "200", *MODEL)
    buckets = [0.0] * (len(names.SECONDS) + 2)
    buckets[3], buckets[4], buckets[6], buckets[-1] = 2500.0, 1400.0, 60.0, 39.0
    yield family(names.HTTP_REQUESTS, {route: 3960, ("POST", "/predict", "500", *MODEL): 40})
    yield family(names.HTTP_DURATION, {route: buckets})
    yield family(names.HTTP_IN_PROGRESS, {(): 3})
    yield family(names.PROCESS_START, {("0",): SINCE, ("1",): SINCE + 1})
    yield family(names.PROCESS_RESIDENT, {("0",): 2e8, ("1",): 2.1e8})
    yield family(names.EVENT_LOOP_LAG, {("0",): 0.004, ("1",): 0.2})
    yield family(names.THREADPOOL_BUSY, {("0",): 0.1, ("1",): 0.85})
    yield family(names.LIBRARY_MISMATCH, {(*MODEL, "numpy", "2.0.0", "2.1.3"): 2})
    info = (*MODEL, profile.hash, "3.11.9", "2.1.3", "1.5", "0.1.0")
    yield family(names.MODEL_INFO, {info: 1})
    yield family(names.DROPPED, {("labels", "full"): 12, ("labels", "closed"): 0})


def _labels(profile, model, X, y):
    scores = profile.output("y_score")
    known = slice(0, 2_500)
    places = scores.bins.place(model.predict_proba(X)[known, 1])
    said = model.predict(X)[known]
    by_bin, confusion = {}, {}
    for true, pred, place in zip(y[known], said, places, strict=True):
        ord_, label = scores.positions[place]
        key = (*MODEL, "a", "", ord_, label, true)
        by_bin[key] = by_bin.get(key, 0) + 1
        cell = (*MODEL, "a", "", true, pred)
        confusion[cell] = confusion.get(cell, 0) + 1
    yield family(names.LABEL_BIN, by_bin)
    yield family(names.CONFUSION, confusion)
    store = (*MODEL, "a")
    outcomes = {"counted": 2500, "duplicate": 3, "orphan": 7, "expired": 0, "invalid": 1}
    yield family(names.LABELS, {(*store, outcome): n for outcome, n in outcomes.items()})
    lags = [0.0] * (len(names.LABEL_LAG.buckets) + 2)
    lags[2], lags[3], lags[-1] = 1500.0, 1000.0, 2e7
    yield family(names.LABEL_LAG, {store: lags})
    ages = {"0 to 1h": (300, 0), "1h to 1d": (3700, 2500)}
    yield family(names.COVERAGE_PREDICTIONS, {(*store, a): n for a, (n, _) in ages.items()})
    yield family(names.COVERAGE_LABELS, {(*store, a): n for a, (_, n) in ages.items()})
    yield family(names.PENDING, {store: 1500})
    yield family(names.OLDEST_PENDING, {store: SINCE})
    yield family(names.LAST_LABEL, {store: UNTIL - 60})
    yield family(names.LABELS_WAITING, {("a",): 0})


def make_observed(profile):
    """Return what was counted in a day."""
    return observed(
        profile,
        make_families(profile),
        kind="process",
        window="last 24 h",
        since=SINCE,
        until=UNTIL,
    )
