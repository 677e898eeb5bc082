"""Models of every kind with their profiles, and what is read of a monitor that watches them."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline

import modelmeter as mm
from modelmeter.live.counts import merged

KINDS = ("probability", "margin", "bare", "callable", "three", "number")
CITIES = ("Ulm", "Bonn", "Kiel")


class Bare(ClassifierMixin, BaseEstimator):
    """A classifier without any scores."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return self.classes_[(np.asarray(X)[:, 0] > 0).astype(int)]


ESTIMATORS = {
    "probability": LogisticRegression(),
    "margin": RidgeClassifier(),
    "bare": Bare(),
    "three": LogisticRegression(),
    "number": LinearRegression(),
}


def rows(number, seed=0, cities=CITIES):
    """Return features of some rows."""
    random = np.random.default_rng(seed)
    numbers = {name: random.normal(size=number) for name in ("a", "b")}
    return pd.DataFrame({**numbers, "city": random.choice(np.array(cities, object), number)})


def truth(kind, X, seed=1):
    """Return the true values of rows, as the model's classes or numbers."""
    random = np.random.default_rng(seed)
    number = X["a"].to_numpy() + X["b"].to_numpy() / 2 + random.normal(size=len(X))
    if kind == "number":
        return 100 + 10 * number
    if kind == "three":
        return np.array(["low", "mid", "top"])[np.digitize(number, [-0.7, 0.7])]
    if kind == "callable":
        return number > 0
    return np.array(["no", "yes"])[(number > 0.3).astype(int)]


@cache
def built(kind, segments=("city",), version="1"):
    """Return a model of a kind and its profile, with what it was worth on other rows."""
    X, held = rows(1500), rows(1500, seed=3)
    if kind == "callable":

        def model(X):
            return X["a"] > 0

    else:
        numbers = make_column_transformer(("passthrough", ["a", "b"]))
        model = make_pipeline(numbers, ESTIMATORS[kind]).fit(X, truth(kind, X))
    profile = mm.Profile.build(
        model, X, truth(kind, X), name=kind, version=version, segments=segments,
        X_holdout=held, y_holdout=truth(kind, held, seed=4),
    )  # fmt: skip
    return model, profile


def output(profile, name):
    """Return the profile of an output."""
    return next(found for found in profile.predictions if found.name == name)


def values(families, metric, *, store=False):
    """Return a metric's values by its labels beyond model and version (and store)."""
    for found in families:
        if found.metric is metric:
            pairs = zip(found.rows, found.values, strict=True)
            return {row[3 if store else 2 :]: value for row, value in pairs}
    return {}


def counted(monitor, metric):
    """Return the values of a metric that a monitor counted, by labels beyond the model's."""
    return values(merged([monitor.counts]), metric)
