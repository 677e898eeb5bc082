"""Alerts on features and answers: when they fire, and when they must not."""

from __future__ import annotations

import pytest

from generate.alerting import Case, check, only
from modelmeter.generate import alarm_series, series
from modelmeter.generate import judgement_series as usual
from modelmeter.generate.alerts import names
from modelmeter.generate.alerts.data import CHECKS
from modelmeter.generate.alerts.rules import alert_rules
from modelmeter.generate.quality import ABSENT
from modelmeter.generate.rules import recording_rules
from modelmeter.generate.settings import Settings
from modelmeter.stats import rates

FEATURE = {"role": "feature", "feature": "pressure"}
ALARM, OK, FEW, FEW_TRAINING = 1, 0, -1, -2
RISES = tuple(name for name, *_ in CHECKS.values())


@pytest.fixture(scope="module")
def groups(profile):
    return alert_rules([profile], Settings(scrape_interval="1m"))


def rate(case, check, window, state, *, z=9.0, rate=0.3, detectable=0.01, **labels):
    """What the rules record of a rate, for as long as a case lasts."""
    one = {**FEATURE, "check": check, "window": window, **labels}
    for recorded, value in (
        (series.RATE, rate),
        (series.RATE_Z, z),
        (alarm_series.RATE_STATE, state),
        (alarm_series.DETECTABLE_RATE, detectable),
        (alarm_series.RATE_THRESHOLD, 0.02 if window == "24h" else 0.04),
    ):
        case.sees(recorded.name, f"{value}+0x40", **one)
    return case


def normal(case, check, value=0.02):
    return case.sees(series.REFERENCE_RATE.name, f"{value}+0x40", **FEATURE, check=check)


@pytest.mark.parametrize("kind", CHECKS)
def test_a_rate_that_rises_is_told(groups, tmp_path, kind):
    """After ten minutes, once: by the window that says it first."""
    alert = CHECKS[kind][0]
    both = rate(rate(Case("both windows"), kind, "1h", ALARM), kind, "24h", ALARM)
    slow = rate(rate(Case("slow"), kind, "1h", OK, rate=0.06), kind, "24h", ALARM, rate=0.06)
    over = rate(rate(Case("over"), kind, "1h", OK, rate=0.02), kind, "24h", ALARM)
    few = rate(rate(Case("over?"), kind, "1h", FEW, rate=0, detectable=0.2), kind, "24h", ALARM)
    cases = (
        normal(both, kind)
        .silent(alert, "9m")
        .fires(alert, "11m", check=kind, feature="pressure", window="1h", severity="warning"),
        normal(slow, kind).fires(alert, "11m", window="24h", area="data", job="modelmeter"),
        normal(over, kind).silent(alert, "20m"),
        normal(few, kind).fires(alert, "11m", window="24h"),
        rate(Case("batch"), kind, "batch", ALARM).fires(alert, "11m", window="batch"),
        rate(Case("fell"), kind, "1h", ALARM, z=-9.0, rate=0.0).silent(alert, "20m"),
        rate(Case("ok"), kind, "1h", OK).silent(alert, "20m"),
        rate(Case("few rows"), kind, "1h", FEW).silent(alert, "20m"),
        rate(Case("few training rows"), kind, "24h", FEW_TRAINING).silent(alert, "20m"),
        rate(Case("an output"), kind, "1h", ALARM, role="prediction", feature="y_score")
        .silent(alert, "20m")
        .fires(names.PREDICTION_DRIFT, "11m", check=kind, window="1h", area="prediction"),
        rate(rate(Case("two models"), kind, "1h", ALARM), kind, "1h", ALARM, model="other")
        .fires(alert, "11m", number=2)
        .fires(alert, "11m", model="other"),
    )
    check(tmp_path, only(groups, *RISES, names.PREDICTION_DRIFT), cases)


def test_what_is_mended_is_not_told_once_more_by_the_long_window(groups, tmp_path):
    """The hour told of it; the day, which still holds those rows, says nothing when it is over."""
    missing = names.FEATURE_MISSING
    case = Case("mended")
    normal(case, "missing")
    rate(rate(case, "missing", "1h", ALARM, detectable=0.2), "missing", "24h", ALARM)
    for one in case.document()["input_series"]:
        if one["series"].startswith(alarm_series.RATE_STATE.name) and '"1h"' in one["series"]:
            one["values"] = "1+0x15 -1+0x25"
    case.fires(missing, "12m", window="1h").silent(missing, "17m", "30m", "40m")
    check(tmp_path, only(groups, missing), [case])


