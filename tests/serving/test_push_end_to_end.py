"""A pushed batch on its way through a real Pushgateway into the generated rules of Prometheus."""

from __future__ import annotations

import time

import pandas as pd
import pytest
from sklearn.metrics import accuracy_score

import modelmeter as mm
from modelmeter import names
from modelmeter.generate import alarm_series, performance_series, series
from modelmeter.generate.settings import Settings
from modelmeter.generate.stack import generate
from real.prometheus import Prometheus
from real.pushgateway import Pushgateway


@pytest.fixture(scope="module")
def batches(profile, model, flights, late, tmp_path_factory):
    """A batch like training, then a warmer one; Prometheus's answers about each of them."""
    folder = tmp_path_factory.mktemp("pushed")
    monitor = mm.Monitor(profile, store=None)
    answers = []
    with Pushgateway() as gateway:
        settings = Settings(
            targets=(),
            windows=("10s", "40s"),
            scrape_interval="500ms",
            evaluation_interval="1s",
            batch_every="1h",
            pushgateway=gateway.address,
            alertmanagers=(),
        )
        generate(profile, folder, settings=settings)
        with Prometheus(folder) as prometheus:
            for times, warmer in ((2, 0.0), (1, 20.0)):
                X, truth = pd.concat([flights] * times), pd.concat([late] * times)
                X["temp"] += warmer
                said, score = model.predict(X), model.predict_proba(X)
                monitor.observe(X, said, score)
                monitor.label_batch(truth, y_pred=said, y_score=score, X=X)
                pushed = time.time()
                monitor.push(gateway.url, job="nightly")
                prometheus.wait_for(f"{names.BATCH_LAST_SUCCESS.name} >= {pushed}")
                # Groups read each other: what the first computes the last has some turns later.
                for _ in range(3):
                    prometheus.wait_for_evaluations(time.time())
                answers.append((prometheus, time.time(), X, accuracy_score(truth, said)))
            yield answers
            assert prometheus.problems() == ""


def test_rows_in_prometheus_are_those_of_the_batch(batches):
    """After each push the window ``batch`` holds the rows of that batch, bin by bin."""
    for prometheus, moment, X, _ in batches:
        rows = series.BIN_ROWS.where(window="batch", feature="origin", model="flights")
        found = {one.labels["bin"]: one.value for one in prometheus.query(rows, time=moment)}
        assert sum(found.values()) == len(X)
        for origin, expected in X["origin"].value_counts().items():
            assert found[origin] == expected


def test_only_the_batch_that_drifted_alarms(batches):
    """The batch like training is fine; in the warmer one the temperature alone has drifted."""

    def states(prometheus, moment):
        states = alarm_series.DRIFT_STATE.where(window="batch", role="feature")
        return {one.labels["feature"]: one.value for one in prometheus.query(states, time=moment)}

    first, second = (states(prometheus, moment) for prometheus, moment, _, _ in batches)
    assert first == {"temp": 0, "hour": 0, "origin": 0, "weekend": 0}
    assert second == {**first, "temp": 1}


def test_performance_of_a_batch_is_scikit_learns(batches):
    """True values that came with a batch give its realised accuracy."""
    for prometheus, moment, _, accuracy in batches:
        wanted = {"window": "batch", "source": "realised", "metric": "accuracy", "segment": ""}
        one = performance_series.VALUE.where(**wanted)
        assert prometheus.value(one, time=moment) == pytest.approx(accuracy, rel=1e-9)
