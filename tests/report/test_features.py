"""Features: their numbers are the statistics' own, and their order is what a reader needs."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

import modelmeter as mm
from modelmeter.live.counts import merged
from modelmeter.live.observer import Observer
from modelmeter.report.counts import observed
from modelmeter.report.judging import judge_batch, judge_window
from modelmeter.report.plain import state_of
from modelmeter.report.summary import summarise
from modelmeter.stats.alarms import drift_state, rate_state
from modelmeter.stats.budget import SUDDEN, drift_that_matters, rate_that_matters
from modelmeter.stats.drift import drift


def same(found, value):
    assert found == (None if math.isnan(value) else pytest.approx(value, rel=1e-12, abs=1e-12))


def counted(profile, X, *args, kind="process", since=0.0, until=86_400.0):
    """Return what a process counted of some rows in a day."""
    observer = Observer(profile)
    if X is not None:
        observer.observe(X, *args)
    return observed(profile, merged([observer.counts]), kind=kind, since=since, until=until)


def test_every_statistic_is_that_of_stats(profile, observed):
    """All numbers of every feature and output are those that `stats.drift` computes alone."""
    findings = summarise(profile, observed)
    known = {("feature", f.name): f for f in profile.features}
    known |= {("prediction", f.name): f for f in profile.predictions}
    parts = [*findings["features"], *findings["predictions"]]
    assert len(parts) == len(known)
    for part in parts:
        feature = known[part["role"], part["name"]]
        live = observed.bins[part["role"], part["name"], ""]
        scores = drift(
            live,
            feature.counts,
            kinds=[place.kind for place in feature.bins.bins],
            ordered=[bool(place.ord) for place in feature.bins.bins],
            gaps=feature.gaps or None,
        )
        found = part["drift"]
        for name in ("psi", "psi_excess", "kl", "js_distance", "hellinger", "tvd", "ks", "g", "df"):
            same(found[name], getattr(scores, name))
        same(found["wasserstein"], scores.wasserstein)
        same(found["z"], scores.g_z)
        assert part["rows"] == scores.rows
        assert [b["rows"] for b in part["bins"]] == live.tolist()
        assert sum(b["contribution"] for b in part["bins"]) == pytest.approx(scores.psi)
        for rate in part["rates"]:
            if rate["check"] != "absent":
                score = scores.checks[rate["check"]]
                same(rate["rate"], score.rate)
                same(rate["training_rate"], score.reference_rate)
                same(rate["z"], score.z)


@pytest.mark.parametrize("seconds", [3_600.0, 86_400.0, 300.0])
def test_states_are_those_of_alarms(profile, observed, seconds):
    """States follow from the budget's thresholds, feature by feature, check by check."""
    judging = judge_window(seconds)
    limits = judging.limits(profile)
    findings = summarise(profile, observed, judging=judging)
    variations = {f.name: f.variation or 0.0 for f in profile.features}
    for part in findings["features"]:
        training = [b["training_rows"] for b in part["bins"]]
        matters = drift_that_matters(variations[part["name"]], factor=limits.factor)
        live = [b["rows"] for b in part["bins"]]
        state = drift_state(live, training, z=limits.z, matters=matters)
        assert part["drift"]["state"] == state_of(state)
        for rate in part["rates"]:
            normal, m = rate["training_rate"], part["training_rows"]
            difference = 0.02 * (SUDDEN if seconds <= 3_600 else 1)
            limit = rate_that_matters(
                normal,
                variations[part["name"]],
                factor=limits.factor,
                rate_difference=difference,
            )
            state = rate_state(
                rate["rows"], rate["total"], normal * m, m, z=limits.z, matters=limit
            )
            assert rate["state"] == state_of(state), (part["name"], rate)
            assert rate["threshold"] == pytest.approx(float(limit))


def test_alarms_come_first_then_drift_times_importance(profile, observed):
    """A reader finds what changed at the top, the most important first."""
    parts = summarise(profile, observed)["features"]
    assert [part["name"] for part in parts[:3]] == ["temp", "origin", "pressure"]
    states = [part["state"] == "alarm" for part in parts]
    assert states == sorted(states, reverse=True)
    for part in parts:
        excess = max(part["drift"]["psi_excess"], 0)
        assert part["score"] == pytest.approx(excess * part["importance"])


