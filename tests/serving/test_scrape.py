"""A scrape holds our metrics and the user's, in the format asked for, for whom it may."""

import gzip
import logging
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Enum,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    Summary,
)
from prometheus_client.core import GaugeHistogramMetricFamily
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from modelmeter import names
from modelmeter._errors import ConfigurationError
from modelmeter.live.counts import Counts
from modelmeter.live.exposition import Exposition
from modelmeter.serving.failures import Failures
from modelmeter.serving.scrape import Bearer, Scrape
from real.web import check_metrics, samples

OPENMETRICS = "application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5"
TEXT = "text/plain;version=0.0.4"


def scrape(registry=None, bearer=None):
    """Return a scrape of some counts, and the counts."""
    counts = Counts()
    row = ("GET", "/", "200", "", "")
    counts.block(names.HTTP_REQUESTS, [row]).cells[0] = 7
    counts.block(names.HTTP_DURATION, [row]).cells[3] = 7
    counts.block(names.MODEL_INFO, [("late", "1", "h", "3.11", "2", "1", "0.1")]).cells[0] = 1
    return Scrape(Exposition([counts]), registry, bearer, Failures(counts)), counts


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", "text/plain; version=0.0.4; charset=utf-8"),
        ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
        (TEXT, "text/plain; version=0.0.4; charset=utf-8"),
        (OPENMETRICS, "application/openmetrics-text; version=1.0.0; charset=utf-8"),
        ("application/openmetrics-text", "application/openmetrics-text; version=1.0.0;"),
        ("nonsense;;=,\x00", "text/plain; version=0.0.4; charset=utf-8"),
    ],
)
def test_the_format_is_negotiated(accept, kind):
    """The format is the one that the Accept header prefers, and text by default."""
    registry = CollectorRegistry()
    Counter("mine", "Mine.", registry=registry).inc(3)
    answer = scrape(registry)[0].answer(accept)
    headers = dict(answer.headers)
    assert headers["Content-Type"].startswith(kind)
    text = answer.body.decode()
    if kind.startswith("application"):
        assert text.endswith("# EOF\n")
        assert text.count("# EOF") == 1
        families = {family.name: family for family in parse_openmetrics(text)}
        assert families["http_requests"].samples[0].value == 7
    else:
        assert "# EOF" not in text
        families = {family.name: family for family in parse_text(text)}
    assert families["mine"].samples[0].value == 3
    assert families["http_requests"].samples[0].value == 7


@pytest.mark.parametrize(
    ("accept_encoding", "packed"),
    [
        ("gzip", True),
        ("deflate, GZIP;q=0.5", True),
        ("*", True),
        ("", False),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip; q=0.0, br", False),
        ("xgzip", False),
    ],
)
def test_gzip(accept_encoding, packed):
    """The body is packed when the client takes that, and says so."""
    plain = scrape()[0].answer().body
    answer = scrape()[0].answer("", accept_encoding)
    assert (dict(answer.headers).get("Content-Encoding") == "gzip") is packed
    assert (gzip.decompress(answer.body) if packed else answer.body) == plain


def clashing():
    """Return a registry in which every family but `mine` and `app_process` clashes with ours."""
    registry = CollectorRegistry()
    Gauge("mine", "Mine.", registry=registry)
    Counter("http_requests", "Theirs.", ["handler"], registry=registry).labels("/")
    Gauge("http_request_duration_seconds_sum", "A sample of our histogram.", registry=registry)
    Summary("model_prediction_rows", "Theirs.", registry=registry)
    Histogram("model_feature_bin_total", "Theirs.", registry=registry)
    Info("model", "Theirs.", registry=registry)
    Enum("modelmeter_failures", "Theirs.", states=["a"], registry=registry)
    ProcessCollector(registry=registry)
    ProcessCollector(namespace="app", registry=registry)
    return registry