def test_an_evaluation_in_between_that_is_fine_starts_anew(groups, tmp_path):
    """What does not last for ten minutes without a break is none."""
    state = alarm_series.RATE_STATE.name
    case = rate(Case("flicker"), "missing", "24h", ALARM)
    document = case.document()["input_series"]
    flicker = "1+0x7 0 1+0x7 0 1+0x7 0 1+0x12"
    for one in document:
        if one["series"].startswith(state):
            one["values"] = flicker
    case.silent(names.FEATURE_MISSING, "8m", "20m", "26m").fires(names.FEATURE_MISSING, "39m")
    check(tmp_path, only(groups, names.FEATURE_MISSING), [case])


def drift(case, state, role="feature", feature="pressure", window="24h"):
    one = {"role": role, "feature": feature, "window": window}
    case.sees(series.TVD.name, "0.31+0x40", **one)
    return case.sees(alarm_series.DRIFT_STATE.name, f"{state}+0x40", **one)


def test_drift_is_not_told_of_rows_that_a_fault_was_told_of(groups, tmp_path):
    """Neither while values are missing nor right after that; of other features it is."""
    features, outputs = names.FEATURE_DRIFT, names.PREDICTION_DRIFT

    def after(case, alert, feature):
        told = {"role": "feature", "alertname": alert, "alertstate": "firing", "feature": feature}
        return case.sees("ALERTS", "1+0x15 stale", **told)

    cases = (
        after(drift(Case("missing"), ALARM), names.FEATURE_MISSING, "pressure")
        .silent(features, "11m", "39m"),
        after(drift(Case("another"), ALARM), names.FEATURE_MISSING, "temperature")
        .fires(features, "11m", "39m"),
        after(drift(Case("answers"), ALARM, "prediction", "y_pred"), names.FEATURE_ABSENT, "x")
        .silent(outputs, "11m", "39m"),
        after(drift(Case("unusual"), ALARM, "prediction", "y_pred"), names.FEATURE_UNSEEN, "x")
        .fires(outputs, "11m", "39m"),
    )  # fmt: skip
    check(tmp_path, only(groups, features, outputs), cases)


def test_drift_is_told_of_features_and_of_answers(groups, tmp_path):
    """Where the state is an alarm for ten minutes, and nowhere else."""
    features, outputs = names.FEATURE_DRIFT, names.PREDICTION_DRIFT
    cases = (
        drift(Case("drift"), ALARM)
        .silent(features, "9m")
        .fires(features, "11m", window="24h", feature="pressure", check="drift")
        .silent(outputs, "20m"),
        drift(Case("answers"), ALARM, "prediction", "y_pred")
        .fires(outputs, "11m", feature="y_pred", area="prediction")
        .silent(features, "20m"),
        drift(Case("batch"), ALARM, window="batch").fires(features, "11m", window="batch"),
        *(
            drift(Case(f"state {state}"), state).silent(features, "20m")
            for state in (OK, FEW, FEW_TRAINING)
        ),
    )
    check(tmp_path, only(groups, features, outputs), cases)


def bins(case, rows, shares, feature="pressure", window="24h"):
    """Live rows and training shares by kind."""
    one = {"role": "feature", "feature": feature}
    case.sees(series.ROWS.name, f"{sum(rows.values())}+0x40", **one, window=window)
    for kind, share in shares.items():
        place = {**one, "kind": kind.rstrip("0123"), "bin": kind}
        case.sees(series.BIN_Q.name, f"{share}+0x40", **place)
        case.sees(series.BIN_ROWS.name, f"{rows.get(kind, 0)}+0x40", **place, window=window)
    return case.sees(alarm_series.TESTS.name, "400+0x40")


RARE = {"interval1": 0.005, "interval2": 0.005, "missing": 0.99}
USUAL = {"interval1": 0.5, "interval2": 0.48, "missing": 0.02}
ALWAYS = {"interval1": 1e-5, "missing": 1 - 1e-5}


