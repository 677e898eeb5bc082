"""Batches in a real Prometheus that scrapes a real Pushgateway: the window ``batch``."""

from __future__ import annotations

import time
from dataclasses import replace
from urllib.parse import quote
from urllib.request import ProxyHandler, Request, build_opener

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from typer.testing import CliRunner

import modelmeter as mm
from generate.conftest import make_profile
from generate.dashboards.grafana import All, fill
from generate.labelled import SEGMENTS, Binary, Multiclass, Regression, add
from generate.test_performance import Seen, by_class
from generate.test_rules import STATISTICS, amount, scores_of
from modelmeter import names
from modelmeter._errors import ConfigurationError
from modelmeter.cli import app
from modelmeter.generate import alarm_series, performance_series, series
from modelmeter.generate import count_series as counts
from modelmeter.generate.alerts import names as alert_names
from modelmeter.generate.alerts.rules import alert_rules
from modelmeter.generate.batch import PUSHED
from modelmeter.generate.compose import COMPOSE_FILE, PROMETHEUS_INSIDE_FILE
from modelmeter.generate.dashboards import boards
from modelmeter.generate.rulefile import render
from modelmeter.generate.rules import recording_rules
from modelmeter.generate.settings import Settings
from modelmeter.generate.stack import ALERTS_FILE, PROMETHEUS_FILE, files, generate
from modelmeter.generate.tasks import Tasks
from modelmeter.report.judging import judge_batch
from modelmeter.stats.alarms import drift_state, rate_state
from modelmeter.stats.performance import (
    binary_performance,
    multiclass_performance,
    regression_performance,
)
from real.prometheus import Prometheus, promtool
from real.pushgateway import Pushgateway
from real.replica import render_table

WINDOWS = ("10s", "40s")
BINARY, IRIS, PRICE = Binary("delay"), Multiclass("iris", ("x", 'a "b"', "z")), Regression("price")
MODELS = (BINARY, IRIS, PRICE)
PROFILE = make_profile()
PROFILE_NAME = (PROFILE.name, PROFILE.version)
PROFILES = (
    replace(PROFILE, name="delay"),
    replace(PROFILE, name="iris", model=replace(PROFILE.model, task="multiclass")),
    replace(
        PROFILE,
        name="price",
        model=replace(PROFILE.model, task="regression", classes=()),
        predictions=(replace(PROFILE.predictions[1], name="y_pred"),),
    ),
)
_OPENER = build_opener(ProxyHandler({}))


def batch_of(model, random, rows, *, labels=True):
    """What a job pushes of a batch, as values by metric and row."""
    found = {}
    for (metric, row), value in model.live(random, rows).items():
        add(found, {(PUSHED[metric], row): value})
    for (metric, row), value in model.labels(random, rows, "store").items() if labels else ():
        add(found, {(PUSHED[metric], (*row[:2], *row[3:])): value})
    return found


def rows_of(profile, shift):
    """A batch of a profile's features: other rows for every `shift`; one column is not there."""
    found, name = {}, (profile.name, profile.version)
    for role, features in (("feature", profile.features), ("prediction", profile.predictions)):
        for feature in features:
            for place, bin in enumerate(feature.bins.bins):
                row = (*name, role, feature.name, bin.kind, bin.ord, bin.label, "")
                rows = 40 * amount(feature.name, place, shift)
                found[names.BATCH_FEATURE_ROWS, row] = rows
                found[names.REFERENCE_ROWS, row] = feature.counts[place]
            for place, gap in enumerate(feature.gaps):
                row = (*name, role, feature.name, f"{place:02d}")
                found[names.REFERENCE_GAP, row] = gap
    for i, feature in enumerate(profile.features):
        found[names.BATCH_FEATURE_ABSENT_ROWS, (*name, feature.name)] = 300 * i
    return found


class Gateway:
    """A gateway, and what was pushed to it last, by model."""

    def __init__(self, url):
        self.url, self.last = url, {}

    def push(self, table, model):
        """Replace what was pushed for a model, as a job does when its batch is done."""
        table = {
            **table,
            (names.BATCH_LAST_SUCCESS, model): time.time(),
            (names.BATCH_LAST_FAILURE, model): 0.0,
            (names.BATCH_ROWS, model): 900.0,
            (names.BATCH_FAILED_ROWS, model): 0.0,
            (names.BATCH_DURATION, model): 12.5,
        }
        self.last[model] = table
        name, version = (quote(part, safe="") for part in model)
        request = Request(
            f"{self.url}/metrics/job/nightly/model/{name}/version/{version}",
            render_table(table),
            method="PUT",
        )
        with _OPENER.open(request, timeout=30) as answer:
            assert answer.status == 200