def test_bins_that_moved_most_are_named(profile, observed):
    """The first of `moved` adds most to the PSI, and only bins that add something are named."""
    for part in summarise(profile, observed)["features"]:
        added = [part["bins"][place]["contribution"] for place in part["moved"]]
        assert added == sorted(added, reverse=True)
        assert added[0] == max(b["contribution"] for b in part["bins"])
        assert min(added) > 0


def test_quantiles_are_read_off_bins():
    """Live quantiles lie near the true ones, and are unknown beyond the training range."""
    random = np.random.default_rng(0)
    training = random.normal(0, 1, (20_000, 1))
    profile = mm.Profile.build(None, training, name="q", version="1")
    live = random.normal(0.5, 0.8, (20_000, 1))
    [part] = summarise(profile, counted(profile, live))["features"]
    for one in part["quantiles"][:-1]:  # the last lies in the tail's long bin, and so far only
        assert one["live"] == pytest.approx(np.quantile(live, one["q"]), abs=0.15)
    far = summarise(profile, counted(profile, live + 100))["features"][0]
    assert {one["live"] for one in far["quantiles"]} == {None}


def test_empty_service_says_so(profile):
    """Without a row nothing is drift or ok, no number is NaN, and the verdict says why."""
    profile = replace(profile, libraries={})
    findings = summarise(profile, counted(profile, None))
    assert findings["verdict"] == "No rows yet: nothing can be said"
    assert findings["state"] == "few_rows"
    assert findings["problems"] == []
    assert {part["drift"]["state"] for part in findings["features"]} == {"few_rows"}
    assert {part["drift"]["psi"] for part in findings["features"]} == {None}


def test_few_rows_are_neither_drift_nor_ok():
    """A handful of rows in one bin is insufficient data; the verdict says how many it takes."""
    X = np.arange(5_000.0).reshape(-1, 1)
    profile = mm.Profile.build(None, X, name="few", version="1")
    findings = summarise(profile, counted(profile, np.full((7, 1), 4_999.0)))
    assert findings["state"] == "few_rows"
    assert findings["verdict"].startswith("Too few rows to tell drift (7; about ")


def test_tiny_training_is_said():
    """A training set from which nothing can ever be told is no lack of live rows."""
    profile = mm.Profile.build(None, np.arange(20.0).reshape(-1, 1), name="tiny", version="1")
    findings = summarise(profile, counted(profile, np.full((5_000, 1), 7.0)))
    assert findings["features"][0]["drift"]["rows_needed"] is None
    states = {part["drift"]["state"] for part in findings["features"]}
    assert states <= {"few_training_rows", "alarm"}


def test_column_that_is_not_there_alarms(profile):
    """Rows without a column are said to be so, though the feature itself has none to judge."""
    rows = [{"temp": 50.0, "pressure": 1013.0, "weekend": False}] * 3_000
    findings = summarise(profile, counted(profile, rows))
    origin = next(part for part in findings["features"] if part["name"] == "origin")
    absent = next(rate for rate in origin["rates"] if rate["check"] == "absent")
    assert (absent["rate"], absent["state"], origin["state"]) == (1.0, "alarm", "alarm")
    assert origin["drift"]["state"] == "few_rows"
    texts = [problem["text"] for problem in findings["problems"]]
    assert "100 % of rows come without the column origin" in texts


def test_thousand_features_are_grouped(monkeypatch):
    """A thousand features take a few calls of each statistic, not a thousand."""
    from modelmeter.report import features as module

    random = np.random.default_rng(1)
    X = random.normal(size=(400, 1_000))
    profile = mm.Profile.build(None, X, name="wide", version="1")
    calls = []
    original = module.statistics.psi
    monkeypatch.setattr(module.statistics, "psi", lambda *a: calls.append(1) or original(*a))
    findings = summarise(profile, counted(profile, X + 3), judging=judge_batch())
    assert len(findings["features"]) == 1_000
    assert len(calls) < 10
    assert findings["verdict"].startswith("1000 of 1000 features drifted")
