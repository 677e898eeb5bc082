"""Batches in a real Prometheus that scrapes a real Pushgateway: the window ``batch``."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import pairwise
from urllib.parse import quote
from urllib.request import ProxyHandler, Request, build_opener

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from generate.alerting import Case, check, only
from generate.conftest import make_profile
from generate.labelled import SEGMENTS, Binary, Multiclass, Regression, add
from generate.test_performance import Seen, by_class
from generate.test_rules import STATISTICS, amount, scores_of
from modelmeter import names
from modelmeter._errors import ConfigurationError
from modelmeter.cli import app
from modelmeter.generate import alarm_series, judgement_series, performance_series, series
from modelmeter.generate import count_series as counts
from modelmeter.generate.alerts import names as alert_names
from modelmeter.generate.alerts.rules import alert_rules
from modelmeter.generate.batch import PUSHED
from modelmeter.generate.compose import COMPOSE_FILE, PROMETHEUS_INSIDE_FILE
from modelmeter.generate.dashboards.ids import MODEL_PANELS, model_uid
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
    found = {}
    for role, features in (("feature", profile.features), ("prediction", profile.predictions)):
        for feature in features:
            for place, bin in enumerate(feature.bins.bins):
                row = (*PROFILE_NAME, role, feature.name, bin.kind, bin.ord, bin.label, "")
                rows = 40 * amount(feature.name, place, shift)
                found[names.BATCH_FEATURE_ROWS, row] = rows
                found[names.REFERENCE_ROWS, row] = feature.counts[place]
            for place, gap in enumerate(feature.gaps):
                row = (*PROFILE_NAME, role, feature.name, f"{place:02d}")
                found[names.REFERENCE_GAP, row] = gap
    for i, feature in enumerate(profile.features):
        found[names.BATCH_FEATURE_ABSENT_ROWS, (*PROFILE_NAME, feature.name)] = 300 * i
    return found


class Gateway:
    """A gateway, and what was pushed to it last, by model."""

    def __init__(self, url):
        self.url, self.last = url, {}

    def push(self, table, model):
        """Replace what was pushed for a model, as a job does when its batch is done."""
        table = {**table, (names.BATCH_LAST_SUCCESS, model): time.time()}
        self.last[model] = table
        name, version = (quote(part, safe="") for part in model)
        request = Request(
            f"{self.url}/metrics/job/nightly/model/{name}/version/{version}",
            render_table(table),
            method="PUT",
        )
        with _OPENER.open(request, timeout=30) as answer:
            assert answer.status == 200


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
            positions=20,
            tasks=Tasks(classes=3, score_positions=9, scored_classes=True, regression=True),
            batch_every="1h",
        )
        (folder / "rules" / "modelmeter.rules.yml").write_text(render(groups))
        moments = []
        with Prometheus(folder) as prometheus:
            for number in range(2):
                for model in MODELS:
                    batch = batch_of(model, random, 900 + 300 * number)
                    gateway.push({**model.reference(), **batch}, model.name)
                gateway.push(rows_of(PROFILE, number), PROFILE_NAME)
                pushed = time.time()
                prometheus.wait_for(
                    f"min({names.BATCH_LAST_SUCCESS.name}) > {pushed - 60}\n"
                    f"and min(timestamp({names.BATCH_LAST_SUCCESS.name})) > {pushed}\n"
                    f"and count({names.BATCH_LAST_SUCCESS.name}) == {len(MODELS) + 1}"
                )
                # Groups read each other: what the first computes the last has one turn later.
                for _ in range(3):
                    prometheus.wait_for_evaluations(time.time())
                moments.append((time.time(), dict(gateway.last)))
            yield prometheus, moments
            assert prometheus.problems() == ""


def test_rows_are_those_of_the_batch_that_came_last(recorded):
    """After each batch the window holds exactly its rows, and nothing of the one before."""
    prometheus, moments = recorded
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
        # Rows in bins that training does not know count nowhere.
        assert found == {row: value for row, value in sent.items() if row in known}
        assert sum(found.values()) > 5000


def test_drift_equals_python(recorded):
    """Every statistic of every feature of the batch is the Python function's."""
    prometheus, moments = recorded
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
    prometheus, moments = recorded
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
        for check in ("missing", "invalid"):
            kinds = np.array([bin.kind for bin in feature.bins.bins]) == check
            sides = (
                *(live[kinds].sum(), live.sum()),
                *(np.array(feature.counts)[kinds].sum(), sum(feature.counts)),
            )
            share = np.array([sides[2] / sides[3]])
            matters = float(limits.rates(share, [feature])[0])
            state = int(rate_state(*sides, z=z, matters=matters))
            assert value(alarm_series.RATE_STATE, check=check, **of_feature) == state
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
    prometheus, moments = recorded
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