def score(url):
    """Score a batch that has drifted, as a job does; return what Python makes of it."""
    random = np.random.default_rng(5)
    X = pd.DataFrame({"size": random.normal(size=3000), "kind": random.normal(size=3000)})
    y = np.where(X["size"] + random.normal(size=3000) > 0.3, "late", "in time")
    estimator = make_pipeline(SimpleImputer(), LogisticRegression()).fit(X, y)
    profile = mm.Profile.build(estimator, X, y, name="scored", version="1")
    batch, truth = X[:900].copy(), y[:900]
    batch["size"] += 0.7
    batch.loc[:50, "kind"] = np.nan
    monitor = mm.Monitor(profile, store=None)
    y_score = monitor.watch(estimator).predict_proba(batch)[:, 1]
    y_pred = np.where(y_score >= 0.5, "late", "in time")
    monitor.label_batch(truth, y_pred=y_pred, y_score=y_score, X=batch)
    monitor.push(url, job="nightly")
    answered = batch.assign(y_pred=y_pred, y_score=y_score, y=truth)
    return mm.compare(profile, answered, target="y").findings


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Two batches of every model, one after the other; Prometheus after each of them."""
    folder, random = tmp_path_factory.mktemp("batch"), np.random.default_rng(3)
    with Pushgateway() as pushgateway:
        gateway = Gateway(pushgateway.url)
        settings = Settings(
            targets=(),
            windows=WINDOWS,
            scrape_interval="500ms",
            evaluation_interval="1s",
            batch_every="1h",
            pushgateway=pushgateway.address,
            alertmanagers=(),
        )
        generate(PROFILE, folder, settings=settings)
        groups = recording_rules(
            windows=WINDOWS,
            scrape_interval="500ms",
            evaluation_interval="1s",
            positions=25,
            tasks=Tasks(classes=3, score_positions=25, scored_classes=True, regression=True),
            batch_every="1h",
        )
        (folder / "rules" / "modelmeter.rules.yml").write_text(render(groups))
        moments = []
        with Prometheus(folder) as prometheus:
            for number in range(2):
                scored = score(pushgateway.url)
                for model in MODELS:
                    batch = batch_of(model, random, 900 + 300 * number)
                    features = rows_of(replace(PROFILE, name=model.name[0], predictions=()), number)
                    gateway.push({**features, **model.reference(), **batch}, model.name)
                gateway.push(rows_of(PROFILE, number), PROFILE_NAME)
                pushed = time.time()
                prometheus.wait_for(
                    f"min({names.BATCH_LAST_SUCCESS.name}) > {pushed - 60}\n"
                    f"and min(timestamp({names.BATCH_LAST_SUCCESS.name})) > {pushed}\n"
                    f"and count({names.BATCH_LAST_SUCCESS.name}) == {len(MODELS) + 2}"
                )
                # Groups read each other: what the first computes the last has one turn later.
                for _ in range(3):
                    prometheus.wait_for_evaluations(time.time())
                moments.append((time.time(), dict(gateway.last)))
            yield prometheus, moments, scored
            assert prometheus.problems() == ""


def test_rows_are_those_of_the_batch_that_came_last(recorded):
    """After each batch the window holds exactly its rows, and nothing of the one before."""
    prometheus, moments, _ = recorded
    for moment, last in moments:
        found = {
            tuple(one.labels.get(label, "") for label in names.FEATURE_BIN.labels): one.value
            for one in prometheus.query(series.BIN_ROWS.where(window="batch"), time=moment)
        }
        sent = {
            row: value
            for table in last.values()
            for (metric, row), value in table.items()
            if metric is names.BATCH_FEATURE_ROWS
        }
        known = {
            row
            for table in last.values()
            for metric, row in table
            if metric is names.REFERENCE_ROWS
        }
        # That of the monitor has a test of its own.
        found = {row: value for row, value in found.items() if row[0] != "scored"}
        # Rows in bins that training does not know count nowhere.
        assert found == {row: value for row, value in sent.items() if row in known}
        assert sum(found.values()) > 5000


def test_drift_equals_python(recorded):
    """Every statistic of every feature of the batch is the Python function's."""
    prometheus, moments, _ = recorded
    for shift, (moment, _) in enumerate(moments):
        for feature in (*PROFILE.features, *PROFILE.predictions):
            scores = scores_of(feature, live_of(feature, shift))
            for statistic in STATISTICS:
                found = prometheus.query(
                    f'model_feature:{statistic}{{feature="{feature.name}",window="batch",'
                    f'model="{PROFILE.name}"}}',
                    time=moment,
                )
                value = getattr(scores, statistic)
                expected = [] if np.isnan(value) else [pytest.approx(value, rel=1e-9, abs=1e-9)]
                assert [one.value for one in found] == expected, (feature.name, statistic)


