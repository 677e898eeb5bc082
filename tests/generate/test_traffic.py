"""Golden signals and freshness in ``promtool test rules``."""

from __future__ import annotations

import json

import pytest

from modelmeter import names
from modelmeter.generate import series as recorded
from modelmeter.generate.rules import recording_rules
from real.rule_tests import Scenario, series

MODEL = {"model": "m", "version": "1"}
ROUTE = {"job": "modelmeter", "method": "POST", "route": "/predict", **MODEL}
RULES = recording_rules(windows=("10m",), scrape_interval="1m", positions=0, job="modelmeter")


def steady(per_minute):
    """A counter that grows evenly."""
    return [per_minute * minute for minute in range(31)]


def requests(instance, status, values, **labels):
    return series(
        names.HTTP_REQUESTS.name,
        {**ROUTE, "instance": instance, "status": status, **labels},
        values,
    )


def test_request_rate_and_errors_add_up_over_replicas(tmp_path):
    """Requests per second by status, and the share of 5xx; a 404 is no failure of the service."""
    inputs = [
        requests("a", "200", steady(60)),
        requests("b", "200", steady(30)),
        requests("b", "500", steady(6)),
        requests("b", "503", steady(3)),
        requests("b", "404", steady(21)),
    ]
    scenario = Scenario(RULES, inputs)
    rate, errors = recorded.REQUEST_RATE.name, recorded.ERROR_RATIO.name
    scenario.expect(f'{rate}{{status="200"}}', 1.5, minute=20)
    scenario.expect(f'{errors}{{route="/predict",model="m",window="5m"}}', 9 / 120, minute=20)
    scenario.check(tmp_path)


def test_error_ratio_is_zero_before_the_first_error(tmp_path):
    """A service that never failed has the ratio 0; one that gets no requests has none."""
    idle = {"route": "/idle"}
    inputs = [requests("a", "200", steady(60)), requests("a", "200", [5] * 31, **idle)]
    scenario = Scenario(RULES, inputs)
    scenario.expect(f'{recorded.ERROR_RATIO.name}{{route="/predict"}}', 0, minute=20)
    scenario.expect_count(f'{recorded.ERROR_RATIO.name}{{route="/idle"}}', 0, minute=20)
    scenario.check(tmp_path)


def test_request_metrics_of_other_jobs_are_left_alone(tmp_path):
    """Other services may use the same metric names: only the own job is read, if one is named."""
    other = requests("a", "200", steady(60), job="shop")
    named = Scenario(RULES, [other])
    named.expect_count(recorded.REQUEST_RATE.name, 0, minute=20)
    named.check(tmp_path)
    anyone = Scenario(recording_rules(windows=("10m",), scrape_interval="1m"), [other])
    anyone.expect(f'{recorded.REQUEST_RATE.name}{{job="shop"}}', 1, minute=20)
    anyone.check(tmp_path)


@pytest.mark.parametrize("job", ['with "quotes"', "back\\slash", "дом"])
def test_job_may_be_any_text(job, tmp_path):
    """Quotes and backslashes in the job's name reach Prometheus as they are."""
    rules = recording_rules(windows=("10m",), scrape_interval="1m", positions=0, job=job)
    scenario = Scenario(rules, [requests("a", "200", steady(60), job=job)])
    selector = f"{recorded.REQUEST_RATE.name}{{job={json.dumps(job, ensure_ascii=False)}}}"
    scenario.expect(selector, 1, minute=20)
    scenario.check(tmp_path)


@pytest.mark.parametrize(
    ("metric", "labels", "series_of"),
    [
        (names.HTTP_DURATION, {**ROUTE, "status": "200"}, recorded.REQUEST_SECONDS),
        (names.PREDICTION_SECONDS, MODEL, recorded.PREDICTION_SECONDS),
    ],
)
def test_latency_quantiles_are_read_off_the_histogram(metric, labels, series_of, tmp_path):
    """All replicas' buckets together give the quantiles; an idle histogram gives none."""
    inputs = []
    for instance, fast, slow in (("a", 80, 100), ("b", 100, 100)):
        for le, count in (("0.1", fast), ("0.2", slow), ("+Inf", slow)):
            one = {**labels, "instance": instance, "le": le}
            values = [*steady(count)[:16], *[15 * count] * 15]
            inputs.append(series(f"{metric.name}_bucket", one, values))
    scenario = Scenario(RULES, inputs)
    for quantile, value in (("0.5", 0.1 * 100 / 180), ("0.95", 0.15), ("0.99", 0.19)):
        expr = f'{series_of.name}{{quantile="{quantile}",window="5m"}}'
        scenario.expect(expr, value, minute=12)
        scenario.expect_count(expr, 0, minute=25)
    scenario.check(tmp_path)


def test_rows_per_second_and_model_errors(tmp_path):
    """Rows predicted per second over replicas, and the share for which the model raised."""
    inputs = [
        series(names.PREDICTIONS.name, {**MODEL, "instance": i, "outcome": outcome}, steady(rows))
        for i, outcome, rows in (("a", "ok", 120), ("b", "ok", 60), ("a", "error", 20))
    ]
    scenario = Scenario(RULES, inputs)
    scenario.expect(f'{recorded.PREDICTION_RATE.name}{{outcome="ok"}}', 3, minute=20)
    scenario.expect(recorded.PREDICTION_ERROR_RATIO.name, 0.1, minute=20)
    scenario.check(tmp_path)


def test_ages_are_since_the_latest_of_all_replicas(tmp_path):
    """The freshest replica counts, also when it has just restarted and says 0."""
    feature = {**MODEL, "feature": "temp"}
    inputs = [
        series(names.FEATURE_LAST_VALUE.name, {**feature, "instance": "a"}, [600] * 12 + [0] * 19),
        series(names.FEATURE_LAST_VALUE.name, {**feature, "instance": "b"}, [300] * 31),
        series(names.FEATURE_LAST_CHANGE.name, {**feature, "instance": "a"}, [0] * 31),
        series(names.LAST_PREDICTION.name, {**MODEL, "instance": "a"}, [660] * 31),
    ]
    scenario = Scenario(RULES, inputs)
    value = f'{recorded.SECONDS_SINCE_VALUE.name}{{role="feature",feature="temp"}}'
    scenario.expect(value, 300, minute=15)
    scenario.expect(value, 1500, minute=30)
    scenario.expect_count(recorded.SECONDS_SINCE_CHANGE.name, 0, minute=15)
    scenario.expect(recorded.SECONDS_SINCE_PREDICTION.name, 240, minute=15)
    scenario.check(tmp_path)
