"""A real Prometheus with the generated rules: what it is asked for is what the rules recorded."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from modelmeter import names
from modelmeter._errors import ConfigurationError, SourceUnavailableError
from modelmeter.cli import app
from modelmeter.generate import alarm_series, judgement_series, performance_series, series
from modelmeter.generate.stack import generate
from modelmeter.live.counts import Counts, merged
from modelmeter.live.exposition import Exposition
from modelmeter.live.reference import export_reference
from modelmeter.report.curves import TRAFFIC, history_of
from modelmeter.report.judging import judge_window
from modelmeter.report.plain import state_of
from modelmeter.report.prometheus import STORED, Client, observe_prometheus
from modelmeter.report.summary import summarise
from real.prometheus import Prometheus
from real.replica import Replica
from real.web import free_port
from report import example
from report.schema import check_schema

WINDOWS = ("6s", "12s")
HOURS = (6 / 3600, 12 / 3600)


class Service:
    """A replica that exports the example's families, its counters from zero to what they are."""

    def __init__(self, profile):
        self.counts = Counts()
        export_reference(profile, self.counts)
        own = {block.metric for block in self.counts.blocks}
        self._blocks = []
        for family in example.make_families(profile):
            if family.metric not in own and len(family.rows):
                block = self.counts.block(family.metric, family.rows)
                self._blocks.append((block, family.values))
        for block, values in self._blocks:
            if block.metric.type == "gauge":
                block.values[:] = values
        self.replica = Replica(Exposition([self.counts]).render)

    def count(self):
        """Let every counter rise."""
        with self.counts.lock:
            for block, values in self._blocks:
                if block.metric.type in ("counter", "histogram"):
                    block.values[:] = values


@pytest.fixture(scope="module")
def asked(profile, tmp_path_factory):
    """A Prometheus that has recorded everything over both windows, and when."""
    services = [Service(profile), Service(profile)]
    out = tmp_path_factory.mktemp("stack")
    generate(
        [profile],
        out,
        targets=[service.replica.target for service in services],
        windows=WINDOWS,
        scrape_interval="1s",
        evaluation_interval="1s",
    )
    try:
        with Prometheus(out) as prometheus:
            for service in services:
                service.replica.wait_for_scrapes(3)
            start = time.time()
            for service in services:
                service.count()
                service.replica.wait_for_scrapes(2)
            # Each row is whole in the long window once the short one has passed over it.
            late = start + 9
            prometheus.wait_for_evaluations(late)
            yield prometheus, late
    finally:
        for service in services:
            service.replica.stop()


@pytest.fixture(scope="module")
def findings(profile, asked):
    """What is found in the long window, judged as the rules judge it."""
    prometheus, late = asked
    found = observe_prometheus(profile, Client(prometheus.url), window="12s", until=late)
    return summarise(profile, found, judging=judge_window(12, rule_hours=HOURS))


def recorded(prometheus, one, late, **labels):
    chosen = {"segment": "", "window": "12s", **labels}
    found = prometheus.query(one.where(**chosen), time=late)
    return {(s.labels["role"], s.labels["feature"], s.labels.get("check")): s.value for s in found}


def test_states_are_those_that_the_rules_recorded(asked, findings):
    """Drift and rates of every feature and output have the recorded state, z and size."""
    prometheus, late = asked
    check_schema(findings)
    parts = [*findings["features"], *findings["predictions"]]
    drift = recorded(prometheus, alarm_series.DRIFT_STATE, late)
    excess = recorded(prometheus, series.PSI_EXCESS, late)
    z = recorded(prometheus, series.G_Z, late)
    rates = recorded(prometheus, alarm_series.RATE_STATE, late)
    assert len(drift) == len(parts) == 7
    for part in parts:
        key = (part["role"], part["name"], None)
        assert part["drift"]["state"] == state_of(drift[key])
        assert part["drift"]["psi_excess"] == pytest.approx(excess[key], rel=1e-6, abs=1e-9)
        assert part["drift"]["z"] == pytest.approx(z[key], rel=1e-6)
        for rate in part["rates"]:
            assert rate["state"] == state_of(rates[*key[:2], rate["check"]]), rate
    assert {part["drift"]["state"] for part in parts} == {"alarm", "ok"}


def test_performance_is_judged_as_the_rules_judge_it(asked, findings):
    """The judged figure has the recorded value and state, realised and estimated."""
    prometheus, late = asked
    [metric] = [m for m in findings["performance"]["metrics"] if m["judged"]]
    for source in ("realised", "estimated"):
        state, value = (
            prometheus.value(
                one.where(metric=metric["metric"], source=source, window="12s", **more), time=late
            )
            for one, more in (
                (judgement_series.STATE, {}),
                (performance_series.VALUE, {"segment": "", "class": ""}),
            )
        )
        assert metric[source]["state"] == state_of(state)
        assert metric[source]["value"] == pytest.approx(value, rel=1e-6)