def live_of(feature, shift):
    places = range(len(feature.bins.bins))
    return np.array([40 * amount(feature.name, place, shift) for place in places])


def test_states_equal_python(recorded):
    """Thresholds and states are those that the report's judging gives for as many batches."""
    prometheus, moments, _ = recorded
    moment, _ = moments[-1]
    judging = judge_batch(batches_per_month=720)
    # The rules also ask about the windows of a service.
    limits = replace(judging, windows=3, drift_windows=2).limits(PROFILE)

    def value(one, **labels):
        wanted = {"model": PROFILE.name, **labels}
        return prometheus.value(one.where(**wanted), time=moment)

    assert value(alarm_series.TESTS) == limits.tests
    z = value(alarm_series.Z_THRESHOLD, window="batch")
    assert z == pytest.approx(limits.z, rel=1e-12)
    drifts, rates = set(), set()
    for feature in (*PROFILE.features, *PROFILE.predictions):
        live = live_of(feature, 1)
        matters = float(limits.drift([feature])[0])
        state = int(drift_state(live, feature.counts, z=z, matters=matters))
        of_feature = {"feature": feature.name, "window": "batch"}
        assert value(alarm_series.DRIFT_STATE, **of_feature) == state
        drifts.add(state)
        for kind in ("missing", "invalid"):
            kinds = np.array([bin.kind for bin in feature.bins.bins]) == kind
            sides = (
                *(live[kinds].sum(), live.sum()),
                *(np.array(feature.counts)[kinds].sum(), sum(feature.counts)),
            )
            share = np.array([sides[2] / sides[3]])
            matters = float(limits.rates(share, [feature])[0])
            state = int(rate_state(*sides, z=z, matters=matters))
            assert value(alarm_series.RATE_STATE, check=kind, **of_feature) == state
            rates.add(state)
    assert 1 in drifts
    assert len(rates) > 1
    for i, feature in enumerate(PROFILE.features):
        found = value(series.RATE, check="absent", feature=feature.name, window="batch")
        assert found == pytest.approx(300 * i / (300 * i + live_of(feature, 1).sum()))


@pytest.mark.parametrize("segment", SEGMENTS)
@pytest.mark.parametrize("source", ["realised", "estimated"])
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name[0])
def test_performance_equals_python(recorded, model, source, segment):
    """Realised and estimated figures and their errors, from exactly the rows that were pushed."""
    prometheus, moments, _ = recorded
    moment, last = moments[-1]
    seen = Seen((prometheus, moment, None), model, segment, source, "batch")
    if model is PRICE:
        errors = seen.errors()
        targets = seen.targets() if source == "realised" else None
        found = regression_performance(errors, targets).metrics
        expected = {(name, ""): estimate for name, estimate in found.items()}
        rows = errors[0]
    else:
        confusion = seen.confusion()
        expected = by_class(multiclass_performance(confusion), model.classes)
        rows = confusion.sum()
    seen.compare(expected, rel=1e-8)
    assert rows == pytest.approx(1200)
    if model is BINARY:
        found = binary_performance(seen.bins(), positive=model.positive, scores=model.scores)
        for name in ("roc_auc", "brier", "ece"):
            seen.compare({(name, ""): found.metrics[name]})
    if source == "realised":
        table, metric = (
            (counts.ERROR_BIN_SUM, names.BATCH_ERROR_SUM)
            if model is PRICE
            else (counts.CONFUSION_ROWS, names.BATCH_CONFUSION_ROWS)
        )
        wanted = {"window": "batch", "source": source, "model": model.name[0]}
        values = {
            tuple(one.labels.get(label, "") for label in metric.labels): one.value
            for one in prometheus.query(table.where(**wanted), time=moment)
        }
        sent = {row: v for (m, row), v in last[model.name].items() if m is metric}
        assert values == pytest.approx(sent)


