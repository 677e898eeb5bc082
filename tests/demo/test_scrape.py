"""Tests of modelmeter.demo.scrape."""

import math

import pytest

from modelmeter.demo.scrape import compare, parse, quantile
from modelmeter.stats.drift import drift

HEAD = 'model="m",version="1"'


def bins(name: str, feature: str, role: str, rows: dict[tuple[str, str], float]) -> str:
    """Return samples of a metric over bins."""
    return "".join(
        f'{name}{{{HEAD},role="{role}",feature="{feature}",kind="{kind}",ord="",bin="{bin}"}} {n}\n'
        for (kind, bin), n in rows.items()
    )


def exposition(a: float, missing: float, late: float, requests: float) -> str:
    """Return what a service says after so many rows and requests."""
    feature = {("category", "a"): a, ("category", "b"): 50, ("missing", "missing"): missing}
    live, reference = "model_feature_bin_total", "model_feature_reference_rows"
    http = f'method="POST",route="/predict/model",status="200",{HEAD}'
    other = 'method="GET",route="/metrics",status="200",model="",version=""'
    duration = "http_request_duration_seconds"
    text = "# TYPE model_feature_bin counter\n"
    text += bins(live, "x", "feature", feature)
    text += bins(live, "y_pred", "prediction", {("category", "1"): late})
    text += f"# TYPE {reference} gauge\n"
    before = {("category", "a"): 500, ("category", "b"): 400, ("missing", "missing"): 100}
    text += bins(reference, "x", "feature", before)
    text += bins(reference, "y_pred", "prediction", {("category", "0"): 90, ("category", "1"): 10})
    text += "# TYPE model_predictions counter\n"
    text += f'model_predictions_total{{{HEAD},outcome="ok"}} {a + missing}\n'
    text += "# TYPE http_requests counter\n"
    text += f"http_requests_total{{{http}}} {requests}\nhttp_requests_total{{{other}}} 999\n"
    text += f"# TYPE {duration} histogram\n"
    for bound, n in (("0.01", requests / 2), ("0.02", requests), ("+Inf", requests)):
        text += f'{duration}_bucket{{{http},le="{bound}"}} {n}\n'
        text += f'{duration}_bucket{{{other},le="{bound}"}} 999\n'
    return text


def test_difference_of_two_scrapes():
    """Rows, rates and drift are those of the time between the scrapes."""
    first = parse(exposition(a=100, missing=10, late=7, requests=40), at=1_000.0)
    last = parse(exposition(a=300, missing=60, late=32, requests=80), at=1_010.0)
    reading = compare(first, last)
    expected = drift([200, 0, 50], [500, 400, 100], kinds=["category", "category", "missing"])
    x = reading["x"]
    found = pytest.approx((expected.psi_excess, expected.g_z), rel=1e-9)
    assert (x.rows, (x.psi_excess, x.z)) == (250, found)
    assert x.checks["missing"].rate == 0.2
    assert x.checks["missing"].reference_rate == 0.1
    assert reading.rows_per_second == 25
    assert reading.requests_per_second == 4
    assert reading.error_ratio == 0
    assert reading.median_seconds == pytest.approx(0.01)
    assert reading.slow_seconds == pytest.approx(0.019)
    assert reading.reference_positive == 0.1
    assert reading["y_pred"].role == "prediction"


def test_no_traffic_is_no_data():
    """Between two equal scrapes nothing is known of drift and latency."""
    scrape = parse(exposition(a=100, missing=10, late=7, requests=40), at=1_000.0)
    reading = compare(scrape, parse(exposition(a=100, missing=10, late=7, requests=40), 1_001.0))
    assert reading["x"].verdict == "no data"
    assert math.isnan(reading.median_seconds)
    assert math.isnan(reading.positive)


def test_quantile_beyond_the_buckets():
    """A quantile in the last bucket is the largest bound there is."""
    labels = (("le", "0.5"), ("route", "/predict/model"))
    rest = (("le", "+Inf"), ("route", "/predict/model"))
    assert quantile(0.5, {labels: 1, rest: 10}) == 0.5
    assert math.isnan(quantile(0.5, {}))