@pytest.mark.parametrize("accept", [TEXT, OPENMETRICS])
def test_of_one_name_ours_is_exported(accept, caplog):
    """A family of the user's under a name of ours is left out, and named once in the log."""
    made, _ = scrape(clashing())
    for _ in range(2):
        text = made.answer(accept).body.decode()
    parse = parse_openmetrics if accept is OPENMETRICS else parse_text
    families = [family.name for family in parse(text)]
    assert len(families) == len(set(families))
    assert "mine" in families
    assert "app_process_open_fds" in families
    assert {family.documentation for family in parse(text)}.isdisjoint({"Theirs."})
    assert not any(name.startswith("process_") for name in families)
    if accept is TEXT:
        assert check_metrics(text) == ""
    said = [record.getMessage() for record in caplog.records]
    assert sum("http_requests is left out" in line for line in said) == 1
    assert not any("process_" in line for line in said)


def test_gauge_histograms_of_the_user():
    """A family type that only OpenMetrics has is handed on."""

    class Sizes:
        def collect(self):
            yield GaugeHistogramMetricFamily("sizes", "Mine.", buckets=[("+Inf", 2)], gsum_value=3)

    registry = CollectorRegistry()
    registry.register(Sizes())
    text = scrape(registry)[0].answer(OPENMETRICS).body.decode()
    assert "sizes" in [family.name for family in parse_openmetrics(text)]


def test_a_broken_collector_of_the_users_does_not_silence_ours(caplog):
    """When the user's registry raises, ours is exported and the failure is counted."""

    class Broken:
        broken = False

        def collect(self):
            if self.broken:
                raise RuntimeError("broken")
            return []

    registry = CollectorRegistry()
    broken = Broken()
    registry.register(broken)
    broken.broken = True
    made, _ = scrape(registry)
    text = made.answer().body
    assert samples(text, "http_requests_total") == {("GET", "/", "200"): 7}
    assert samples(text, "modelmeter_failures_total") == {("metrics",): 1, ("counts",): 0}
    assert sum("broken" in record.getMessage() for record in caplog.records) == 1
    assert caplog.records[0].levelno == logging.WARNING


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        ("Bearer s3cret", 200),
        ("bearer  s3cret ", 200),
        ("", 401),
        ("Bearer", 401),
        ("Bearer ", 401),
        ("Bearer s3cre", 401),
        ("Bearer s3cret2", 401),
        ("Basic s3cret", 401),
        ("s3cret", 401),
        ("Bearer \xff\udcff", 401),
    ],
)
def test_the_token(authorization, status):
    """Only the token itself opens; anything else is a 401 that says what is asked for."""
    answer = scrape(bearer=Bearer("s3cret"))[0].answer(authorization=authorization)
    assert answer.status == status
    if status == 401:
        assert dict(answer.headers)["WWW-Authenticate"].startswith("Bearer")
        assert b"http_requests" not in answer.body


@given(st.text(max_size=20))
def test_no_other_token_opens(text):
    """No text but the token is taken for it."""
    assert Bearer("s3cret").allows(f"Bearer {text}") is (text.strip() == "s3cret")


def test_a_token_file_is_read_again_when_it_changes(tmp_path):
    """A token that is rotated in its file is the one that holds from then on."""
    path = tmp_path / "token"
    path.write_text("first\n")
    bearer = Bearer(token_file=path)
    assert bearer.allows("Bearer first")
    path.write_text("second\n")
    os.utime(path, ns=(1, 1))
    assert bearer.allows("Bearer second")
    assert not bearer.allows("Bearer first")
    path.unlink()
    assert bearer.allows("Bearer second")
    path.write_text("")
    assert bearer.allows("Bearer second")
    assert not bearer.allows("Bearer ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "either a token or a token_file"),
        ({"token": "a", "token_file": "b"}, "either a token or a token_file"),
        ({"token": ""}, "empty"),
        ({"token_file": "/nowhere/token"}, "/nowhere/token"),
        ({"token_file": "/dev/null"}, "empty"),
    ],
)
def test_a_token_that_cannot_work_is_refused(arguments, message):
    """A token that would let nobody, or everybody, in is refused at start-up."""
    with pytest.raises(ConfigurationError, match=message):
        Bearer(**arguments)