def test_what_a_monitor_pushed_is_what_python_finds(recorded):
    """From `monitor.push` on: drift, rates and performance are those of `mm.compare`."""
    prometheus, moments, scored = recorded
    moment, _ = moments[-1]

    def value(name, **labels):
        wanted = {"model": "scored", "window": "batch", "segment": "", **labels}
        chosen = ",".join(f'{label}="{text}"' for label, text in wanted.items())
        return prometheus.value(f"{name}{{{chosen}}}", time=moment)

    for feature in (*scored["features"], *scored["predictions"]):
        for statistic in STATISTICS:
            expected = feature["drift"]["z" if statistic == "g_z" else statistic]
            if expected is not None:
                found = value(f"model_feature:{statistic}", feature=feature["name"])
                assert found == pytest.approx(expected, rel=1e-9, abs=1e-9), statistic
        for one in feature["rates"]:
            found = value(series.RATE.name, feature=feature["name"], check=one["check"])
            assert found == pytest.approx(one["rate"])
    size, kind = scored["features"]
    assert (size["name"], size["drift"]["state"]) == ("size", "alarm")
    assert value(alarm_series.DRIFT_STATE.name, feature="size") == 1
    assert value(alarm_series.RATE_STATE.name, feature="kind", check="missing") == 1
    assert kind["rates"][0]["state"] == "alarm"
    for one in scored["performance"]["metrics"]:
        figure = {"metric": one["metric"], "class": one["class"] or ""}
        for source in ("realised", "estimated"):
            if one[source] is None or one[source]["value"] is None:
                continue
            # Rules take expected counts for counts: their errors are those of so many labels.
            for what in ("value", "error") if source == "realised" else ("value",):
                found = value(f"model_performance:{what}", source=source, **figure)
                assert found == pytest.approx(one[source][what], rel=1e-6, abs=1e-9), figure
    assert value(performance_series.PERFORMANCE_ROWS.name, source="realised") == 900


ABOUT_LABELS = {"label-outcomes", "label-lag"}
"""Panels on labels that come one by one: those of a batch come with it."""


@pytest.mark.parametrize("name", ["overview", *(model.name[0] for model in MODELS)])
def test_panels_show_a_batch(recorded, name):
    """Where a window can be chosen, every query has data for the last batch."""
    prometheus, moments, _ = recorded
    settings = Settings(windows=WINDOWS, scrape_interval="500ms", targets=(), batch_every="1h")
    found = {board.title.removeprefix("Model: "): board for board in boards(PROFILES, settings)}
    board = found.get(name) or next(iter(found.values()))
    assert next(one for one in board.variables if one.name == "window").default == "batch"
    values = {
        "window": "batch",
        "model": All(".*") if name == "overview" else name,
        "version": All(".*"),
        "segment": All("()"),
        "job": All(".*"),
        "feature": All(".*"),
    }
    asked = {
        (panel.key, query.expr)
        for panel in board.panels
        for query in panel.queries
        if "$window" in query.expr or "batch" in panel.key
    }
    empty = {
        (key, expr)
        for key, expr in asked
        if not prometheus.query(fill(expr, values), time=moments[-1][0])
    }
    assert {(key, expr) for key, expr in empty if key not in ABOUT_LABELS} == set()
    assert len({key for key, _ in asked}) > (2 if name == "overview" else 10)


def test_windows_of_a_service_are_empty(recorded):
    """A batch is in its own window, and in no other."""
    prometheus, moments, _ = recorded
    for one in (series.BIN_ROWS, counts.CONFUSION_ROWS, counts.ANSWER_ROWS):
        windows = prometheus.query(f"group by (window) ({one.name})", time=moments[-1][0])
        assert [found.labels["window"] for found in windows] == ["batch"]


HOURLY = Settings(scrape_interval="1m", batch_every="1h", pushgateway="localhost:9091")