def test_a_feature_without_any_value_is_told_when_that_is_improbable(groups, tmp_path):
    """Given how often it was empty in training; what its missing rate tells already is not."""
    empty, silent = names.FEATURE_NO_VALUE, ("20m", "40m")
    cases = (
        bins(Case("rare"), {"missing": 5000}, RARE)
        .silent(empty, "9m")
        .fires(empty, "11m", feature="pressure", check="no_value", window="24h"),
        bins(Case("rare, few rows"), {"missing": 500}, RARE).silent(empty, *silent),
        bins(Case("rare, some"), {"missing": 5000, "interval1": 1}, RARE).silent(empty, *silent),
        bins(Case("usual, a handful"), {"missing": 19}, USUAL).silent(empty, *silent),
        bins(Case("usual, at night"), {"missing": 25}, USUAL).fires(empty, "11m"),
        bins(Case("always"), {"missing": 100_000}, ALWAYS).silent(empty, *silent),
        bins(Case("no rows"), {}, USUAL).silent(empty, *silent),
        rate(bins(Case("told"), {"missing": 5000}, USUAL), "missing", "1h", ALARM).silent(
            empty, *silent
        ),
    )
    check(tmp_path, only(groups, empty), cases)


HOURLY = " ".join(["0 900 1800 2700"] * 24 * 4)  # four days, a change every hour
EACH_ROW = " ".join(["0 5 1 3"] * 24 * 4)
DAILY = " ".join(f"0+900x{4 * 24 - 1}" for _ in range(4))
STILL = "0+900x95"  # a day


def frozen(case, past, rows=500, share=0.1):
    """A feature that changed like this, and then rests for a day; rows keep coming."""
    case.sees(series.SECONDS_SINCE_CHANGE.name, f"{past} {STILL}", **FEATURE)
    long = f"+0x{4 * 24 * 5}"
    place = {**FEATURE, "kind": "interval", "bin": "[1, 2)"}
    case.sees(series.BIN_ROWS.name, f"{rows}{long}", **place, window="1h")
    case.sees(series.BIN_Q.name, f"{share}{long}", **place)
    return case.sees(alarm_series.TESTS.name, f"400{long}")


def test_a_frozen_feature_is_told_against_what_is_usual_for_it(groups, tmp_path):
    """Three times longer than ever, while rows come; not what rests by nature, or at night."""
    ice, usually = names.FEATURE_FROZEN, usual.USUAL_STILL.name
    cases = (
        frozen(Case("each row", step="15m"), EACH_ROW)
        .silent(ice, "95h45m", "96h45m")
        .fires(ice, "97h30m", feature="pressure", check="frozen")
        .fires(ice, "119h"),
        frozen(Case("hourly", step="15m"), HOURLY)
        .computes(usually, 2700, "95h30m", "119h")
        .silent(ice, "95h45m", "98h")
        .fires(ice, "98h45m", "119h"),
        frozen(Case("daily", step="15m"), DAILY).silent(ice, "95h", "100h", "119h"),
        frozen(Case("new", step="15m"), "0 5 1 3").silent(ice, "3h", "20h"),
        frozen(Case("no rows at night", step="15m"), EACH_ROW, rows=0).silent(ice, "100h", "119h"),
        frozen(Case("few rows", step="15m"), EACH_ROW, rows=19).silent(ice, "100h"),
        frozen(Case("constant in training", step="15m"), EACH_ROW, share=0.9999).silent(
            ice, "100h", "119h"
        ),
        frozen(Case("a rare flag", step="15m"), EACH_ROW, share=0.99).silent(ice, "100h"),
    )
    rules = only(recording_rules(scrape_interval="1m"), usually)
    check(tmp_path, [*rules, *only(groups, ice)], cases, every="15m")


def test_a_single_window_is_judged_for_all(profile, tmp_path):
    """With one window there is nothing to compare it with; alarms come sooner where it is short."""
    settings = Settings(windows=("12m",), scrape_interval="15s")
    case = rate(Case("one window"), "missing", "12m", ALARM).fires(
        names.FEATURE_MISSING, "3m", window="12m"
    )
    check(tmp_path, only(alert_rules([profile], settings), names.FEATURE_MISSING), [case])


def test_every_check_has_its_alert():
    """What the rules record a state of, somebody is told of."""
    assert set(CHECKS) == {*rates.CHECKS, ABSENT}