def test_thresholds_are_those_that_the_rules_recorded(asked, findings):
    """The number of questions and the threshold on z are the recorded ones."""
    prometheus, late = asked
    assert findings["judging"]["tests"] == prometheus.value(alarm_series.TESTS.name, time=late)
    z = prometheus.value(alarm_series.Z_THRESHOLD.where(window="12s"), time=late)
    assert findings["judging"]["z_threshold"] == pytest.approx(z, rel=1e-12)


def test_all_replicas_are_added_up_and_stores_are_not(findings, observed):
    """Rows of both replicas count; labels, which both export alike, count once."""
    assert findings["rows"] == pytest.approx(8_000, rel=0.2)
    assert findings["labels"]["arrived"] == 2_500
    assert findings["performance"]["labelled_rows"] == 2_500
    found = np.array(findings["performance"]["confusion"]["realised"])
    assert found.sum() == observed.labelled.scores[""].sum()
    assert findings["labels"]["pending"] == 1_500
    signals = findings["signals"]
    assert signals["error_ratio"] == pytest.approx(0.01)
    assert signals["latency"]["p50"] == pytest.approx(0.00448, rel=0.01)
    assert signals["in_progress"] == 6
    assert len(signals["workers"]) == 4
    assert findings["monitoring"]["dropped"][0]["reason"] == "full"


def test_without_recorded_rows_the_counters_are_read(profile, asked, findings):
    """A window that no rule records is computed from the counters: the same shares."""
    prometheus, late = asked
    found = observe_prometheus(profile, Client(prometheus.url), window="14s", until=late)
    other = summarise(profile, found, judging=judge_window(12, rule_hours=HOURS))
    for part, known in zip(other["features"], findings["features"], strict=True):
        # `increase` scales each replica up by where its scrapes lie in the window.
        expected = pytest.approx(known["drift"]["psi"], rel=0.05, abs=1e-3)
        assert part["drift"]["psi"] == expected
    assert max(part["drift"]["psi"] for part in other["features"]) > 0.05


def test_curves_are_what_was_recorded(profile, asked, findings):
    """History has drift and rates of the features, performance, and traffic, without any NaN."""
    prometheus, _ = asked
    history = history_of(profile, Client(prometheus.url), findings, rule_window="12s")
    check_schema({**findings, "history": history})
    known = {(curve["name"], curve["feature"]) for curve in history["curves"]}
    assert {("psi_excess", "temp"), ("missing", "pressure"), ("accuracy", None)} <= known
    assert ("psi_excess", example.HOSTILE) in known
    assert (TRAFFIC, None) in known
    assert all(value == value for curve in history["curves"] for _, value in curve["points"])


def test_report_of_a_prometheus(profile, asked, tmp_path):
    """The command asks for the window that ends now, and brings curves."""
    prometheus, _ = asked
    profile.save(tmp_path / "p.json")
    arguments = ["--profile", tmp_path / "p.json", "--prometheus", prometheus.url]
    arguments += ["--window", "10m", "--format", "json"]
    done = CliRunner().invoke(app, ["report", *map(str, arguments)], catch_exceptions=False)
    found = json.loads(done.stdout)
    check_schema(found)
    assert found["source"] == {"kind": "prometheus", "where": prometheus.url}
    assert found["window"]["seconds"] == 600
    assert found["rows"] > 0
    assert TRAFFIC in {curve["name"] for curve in found["history"]["curves"]}


def test_what_prometheus_does_not_know_is_said(profile, asked):
    """Another version, a window that is none, and another server are told apart in one line."""
    prometheus, late = asked
    client = Client(prometheus.url)
    other = replace(profile, version="8")
    with pytest.raises(ConfigurationError, match=r"nothing of flight-delay/8 .* flight-delay/7"):
        observe_prometheus(other, client, window="12s", until=late)
    with pytest.raises(ConfigurationError, match="window must be a positive"):
        observe_prometheus(profile, client, window="a day")
    with pytest.raises(SourceUnavailableError, match="does not answer"):
        observe_prometheus(profile, Client(f"http://127.0.0.1:{free_port()}"))
    replica = Replica(lambda: b"{}")
    try:
        with pytest.raises(SourceUnavailableError, match=r"as Prometheus does, but: \{\}"):
            observe_prometheus(profile, Client(f"http://{replica.target}"))
    finally:
        replica.stop()


def test_every_label_counter_is_asked_for():
    """No metric of labels that findings need is forgotten."""
    of_labels = {m for m in names.ALL if m.type != "gauge" and "store" in m.labels}
    assert of_labels == set(STORED)


def test_counts_of_a_replica_are_merged_families(profile):
    """The example's service exports what the example's process has."""
    service = Service(profile)
    service.count()
    service.replica.stop()
    found = {f.metric.name: f.values.sum() for f in merged([service.counts])}
    assert found[names.PREDICTIONS.name] == 4_000