def test_windows_of_a_service_are_empty(recorded):
    """A batch is in its own window, and in no other."""
    prometheus, moments = recorded
    for one in (series.BIN_ROWS, counts.CONFUSION_ROWS, counts.ANSWER_ROWS):
        windows = prometheus.query(f"group by (window) ({one.name})", time=moments[-1][0])
        assert [found.labels["window"] for found in windows] == ["batch"]


HOURLY = Settings(scrape_interval="1m", batch_every="1h", pushgateway="localhost:9091")
LATE, FAILED = alert_names.BATCHES


def minutes(*steps):
    """Unix times of pushes as a gateway shows them minute by minute: (from minute, value)."""
    shown = []
    for (start, value), (stop, _) in pairwise([*steps, (300, None)]):
        shown += [value] * (stop - start)
    return ["_" if value is None else value for value in shown]


def pushed(case, *steps, **labels):
    return case.sees(names.BATCH_LAST_SUCCESS.name, minutes((0, None), *steps), **labels)


def watched(title):
    """A case in which Prometheus has scraped something all the time."""
    return Case(title).sees("up", "1+0x300", model=None, version=None, job="pushgateway")


def test_batch_that_does_not_come_is_told(tmp_path):
    """A tenth of the period after it was due, until the next comes; whoever lost what."""
    groups = only(alert_rules([PROFILE], HOURLY), LATE)
    told = {"model": "flight-delay", "severity": "critical", "job": "pushgateway"}
    through = [f"{minute}m" for minute in range(70, 200, 3)]
    cases = [
        pushed(watched("comes again"), (1, 60), (100, 6000), (160, 9600), (220, 13200))
        .silent(LATE, "66m", "101m", "159m", "165m", "225m")
        .fires(LATE, "68m", "99m", **told),
        # At minute 96 nothing is remembered any more.
        pushed(watched("lost"), (1, 60), (30, "stale"), (31, None))
        .silent(LATE, "66m")
        .fires(LATE, *through, **told),
        watched("never came").silent(LATE, "64m").fires(LATE, "67m", "200m", **told),
        Case("nobody looked").silent(LATE, "67m", "200m"),
        # The old version scores no batch any more.
        pushed(pushed(watched("new version"), (1, 60)), (60, 3600), (120, 7200), version="2")
        .silent(LATE, "69m", "125m"),
        pushed(watched("a part"), (1, 60), (60, 3600), (120, 7200), part="eu")
        .sees(names.BATCH_LAST_SUCCESS.name, minutes((0, None), (1, 60)), part="us")
        .fires(LATE, "69m", "125m", part="us")
        .silent(LATE, "69m", "125m", part="eu"),
        pushed(watched("another name"), (1, 60), job="old")
        .sees(names.BATCH_LAST_SUCCESS.name, minutes((0, None), (60, 3600)), job="new")
        .silent(LATE, "69m", "125m")
        .fires(LATE, "128m", **told),
    ]  # fmt: skip
    check(tmp_path, groups, cases)


def test_late_batch_is_described(tmp_path):
    """The text says which model, since when, and what is normal; it links to the panel."""
    groups = only(alert_rules([PROFILE], HOURLY), LATE)
    uid = model_uid("flight-delay")
    labels = {"alertname": LATE, "severity": "critical", "area": "service", "job": "pushgateway"}
    texts = groups[0].rules[0].annotations
    case = pushed(watched("late"), (1, 60)).says(
        LATE,
        "121m",
        {**labels, "model": "flight-delay"},
        {
            "summary": "flight-delay: no batch has been scored for 2h 0m 0s or longer; normal is "
            "one every 1h",
            "description": texts["description"],
            "dashboard_url": f"http://localhost:3000/d/{uid}?viewPanel=panel-"
            f"{MODEL_PANELS['batch-age']}&from=now-24h&to=now",
            "runbook_url": "docs/runbook.md#modelbatchlate",
        },
    )
    check(tmp_path, groups, [case])


def test_batch_that_failed_is_told_until_one_goes_well(tmp_path):
    """Also where none ever went well; an old failure is none."""
    groups = only(alert_rules([PROFILE], HOURLY), FAILED)
    failure = names.BATCH_LAST_FAILURE.name
    cases = [
        pushed(Case("failed"), (1, 60), (90, 5400))
        .sees(failure, minutes((0, 0), (60, 3600)))
        .silent(FAILED, "59m", "91m")
        .fires(FAILED, "61m", "89m", model="flight-delay", version="1", severity="warning"),
        Case("from the first on").sees(failure, minutes((0, 0), (5, 300))).fires(FAILED, "6m"),
    ]
    check(tmp_path, groups, cases)


