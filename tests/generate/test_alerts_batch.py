"""Alerts on batches: those that do not come or fail, and those on what the last one had."""

from __future__ import annotations

from itertools import pairwise

from generate.alerting import Case, check, only
from generate.conftest import make_profile
from modelmeter import names
from modelmeter.generate import alarm_series, judgement_series, performance_series, series
from modelmeter.generate.alerts import names as alert_names
from modelmeter.generate.alerts.rules import alert_rules
from modelmeter.generate.dashboards.ids import MODEL_PANELS, model_uid
from modelmeter.generate.inhibitions import INHIBITIONS
from modelmeter.generate.rules import recording_rules
from modelmeter.generate.settings import Settings

PROFILE = make_profile()
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
        .fires(drift, "12m", "39m", window="batch", feature="pressure", job="pushgateway"),
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


def test_batches_are_told_while_the_service_is_down():
    """What `ModelTargetDown` holds back is of its job, and no alert on a batch is."""
    (down, *_) = (one for one in INHIBITIONS if alert_names.TARGET_DOWN in one.source[0])
    assert down.equal == ("job",)
    alerts = [rule for group in alert_rules([PROFILE], HOURLY) for rule in group.rules]
    number = {"pushgateway": 0, "modelmeter": 0}
    for alert in alerts:
        batch = alert.labels.get("window") == "batch" or alert.alert in alert_names.BATCHES
        assert alert.labels["job"] == ("pushgateway" if batch else "modelmeter")
        number[alert.labels["job"]] += 1
    # Those on rates, drift and performance, and the two on batches themselves.
    assert number["pushgateway"] >= 10
