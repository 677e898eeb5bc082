"""Alerts on the service: when they fire, and when they must not."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from generate.alerting import Case, check, only
from modelmeter import names as metrics
from modelmeter._errors import ConfigurationError
from modelmeter.generate import judgement_series as series
from modelmeter.generate.alerts import names
from modelmeter.generate.alerts.rules import alert_rules
from modelmeter.generate.durations import parse_duration
from modelmeter.generate.rulefile import render
from modelmeter.generate.rules import recording_rules
from modelmeter.generate.service_levels import ServiceLevels
from modelmeter.generate.settings import Settings
from modelmeter.generate.usual import silent_calls
from real.prometheus import promtool

SETTINGS = Settings(scrape_interval="1m")
REPLICA = {"model": None, "version": None, "job": "modelmeter", "instance": "a"}


@pytest.fixture(scope="module")
def groups(profile):
    return alert_rules([profile], SETTINGS)


def recorded(*wanted):
    rules = recording_rules(scrape_interval="1m", job="modelmeter")
    return only(rules, *(one.name for one in wanted))


def test_a_service_that_does_not_answer_is_told(groups, tmp_path):
    """No replica for four scrapes is critical; one of several, or one bad scrape, is not."""
    down = names.TARGET_DOWN
    cases = (
        Case("all down")
        .sees("up", "1 0+0x30", **REPLICA)
        .sees("up", "0+0x30", **REPLICA | {"instance": "b"})
        .silent(down, "4m")
        .fires(down, "6m", severity="critical", area="service", job="modelmeter")
        .silent(names.REPLICA_DOWN, "20m"),
        Case("one of two down")
        .sees("up", "1+0x30", **REPLICA)
        .sees("up", "0+0x30", **REPLICA | {"instance": "b"})
        .silent(down, "20m")
        .silent(names.REPLICA_DOWN, "4m")
        .fires(names.REPLICA_DOWN, "20m", instance="b", severity="warning"),
        Case("one bad scrape").sees("up", "1 1 0 1+0x20", **REPLICA).silent(down, "2m", "6m"),
        Case("no target left").fires(down, "10m", job="modelmeter"),
        Case("another job")
        .sees("up", "1+0x30", **REPLICA)
        .sees("up", "0+0x30", **REPLICA | {"job": "other"})
        .silent(down, "20m"),
    )
    check(tmp_path, only(groups, down, names.REPLICA_DOWN), cases)


def test_a_model_that_nobody_serves_is_told(profile, tmp_path):
    """Models of one job go down one by one: the other's replica answers, and is no consolation."""
    odd = replace(profile, name='say "hi" {{ x }}')
    quiet, info = names.NOT_SERVED, metrics.MODEL_INFO.name
    here = {"job": "modelmeter", "instance": "a", "profile_hash": "x"}
    cases = (
        Case("one of two models")
        .sees("up", "1+0x30", **REPLICA)
        .sees("up", "1 1 1 1 1 0+0x25", **REPLICA | {"instance": "b"})
        .sees(info, "1+0x30", **here)
        # The other one served until its replica went down.
        .sees(info, "1 1 1 1 1 stale", **here | {"instance": "b", "model": odd.name})
        .silent(quiet, "4m", "6m")
        .fires(quiet, "10m", model=odd.name, severity="critical", job="modelmeter")
        .silent(quiet, "10m", "30m", model="flight-delay"),
        Case("another version")
        .sees("up", "1+0x30", **REPLICA)
        .sees(info, "1+0x30", **here | {"version": "2"})
        .sees(info, "1+0x30", **here | {"model": odd.name})
        .silent(quiet, "10m"),
        Case("in another job")
        .sees("up", "1+0x30", **REPLICA)
        .sees(info, "1+0x30", **here | {"job": "other"})
        .fires(quiet, "10m", number=2),
        # That is told of the service.
        Case("no replica answers").sees("up", "0+0x30", **REPLICA).silent(quiet, "10m"),
        Case("no replica is left").silent(quiet, "10m"),
    )
    check(tmp_path, only(alert_rules([profile, odd], SETTINGS), quiet), cases)


def test_what_is_scored_in_batches_need_not_be_served(profile):
    """A model without a service is not missed."""
    settings = replace(SETTINGS, batch_every="24h")
    assert only(alert_rules([profile], SETTINGS), names.NOT_SERVED)
    assert not only(alert_rules([profile], settings), names.NOT_SERVED)


def calls(case, *days, week=7 * 24 * 6, version="10m"):
    """Calls in every ten minutes, day by day, six values an hour."""
    return case.sees(series.CALLS.name, " ".join(days), version=None, window=version)


DAY = "0+0x47 100+0x71 0+0x23"  # eight to twenty o'clock
IDLE = "0+0x143"
NIGHT_OWL = "2+0x143"


