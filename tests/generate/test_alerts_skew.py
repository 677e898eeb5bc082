"""Alerts on skew and on the monitoring itself: when they fire, and when they must not."""

from __future__ import annotations

import pytest

from generate.alerting import Case, check, only
from modelmeter import names as metrics
from modelmeter.generate import skew_series as series
from modelmeter.generate.alerts import names
from modelmeter.generate.alerts.rules import alert_rules
from modelmeter.generate.rules import recording_rules
from modelmeter.generate.settings import Settings

SERVICE = {"model": None, "version": None, "job": "modelmeter", "instance": "a"}


@pytest.fixture(scope="module")
def alerts(profile):
    return alert_rules([profile], Settings(scrape_interval="1m"))


@pytest.fixture(scope="module")
def rules():
    return recording_rules(scrape_interval="1m")


def canary(case, different, failed, instance="a"):
    for outcome, rows in (("equal", 5), ("different", different), ("failed", failed)):
        case.sees(metrics.CANARY_ROWS.name, f"{rows}+0x30", outcome=outcome, instance=instance)
    return case


def test_rows_that_are_answered_otherwise_are_told(alerts, rules, tmp_path):
    """By any replica, whether other answers or none; equal ones are fine, and so is no canary."""
    bad = names.CANARY_MISMATCH
    cases = (
        canary(canary(Case("one replica"), 0, 0), 2, 1, "b").fires(
            bad, "10m", severity="critical", area="skew", model="flight-delay", version="1"
        ),
        canary(Case("failed"), 0, 1).fires(bad, "10m"),
        canary(Case("equal"), 0, 0).silent(bad, "10m"),
        Case("no canary").silent(bad, "10m"),
    )
    check(tmp_path, [*only(rules, series.CANARY_DIFFERENT.name), *only(alerts, bad)], cases)


def test_other_libraries_are_told_by_how_far_they_differ(alerts, rules, tmp_path):
    """A patch is good to know, a minor or major version a warning, the same version nothing."""
    other = names.LIBRARY_MISMATCH
    raw = {"training": "1.0", "serving": "2.0"}
    case = Case("four libraries")
    for library, level in (("numpy", 0), ("python", 1), ("scikit_learn", 2), ("pandas", 3)):
        case.sees(metrics.LIBRARY_MISMATCH.name, f"{level}+0x30", **raw, library=library)
    case.fires(other, "15m", severity="info", library="python")
    case.fires(other, "15m", number=2, severity="warning")
    case.silent(other, "15m", library="numpy")
    check(tmp_path, [*only(rules, series.LIBRARY_MISMATCH.name), *only(alerts, other)], [case])


def columns(case, checks, mismatches, **labels):
    case.sees(metrics.SCHEMA_CHECKS.name, checks, instance="a")
    return case.sees(metrics.SCHEMA_MISMATCHES.name, mismatches, instance="a", **labels)


def test_other_columns_are_told_when_they_keep_coming(alerts, rules, tmp_path):
    """One caller who gets it wrong for a moment is no alarm."""
    other = names.SCHEMA_MISMATCH
    missing = {"feature": "pressure", "check": "missing"}
    cases = (
        columns(Case("missing"), "0+60x30", "0+60x30", **missing)
        .silent(other, "9m")
        .fires(other, "15m", **missing, area="skew"),
        columns(Case("order"), "0+60x30", "0+60x30", feature="", check="reordered").fires(
            other, "15m", check="reordered"
        ),
        columns(Case("once"), "0+60x30", "0 0 0 1+0x28", **missing).silent(other, "6m", "16m"),
        columns(Case("one in a hundred"), "0+100x30", "0+1x30", **missing).silent(other, "25m"),
    )
    check(tmp_path, [*only(rules, series.SCHEMA_MISMATCH.name), *only(alerts, other)], cases)


def profiles(case, first, second, **labels):
    one = {"role": "feature", "feature": "x", "kind": "interval", "bin": "[1, 2)"} | labels
    case.sees(metrics.REFERENCE_ROWS.name, first, **one, instance="a")
    return case.sees(metrics.REFERENCE_ROWS.name, second, **one, instance="b")


def test_two_profiles_under_one_version_are_told(alerts, tmp_path):
    """When it stays so; not while replicas are replaced, nor of two versions."""
    mixed = names.REFERENCE_MISMATCH
    cases = (
        profiles(Case("two profiles"), "100+0x40", "120+0x40").fires(mixed, "16m", version="1"),
        profiles(Case("roll-out"), "100+0x40", "120+0x9 100+0x30").silent(mixed, "9m", "20m"),
        profiles(Case("the same"), "100+0x40", "100+0x40").silent(mixed, "20m"),
        Case("two versions")
        .sees(metrics.REFERENCE_ROWS.name, "100+0x40", feature="x")
        .sees(metrics.REFERENCE_ROWS.name, "120+0x40", feature="x", version="2")
        .silent(mixed, "20m"),
    )
    check(tmp_path, only(alerts, mixed), cases)


def test_monitoring_that_fails_is_told(alerts, tmp_path):
    """Failures and losses that go on; one alone, or those of another service, are none."""
    failing, dropping = names.MONITORING_FAILING, names.MONITORING_DROPPING
    failures, dropped = metrics.FAILURES.name, metrics.DROPPED.name
    lost = {"where": "labels", "reason": "full"}
    cases = (
        Case("goes on")
        .sees(failures, "0+1x40", **SERVICE, where="observe")
        .silent(failing, "12m")
        .fires(failing, "20m", where="observe", area="monitoring", job="modelmeter"),
        Case("once")
        .sees(failures, "0+0x5 1+0x40", **SERVICE, where="observe")
        .silent(failing, *(f"{minute}m" for minute in range(6, 40, 3))),
        Case("another service")
        .sees(failures, "0+1x40", **SERVICE | {"job": "other"}, where="observe")
        .silent(failing, "30m"),
        Case("let go").sees(dropped, "0+5x40", **SERVICE, **lost).fires(dropping, "20m", **lost),
        Case("fine").sees(dropped, "7+0x40", **SERVICE, **lost).silent(dropping, "30m"),
        Case("restarted").sees(dropped, "7+0x9 0+0x30", **SERVICE, **lost).silent(dropping, "30m"),
    )
    check(tmp_path, only(alerts, failing, dropping), cases)


def test_rules_that_fail_or_are_late_are_told(alerts, tmp_path):
    """Where Prometheus is scraped itself: those of modelmeter only."""
    failing = names.RULES_FAILING
    ours, theirs = "/etc/rules.yml;modelmeter_drift", "/etc/rules.yml;other"

    def late(case, group, seconds):
        case.sees("prometheus_rule_group_last_duration_seconds", seconds, rule_group=group)
        return case.sees("prometheus_rule_group_interval_seconds", "60+0x40", rule_group=group)

    cases = (
        Case("failing")
        .sees("prometheus_rule_evaluation_failures_total", "0+1x40", rule_group=ours)
        .fires(failing, "15m", reason="failed"),
        late(Case("late"), ours, "75+0x40").fires(failing, "15m", reason="late", rule_group=ours),
        late(Case("in time"), ours, "5+0x40").silent(failing, "30m"),
        late(Case("others"), theirs, "75+0x40").silent(failing, "30m"),
    )
    check(tmp_path, only(alerts, failing), cases)
