"""What a model costs in series, against what a real Prometheus holds."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from modelmeter import Monitor, Profile
from modelmeter.generate.cost import cost_of
from modelmeter.generate.settings import Settings
from modelmeter.generate.stack import generate
from modelmeter.live.exposition import Exposition
from real.prometheus import Prometheus
from real.replica import Replica

SETTINGS = Settings(windows=("10s", "30s"), scrape_interval="1s", evaluation_interval="1s")


class Model:
    """Says by one number and knows no text."""

    def __init__(self, X, y):
        self.estimator = LogisticRegression().fit(X[["a", "b"]], y)
        self.classes_ = self.estimator.classes_
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)

    def predict(self, X):
        """Predict classes."""
        return self.estimator.predict(X[["a", "b"]])

    def predict_proba(self, X):
        """Predict probabilities."""
        return self.estimator.predict_proba(X[["a", "b"]])


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A segmented model under two windows: its profile, and what Prometheus holds, by name."""
    random = np.random.default_rng(0)
    X = pd.DataFrame({"a": random.normal(size=600), "b": random.normal(size=600)})
    X["place"] = random.choice(["north", "south", "rare"], 600, p=[0.5, 0.49, 0.01])
    strange = X.assign(place=[None, "new", 5] * 200)
    y = X["a"] + random.normal(size=600) > 0
    model = Model(X, y)
    profile = Profile.build(model, X, y, name="m", version="1", segments=["place"], canary_rows=0)
    monitor = Monitor(profile, store=None)
    out = tmp_path_factory.mktemp("cost")
    with Replica(Exposition([monitor.counts]).render) as replica:
        generate([profile], out, **{**vars_of(SETTINGS), "targets": (replica.target,)})
        with Prometheus(out) as prometheus:
            replica.wait_for_scrapes(2)
            for rows in (X, strange):
                monitor.observe(rows, model.predict(rows), model.predict_proba(rows)[:, 1])
            replica.wait_for_scrapes(3)
            prometheus.wait_for_evaluations(time.time() + 1)
            found = prometheus.query('count by (__name__) ({__name__=~"model.*"})')
            names = {s.labels["__name__"]: int(s.value) for s in found}
            assert prometheus.problems() == ""
    return profile, names


def vars_of(settings):
    """Return the settings that the test gives."""
    return {
        name: getattr(settings, name)
        for name in ("windows", "scrape_interval", "evaluation_interval")
    }


def test_a_replica_exports_what_is_said(served):
    """Every exported metric has as many series as counted, and there is no other."""
    profile, names = served
    said = Counter(cost_of(profile, SETTINGS).exported)
    assert said == {name: n for name, n in names.items() if ":" not in name and name in said}
    assert said["model_feature_bin_total"] > 50


def test_labels_cost_a_series_for_every_pair_of_classes(served):
    """Two classes, in all rows and in six segments: so many pairs of true and predicted."""
    profile, _ = served
    labels = cost_of(profile, SETTINGS).labels
    assert labels["model_confusion_total"] == 4 * 7
    assert labels["model_label_bin_total"] > labels["model_confusion_total"]


def test_series_about_features_are_exact(served):
    """Of features, outputs and their segments the rules record exactly what is said."""
    profile, names = served
    said = cost_of(profile, SETTINGS).about_features
    assert said == {name: names.get(name, 0) for name in said}


def test_other_series_are_at_most_what_is_said(served):
    """Of the rest there is never more than is said, and nothing that is not told of at all."""
    profile, names = served
    cost = cost_of(profile, SETTINGS)
    told = {**cost.about_features, **cost.others}
    recorded = {
        name: n for name, n in names.items() if ":" in name and not name.startswith("http_route")
    }
    assert recorded.keys() <= told.keys()
    assert {name: (n, told[name]) for name, n in recorded.items() if n > told[name]} == {}


def test_replicas_and_windows_multiply(served):
    """Replicas multiply what is scraped, windows what is recorded; rates follow intervals."""
    profile, _ = served
    one, ten = (cost_of(profile, SETTINGS, replicas=n) for n in (1, 10))
    assert ten.scraped == 10 * one.scraped
    assert ten.recorded == one.recorded
    assert ten.samples_per_second == 10 * one.scraped + one.recorded
    more = cost_of(profile, replace(SETTINGS, windows=("10s", "30s", "1m")))
    assert more.recorded > one.recorded
    assert more.scraped == one.scraped
    assert more.memory_bytes > one.memory_bytes
    assert one.disk_bytes_per_month > 0
