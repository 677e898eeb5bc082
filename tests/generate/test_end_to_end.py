"""A real Prometheus, two real replicas, a restart: what it records is what Python computes."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon

from generate.conftest import make_profile
from modelmeter.generate import series
from modelmeter.generate.stack import generate
from modelmeter.live.exposition import Exposition
from modelmeter.live.observer import Observer
from modelmeter.stats.drift import drift, live_shares, reference_shares
from modelmeter.stats.rates import rate_z
from real.prometheus import Prometheus
from real.replica import Replica

WINDOWS = ("10s", "30s")
SHAPE = ("psi", "psi_excess", "kl", "hellinger", "tvd", "ks", "wasserstein", "g", "df", "g_z")


class Service:
    """One replica with its own counts, and what it was sent."""

    def __init__(self, *versions, port=0):
        self.observers = {version: Observer(make_profile(version)) for version in versions}
        self.exposition = Exposition(o.counts for o in self.observers.values())
        self.replica = Replica(self.exposition.render, port=port)

    def add(self, version):
        """Start to serve one more version."""
        self.observers[version] = Observer(make_profile(version))
        self.exposition.add(self.observers[version].counts)

    def observe(self, sent, version, rows):
        """Observe rows, most of them drifted, and note that they were sent."""
        random = np.random.default_rng(rows)
        X = {
            "temperature": random.normal(16, 9, rows),
            "pressure": np.where(random.random(rows) < 0.2, np.nan, random.normal(1013, 9, rows)),
            "destination": random.choice(["LAX", "ORD", "BOS"], rows),
        }
        dicts = [dict(zip(X, row, strict=True)) for row in zip(*X.values(), strict=True)]
        for row in dicts[: rows // 4]:
            del row["destination"]
        scores = random.beta(4, 4, rows)
        self.observers[version].observe(dicts, np.where(scores > 0.5, "yes", "no"), scores)
        sent[version] = sent.get(version, 0) + rows


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Traffic with a restart and a version that comes late; then Prometheus and two moments."""
    sent = {}
    first, second = Service("1"), Service("1")
    out = tmp_path_factory.mktemp("stack")
    targets = (first.replica.target, second.replica.target)
    generate(
        [make_profile("1"), make_profile("2")],
        out,
        targets=targets,
        windows=WINDOWS,
        scrape_interval="1s",
        evaluation_interval="1s",
    )
    try:
        with Prometheus(out) as prometheus:
            first.replica.wait_for_scrapes(2)
            second.replica.wait_for_scrapes(2)
            start = time.time()
            first.observe(sent, "1", 400)
            second.observe(sent, "1", 300)
            first.replica.wait_for_scrapes(2)
            first.replica.stop()
            second.add("2")
            prometheus.wait_for(f'up{{instance="{targets[0]}"}} == 0')
            first = Service("1", port=first.replica.port)
            first.replica.wait_for_scrapes(2)
            first.observe(sent, "1", 200)
            second.observe(sent, "2", 500)
            first.replica.wait_for_scrapes(2)
            second.replica.wait_for_scrapes(1)
            soon = time.time() + 1
            # Each row is whole in the long window once the short one has passed over it.
            late = time.time() + 12
            assert late < start + 29, "too slow a machine for these windows"
            prometheus.wait_for_evaluations(late)
            yield prometheus, {"soon": soon, "late": late}, sent
            assert prometheus.problems() == ""
    finally:
        first.replica.stop()
        second.replica.stop()


def features(profile):
    return [
        *(("feature", f) for f in profile.features),
        *(("prediction", f) for f in profile.predictions),
    ]


def rows_of(prometheus, moment, version, role, feature, window):
    """What Prometheus says it counted, in the order of the bins."""
    found = prometheus.query(
        f'{series.BIN_ROWS.name}{{version="{version}",role="{role}",feature="{feature.name}",'
        f'window="{window}"}}',
        time=moment,
    )
    rows = {(s.labels["kind"], s.labels.get("ord", ""), s.labels["bin"]): s.value for s in found}
    assert len(rows) == len(feature.bins.bins)
    return np.array([rows[bin] for bin in feature.bins.bins])


def values_of(prometheus, moment, version, role, feature, window):
    """Every statistic that Prometheus recorded for a feature: by name, and check if any."""
    found = prometheus.query(
        f'{{__name__=~"model_feature:.*",version="{version}",role="{role}",'
        f'feature="{feature.name}",window=~"|{window}"}}',
        time=moment,
    )
    return {(s.labels["__name__"].split(":")[1], s.labels.get("check")): s.value for s in found}


def close(value):
    return pytest.approx(value, rel=1e-9, abs=1e-9)


def compare(found, key, value, **tolerance):
    """Hold a recorded value equal to a computed one; where that is NaN, nothing is recorded."""
    if math.isnan(value):
        assert key not in found
    else:
        assert found[key] == pytest.approx(value, **{"rel": 1e-9, "abs": 1e-9, **tolerance}), key