def test_silence_is_told_where_it_is_unusual(groups, tmp_path):
    """At an hour at which calls usually come, from three days on; never at night or at weekends."""
    quiet = names.NO_TRAFFIC
    cases = (
        calls(Case("silent at noon", step="10m"), *[DAY] * 4, IDLE)
        .silent(quiet, "76h", "103h50m", "116h30m")
        .fires(quiet, "105h", "115h30m", severity="critical", area="service"),
        calls(Case("back again", step="10m"), *[DAY] * 4, "0+0x59 100+0x59 0+0x23")
        .fires(quiet, "105h")
        .silent(quiet, "106h30m"),
        calls(Case("two days are not enough", step="10m"), *[DAY] * 2, IDLE).silent(quiet, "60h"),
        calls(Case("few calls", step="10m"), *[NIGHT_OWL] * 5, IDLE).silent(quiet, "132h"),
        # Saturday and Sunday of the second week: as a week before.
        calls(Case("weekend", step="10m"), *[DAY] * 5, IDLE, IDLE, *[DAY] * 5, IDLE, IDLE)
        .fires(quiet, "132h")  # the first Saturday: nothing else is known
        .silent(quiet, "300h", "324h"),
        calls(Case("one odd day", step="10m"), DAY, IDLE, DAY, DAY, IDLE).fires(quiet, "108h"),
        calls(Case("gone", step="10m"), *[DAY] * 4).silent(quiet, "108h"),
    )
    rules = [*recorded(series.USUAL_CALLS), *only(groups, quiet)]
    check(tmp_path, rules, cases, every="10m")


def test_calls_of_all_versions_and_replicas_are_one(tmp_path):
    """Calls add up over replicas and versions, failed ones included; a restart loses none."""
    count, rows = f"{metrics.PREDICTION_ROWS.name}_count", metrics.PREDICTIONS.name
    case = Case("two versions")
    for instance, version, values in (
        ("a", "1", "0+10x20"),
        ("b", "1", "0+10x14 0+10x5"),
        ("a", "2", "0+20x20"),
    ):
        case.sees(count, values, instance=instance, version=version)
        for outcome, failed in (("ok", "0+9x20"), ("error", "0+1x20")):
            case.sees(rows, failed, instance=instance, version=version, outcome=outcome)
    # In ten minutes: 100; 90, for what the restart cut off is lost; 200; and 3 x 10 failed.
    case.computes(f'round({series.CALLS.name}{{window="10m"}}, 10)', 420, "20m")
    check(tmp_path, recorded(series.CALLS), [case])


def http(case, status, values, **labels):
    known = {"job": "modelmeter", "instance": "a", "method": "POST", "route": "/predict"}
    return case.sees(metrics.HTTP_REQUESTS.name, values, status=status, **known | labels)


def test_failing_requests_are_told_by_how_fast_they_use_up_the_budget(groups, tmp_path):
    """Fast burns wake, slow ones wait until morning; few failures, or what is over, do neither."""
    burn, page = names.ERROR_BUDGET_BURN, {"severity": "critical"}
    fine = "0+100x500"
    cases = (
        http(http(Case("a third fails from 60m on"), "200", fine), "500", "0+0x60 0+50x440")
        .silent(burn, "60m", "64m")
        .fires(burn, "100m", "200m", window="1h", model="flight-delay", version="1", **page)
        .fires(burn, "400m", window="6h", **page),
        http(http(Case("mended"), "200", fine), "500", "0+0x60 0+50x60 3000+0x380")
        .fires(burn, "119m", window="1h")
        .silent(burn, "128m", window="1h")
        .silent(burn, "200m", window="6h"),
        http(http(Case("objective just kept"), "200", fine), "500", "0+1x500").silent(
            burn, "300m", "500m", **page
        ),
        http(
            http(Case("one bad request at night"), "200", "0+0x58 0 1 1 1+0x440"),
            "500",
            "0+0x60 1+0x440",
        ).silent(burn, "62m", "70m", "300m"),
        http(
            http(Case("four bad requests of four"), "200", "0+0x500"), "500", "0+0x60 1 2 3 4+0x437"
        ).silent(burn, "70m", "100m"),
        http(http(Case("callers' mistakes"), "200", fine), "422", "0+500x500").silent(burn, "300m"),
        http(http(Case("another service"), "200", fine), "500", "0+100x500", job="other").silent(
            burn, "300m"
        ),
        http(http(Case("a restart"), "200", "0+100x100 0+100x400"), "500", "0+0x500").silent(
            burn, "104m", "120m"
        ),
        Case("not over HTTP")
        .sees(metrics.PREDICTIONS.name, "0+10x300", outcome="ok")
        .sees(metrics.PREDICTIONS.name, "0+10x300", outcome="error")
        .fires(burn, "100m", window="1h"),
    )
    rules = recorded(series.REQUESTS, series.FAILED_REQUESTS, series.SLOW_REQUESTS)
    check(tmp_path, [*rules, *only(groups, burn)], cases)