def a_bin(case, steps, metric=names.BATCH_FEATURE_ROWS.name, **labels):
    place = {"role": "feature", "feature": "x", "kind": "interval", "ord": "01", "bin": "[0, 1)"}
    return case.sees(metric, minutes((0, None), *steps), **place, **labels)


def test_old_batch_is_forgotten(tmp_path):
    """Three periods after the last batch nothing is recorded of it, although a gateway shows it."""
    rules = only(recording_rules(batch_every="1h"), "model_bin:reference_rows", "model_bin:rows")
    old, parts, renamed = (pushed(Case(title), (10, 600)) for title in ("old", "parts", "renamed"))
    for case in (old, parts, renamed):
        a_bin(case, [(0, 50)], names.REFERENCE_ROWS.name)
        a_bin(case, [(10, 7)])
    batch = series.BIN_ROWS.where(window="batch")
    old.computes(batch, 7, "12m", "189m").computes(batch, None, "191m", "240m")
    # Parts of one batch add up, each as long as it is fresh.
    pushed(a_bin(parts, [(20, 30)], part="b"), (20, 1200), part="b")
    parts.computes(batch, 7, "15m").computes(batch, 37, "25m", "189m").computes(batch, 30, "195m")
    # Of a part only the last batch counts, whoever pushed it: 50 would be a mixture.
    pushed(a_bin(renamed, [(20, 3)], job="new"), (20, 1200), job="new")
    renamed.computes(batch, 7, "15m").computes(batch, 3, "25m", "189m")
    check(tmp_path, rules, [old, parts, renamed])


def test_drift_of_a_batch_is_told_soon_and_ends_with_the_next(tmp_path):
    """After two evaluations, not ten minutes; a fault of the same rows is told instead."""
    groups = alert_rules([PROFILE], HOURLY)
    drift, missing = alert_names.FEATURE_DRIFT, alert_names.FEATURE_MISSING
    one = {"role": "feature", "feature": "pressure", "window": "batch"}

    def drifting(title):
        case = Case(title).sees(series.TVD.name, "0.4+0x60", **one)
        return case.sees(alarm_series.DRIFT_STATE.name, "0+0x9 1+0x29 0+0x20", **one)

    broken = drifting("broken")
    for recorded, value in ((series.RATE, 0.3), (series.RATE_Z, 9), (alarm_series.RATE_STATE, 1)):
        broken.sees(recorded.name, f"{value}+0x60", check="missing", **one)
    # What was told of the service's rows is another matter.
    service = {"alertname": missing, "alertstate": "firing", "role": "feature"}
    cases = [
        drifting("drift")
        .silent(drift, "10m", "41m")
        .fires(drift, "12m", "39m", window="batch", feature="pressure"),
        broken.fires(missing, "2m", window="batch").silent(drift, "12m", "39m"),
        drifting("apart")
        .sees("ALERTS", "1+0x60", feature="pressure", window="1h", **service)
        .fires(drift, "12m", window="batch"),
    ]
    check(tmp_path, only(groups, drift, missing), cases)


def test_performance_of_a_batch_needs_labels_for_enough_of_it(tmp_path):
    """The share of its rows that have labels counts; that of the service's does not."""
    groups = alert_rules([PROFILE], HOURLY)
    low = alert_names.PERFORMANCE_LOW
    figure = {"metric": "roc_auc", "source": "realised", "window": "batch"}
    cases = []
    for labelled, fires in ((600, True), (400, False)):
        case = Case(f"{labelled} of 1000").sees(judgement_series.LOSS.name, "0.1+0x30", **figure)
        case.sees(judgement_series.STATE.name, "1+0x30", **figure)
        rows = {"source": "realised", "window": "batch"}
        case.sees(performance_series.PERFORMANCE_ROWS.name, f"{labelled}+0x30", **rows)
        answers = {"role": "prediction", "feature": "y_pred", "window": "batch"}
        case.sees(series.ROWS.name, "1000+0x30", **answers)
        cases.append(
            case.fires(low, "2m", window="batch") if fires else case.silent(low, "2m", "20m")
        )
    check(tmp_path, only(groups, low), cases)


def test_models_without_a_service_have_no_target_to_be_down():
    """Where nothing but the gateway is scraped, no alert on targets fires for ever."""
    batches = replace(HOURLY, targets=())
    found = {
        kind: {rule.alert for group in alert_rules([PROFILE], settings) for rule in group.rules}
        for kind, settings in (("both", HOURLY), ("batches", batches))
    }
    assert found["both"] == set(alert_names.AREA_OF)
    down = {alert_names.TARGET_DOWN, alert_names.REPLICA_DOWN}
    assert found["both"] - found["batches"] == down
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
    assert LATE in alerts


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
    assert [job["static_configs"] for job in scraped] == [[{"targets": ["gateway:9091"]}]]