@pytest.mark.parametrize("moment", ["soon", "late"])
@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("version", ["1", "2"])
def test_prometheus_records_what_python_computes(recorded, version, window, moment):
    """Every recorded statistic equals the function of the same name, on Prometheus's counts."""
    prometheus, moments, _ = recorded
    at = (prometheus, moments[moment], version)
    for role, feature in features(make_profile(version)):
        counts = rows_of(*at, role, feature, window)
        found = values_of(*at, role, feature, window)
        scores = drift(
            counts,
            feature.counts,
            kinds=[bin.kind for bin in feature.bins.bins],
            ordered=[bool(bin.ord) for bin in feature.bins.bins],
            gaps=feature.gaps if feature.gaps else None,
        )
        assert found["rows", None] == close(scores.rows)
        for name in SHAPE:
            compare(found, (name, None), getattr(scores, name))
        if ("js_distance", None) in found:
            # As a difference of sums, PromQL loses half the digits of a distance near 0.
            found["js_distance", None] **= 2
        compare(found, ("js_distance", None), scores.js_distance**2)
        for check, score in scores.checks.items():
            compare(found, ("rate", check), score.rate)
            compare(found, ("reference_rate", check), score.reference_rate)
            compare(found, ("rate_z", check), score.z, rel=1e-6, abs=1e-4)
        checks = {check for name, check in found if name == "reference_rate"}
        assert checks - {"absent"} == set(scores.checks)


@pytest.mark.parametrize("window", WINDOWS)
def test_prometheus_agrees_with_scipy(recorded, window):
    """G, Jensen-Shannon, Kullback-Leibler and KS are also what scipy makes of the counts."""
    prometheus, moments, _ = recorded
    at = (prometheus, moments["soon"], "1")
    for role, feature in features(make_profile()):
        counts, training = rows_of(*at, role, feature, window), np.array(feature.counts)
        found = values_of(*at, role, feature, window)
        p, q = live_shares(counts, training), reference_shares(training)
        table = np.array([counts, training])[:, counts + training > 0]
        g = stats.chi2_contingency(table, correction=False, lambda_="log-likelihood")
        assert found["g", None] == close(g.statistic)
        assert found["df", None] == g.dof
        assert found["js_distance", None] == close(jensenshannon(p, q, base=2))
        assert found["kl", None] == close(stats.entropy(p, q))
        assert found["psi", None] == close(stats.entropy(p, q) + stats.entropy(q, p))


def test_absent_columns_are_rated_over_all_rows(recorded):
    """Rows without the column are in no bin, but in the rate of absent and in its evidence."""
    prometheus, moments, _ = recorded
    destination = make_profile().features[2]
    at = (prometheus, moments["late"], "1", "feature", destination, "30s")
    found = values_of(*at)
    absent, rows = found["absent_rows", None], found["rows", None]
    assert found["rate", "absent"] == close(absent / (absent + rows))
    assert found["rate", "absent"] == pytest.approx(0.25, abs=0.02)
    assert found["checked_rows", "absent"] == close(absent + rows)
    z = rate_z(absent, absent + rows, 0, destination.rows)
    assert found["rate_z", "absent"] == pytest.approx(float(z), rel=1e-6)
    assert found["rate", "unseen"] == pytest.approx(1 / 3, abs=0.1)


def test_rows_are_what_was_sent(recorded):
    """Over the restart nothing is lost or counted twice, but for increase()'s extrapolation."""
    prometheus, moments, sent = recorded
    name = series.ROWS.name
    selected = '{role="feature",feature="temperature",window="%s",version="%s"}'
    late = moments["late"]
    for version in sent:
        counted = prometheus.value(name + selected % ("30s", version), time=late)
        assert counted == pytest.approx(sent[version], rel=0.12)
    # Version 2 came late and had all its rows in the last seconds.
    counted = prometheus.value(name + selected % ("10s", "2"), time=moments["soon"])
    assert counted == pytest.approx(sent["2"], rel=0.2)


def test_empty_window_records_no_statistic(recorded):
    """Once the traffic is over, the short window says 0 rows, and too few to tell."""
    prometheus, moments, _ = recorded
    temperature = make_profile().features[0]
    found = values_of(prometheus, moments["late"] + 1, "1", "feature", temperature, "10s")
    assert found["rows", None] == 0
    without_window = {"reference_rows", "reference_rate", "seconds_since_value"}
    without_window |= {"seconds_since_change", "checked_rows", "absent_rows", "rows"}
    without_window |= {"natural_drift", "drift_threshold", "rate_threshold"}
    states = {name: value for (name, _), value in found.items() if name.endswith("_state")}
    assert {name for name, _ in found} <= without_window | set(states)
    assert set(states) == {"rate_state"}
    assert all(value < 0 for value in states.values())


def test_freshness_and_traffic_are_recorded(recorded):
    """Rates of rows and ages of values come from the same scrapes."""
    prometheus, moments, _ = recorded
    late = moments["late"]
    ages = prometheus.query(series.SECONDS_SINCE_VALUE.name, time=late)
    assert {s.labels["feature"] for s in ages} == {f.name for f in make_profile().features}
    assert all(5 < s.value < 30 for s in ages)
    assert prometheus.query(f"{series.SECONDS_SINCE_PREDICTION.name} > 5", time=late)
    rates = prometheus.query(f'{series.PREDICTION_RATE.name}{{outcome="ok"}}', time=moments["soon"])
    assert {s.labels["version"] for s in rates} == {"1", "2"}
    assert all(s.value > 0 for s in rates)