def latency(case, fast, every):
    known = {"job": "modelmeter", "instance": "a", "route": "/predict", "status": "200"}
    name = metrics.HTTP_DURATION.name
    for le, values in (("0.25", "0+0x200"), ("0.5", fast), ("1.0", every), ("+Inf", every)):
        case.sees(f"{name}_bucket", values, le=le, **known)
    case.sees(f"{name}_count", every, **known)
    return case.sees(metrics.HTTP_REQUESTS.name, every, **known)


def test_slow_requests_are_told(groups, tmp_path):
    """What takes longer than the bound uses up the budget of slow requests."""
    burn = names.LATENCY_BUDGET_BURN
    cases = (
        latency(Case("most are slow"), "0+1x200", "0+10x200").fires(
            burn, "100m", severity="critical", window="1h"
        ),
        latency(Case("three of a hundred"), "0+97x200", "0+100x200").silent(burn, "100m", "200m"),
        latency(Case("no traffic"), "0+0x200", "0+0x200").silent(burn, "100m"),
    )
    rules = recorded(series.REQUESTS, series.FAILED_REQUESTS, series.SLOW_REQUESTS)
    check(tmp_path, [*rules, *only(groups, burn)], cases)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"availability": 0.9}, "availability"),
        ({"availability": 1}, "availability"),
        ({"latency": "0.99"}, "latency"),
        ({"latency": True}, "latency"),
        ({"latency_seconds": 0.3}, "latency_seconds must be one of the bounds"),
        ({"latency_seconds": float("nan")}, "latency_seconds"),
        ({"smallest_loss": 0}, "smallest_loss"),
        ({"smallest_coverage": 1.5}, "smallest_coverage"),
        ({"grafana_url": "http://a b"}, "grafana_url"),
        ({"grafana_url": "http://{{ x }}"}, "grafana_url"),
        ({"runbook_url": ""}, "runbook_url"),
        ({"runbook_url": 'x"y'}, "runbook_url"),
    ],
)
def test_objectives_and_addresses_that_cannot_work_are_refused(options, field):
    """The error names the setting."""
    with pytest.raises(ConfigurationError) as error:
        Settings(**options)
    assert str(error.value).startswith(field)


def test_bounds_of_the_request_times_are_objectives():
    """Every bound can be promised, however it is written in the label."""
    for seconds in metrics.HTTP_DURATION.buckets:
        assert ServiceLevels(latency_seconds=seconds).latency_seconds == seconds


def test_saturation_is_told_when_it_lasts(groups, tmp_path):
    """Ten minutes of a blocked loop, busy threads or open files, in any worker of a replica."""
    full = names.SATURATED
    lag, busy = metrics.EVENT_LOOP_LAG.name, metrics.THREADPOOL_BUSY.name
    cases = (
        Case("blocked loop")
        .sees(lag, "0.01+0x30", **REPLICA, worker="0")
        .sees(lag, "2+0x30", **REPLICA, worker="1")
        .silent(full, "9m")
        .fires(full, "11m", resource="event_loop", instance="a", severity="warning"),
        Case("blocked for a moment").sees(lag, "0 0 3 3 0+0x30", **REPLICA).silent(full, "20m"),
        Case("threads").sees(busy, "0.95+0x30", **REPLICA).fires(full, "11m", resource="threads"),
        Case("files")
        .sees(metrics.PROCESS_OPEN_FDS.name, "950+0x30", **REPLICA)
        .sees(metrics.PROCESS_MAX_FDS.name, "1024+0x30", **REPLICA)
        .fires(full, "11m", resource="files"),
        Case("fine")
        .sees(metrics.PROCESS_OPEN_FDS.name, "50+0x30", **REPLICA)
        .sees(metrics.PROCESS_MAX_FDS.name, "1024+0x30", **REPLICA)
        .sees(busy, "0.9+0x30", **REPLICA)
        .silent(full, "20m"),
    )
    check(tmp_path, only(groups, full), cases)


def test_silence_must_be_improbable():
    """The calls that must be usual keep chance well within the budget, and grow with it."""
    few, many = silent_calls(1, 10.0), silent_calls(1, 0.1)
    assert 10 < few < silent_calls(1, 1.0) < many < 30


@pytest.mark.parametrize("scrape", ["15s", "3m", "30m"])
def test_no_window_is_shorter_than_four_scrapes(scrape, profile, tmp_path):
    """However rarely services are scraped, an increase survives a scrape that failed."""
    timing = {"scrape_interval": scrape, "evaluation_interval": "5m"}
    rules = recording_rules(**timing)
    reads = re.findall(r"increase\([^\[]+\[(\w+)\]\)", render(only(rules, *SHORT)))
    shortest = 4 * parse_duration(scrape, field="scrape")
    assert reads
    assert min(parse_duration(text, field="read") for text in reads) >= shortest
    written = render([*rules, *alert_rules([profile], Settings(**timing))])
    (tmp_path / "all.yml").write_text(written)
    assert "SUCCESS" in promtool("check", "rules", tmp_path / "all.yml")


SHORT = tuple(
    one.name
    for one in (series.REQUESTS, series.FAILED_REQUESTS, series.SLOW_REQUESTS, series.CALLS)
)