def test_models_without_a_service_have_no_target_to_be_down():
    """Where nothing but the gateway is scraped, no alert on targets fires for ever."""
    batches = replace(HOURLY, targets=())
    both, only_batches = (
        {rule.alert for group in alert_rules([PROFILE], settings) for rule in group.rules}
        for settings in (HOURLY, batches)
    )
    assert set(alert_names.BATCHES) < only_batches
    assert both - only_batches == {alert_names.TARGET_DOWN, alert_names.REPLICA_DOWN}
    scraped = yaml.safe_load(files(PROFILE, batches)[PROMETHEUS_FILE])["scrape_configs"]
    assert [job["job_name"] for job in scraped] == ["pushgateway"]


def test_gateway_is_scraped_and_run(tmp_path):
    """Prometheus takes labels as they were pushed; Compose keeps what was pushed on a volume."""
    generate([PROFILE, make_profile("2")], tmp_path, settings=HOURLY)
    for name in (PROMETHEUS_FILE, PROMETHEUS_INSIDE_FILE):
        promtool("check", "config", tmp_path / name)
        *_, job = yaml.safe_load((tmp_path / name).read_text())["scrape_configs"]
        assert (job["job_name"], job["honor_labels"]) == ("pushgateway", True)
        host = "localhost" if name == PROMETHEUS_FILE else "pushgateway"
        assert job["static_configs"] == [{"targets": [f"{host}:9091"]}]
    service = yaml.safe_load((tmp_path / COMPOSE_FILE).read_text())["services"]["pushgateway"]
    assert "--persistence.file=/pushgateway/metrics" in service["command"]
    assert service["volumes"] == ["pushgateway:/pushgateway"]
    elsewhere = files(PROFILE, replace(HOURLY, pushgateway="gateway.example:9091"))[COMPOSE_FILE]
    assert "pushgateway" not in yaml.safe_load(elsewhere)["services"]


def test_without_batches_nothing_speaks_of_them():
    """No rule reads what is pushed, no dashboard offers the window, no service is started."""
    for name, text in files(PROFILE, Settings(kubernetes=True)).items():
        assert "model_batch_" not in text, name
        assert "pushgateway" not in text, name


def test_manifests_have_the_rules_of_batches():
    """A cluster's Prometheus gets the same rules and alerts."""
    texts = files(PROFILE, replace(HOURLY, kubernetes=True))
    rules, alerts = (
        texts[f"kubernetes/monitoring/prometheusrule-modelmeter{part}.yaml"]
        for part in ("", "-alerts")
    )
    assert names.BATCH_FEATURE_ROWS.name in rules
    assert alert_names.BATCH_LATE in alerts


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_every": "daily"}, "batch_every must be a positive Prometheus duration"),
        ({"batch_every": "20s"}, "batch_every must be at least twice"),
        ({"pushgateway": "localhost:9091"}, "pushgateway needs batch_every"),
        ({"pushgateway": "http://x:9091", "batch_every": "1h"}, "pushgateway must be 'host:port'"),
        ({"pushgateway": "x", "batch_every": "1h"}, "pushgateway must be 'host:port'"),
        ({"pushgateway": "x:1", "batch_every": "1h", "job": "pushgateway"}, "job must not be"),
        ({"targets": ()}, "targets must name at least one"),
    ],
)
def test_settings_that_cannot_work_are_refused(options, message):
    """The error says which, and what is expected."""
    with pytest.raises(ConfigurationError, match=message):
        Settings(**options)


def test_options_of_the_command_line_reach_the_files(tmp_path):
    """How often, where to, and that there is no service are options of `modelmeter generate`."""
    replace(PROFILE, unmeasured="no rows").save(tmp_path / "p.json")
    words = f"--profile {tmp_path}/p.json --out {tmp_path}/out --batch-every 6h --no-target"
    done = CliRunner().invoke(app, ["generate", *words.split(), "--pushgateway", "gateway:9091"])
    assert done.exit_code == 0, done.output
    assert 'model="flight-delay"}[6h36m]' in (tmp_path / "out" / ALERTS_FILE).read_text()
    scraped = yaml.safe_load((tmp_path / "out" / PROMETHEUS_FILE).read_text())["scrape_configs"]
    targets = {job["job_name"]: job["static_configs"] for job in scraped}
    assert targets == {
        "pushgateway": [{"targets": ["gateway:9091"]}],
        "prometheus": [{"targets": ["localhost:9090"]}],
    }
