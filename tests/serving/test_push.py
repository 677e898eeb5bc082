"""Batches on a real Pushgateway: what it shows is what the batch held."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pandas as pd
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sklearn.linear_model import LogisticRegression

import modelmeter as mm
from modelmeter import ConfigurationError, DataError, PushError, names
from modelmeter.live.exposition import render
from modelmeter.serving.gateway import Gateway
from real.pushgateway import Pushgateway

# bcrypt of "secret"
USERS = """
basic_auth_users:
  batch: $2b$04$RVsn3KLVa8yyrb5fNzNCw.alqOeRuMQHt8TmdKvt3tgdF6bVHqCMC
"""
ROWS = names.BATCH_FEATURE_ROWS.name


@pytest.fixture(scope="module")
def gateway():
    """A Pushgateway for all tests here: each pushes for a model of its own."""
    with Pushgateway() as running:
        yield running


@pytest.fixture(scope="module")
def segmented(model, flights, late):
    """The profile with the origin as segment."""
    return mm.Profile.build(
        model, flights, late, name="segmented", version="1", segments=["origin"]
    )


def numbers(name, n, seed=0):
    """Return two columns of numbers, and the profile of their double that has this name."""
    X = pd.DataFrame(np.random.default_rng(seed).normal(size=(n, 2)), columns=["a", "b"])
    return X, mm.Profile.build(lambda X: X["a"] * 2, X, name=name, version="1")


def by_label(shown, *labels):
    """Return values by some of their labels."""
    return {tuple(one.labels.get(label, "") for label in labels): one.value for one in shown}


def test_a_batch_is_shown_as_it_was(gateway, model, profile, flights):
    """The gauges hold the rows of the batch by bin, the profile's gauges, and when it ended."""
    batch = flights[:700].drop(columns="weekend")
    monitor = mm.Monitor(profile, store=None)
    score = model.predict_proba(flights[:700])[:, 1]
    before = time.time()
    monitor.observe(batch, model.predict(flights[:700]), score)
    monitor.failed(3)
    monitor.push(gateway.url, job="nightly", began=before - 100)
    after = time.time()

    def shown(metric, **labels):
        return gateway.shown(metric.name, model="flights", version="3", job="nightly", **labels)

    def of(metric):
        [one] = shown(metric)
        return one.value

    origins = by_label(shown(names.BATCH_FEATURE_ROWS, feature="origin"), "bin")
    for origin, rows in batch["origin"].value_counts().items():
        assert origins[(origin,)] == rows
    temps = shown(names.BATCH_FEATURE_ROWS, feature="temp")
    assert by_label(temps, "kind")[("missing",)] == batch["temp"].isna().sum()
    for feature in ("temp", "hour", "origin", "y_pred", "y_score"):
        rows = shown(names.BATCH_FEATURE_ROWS, feature=feature, segment="")
        assert sum(one.value for one in rows) == 700, feature
    absent = by_label(shown(names.BATCH_FEATURE_ABSENT_ROWS), "feature")
    assert absent == {("temp",): 0, ("hour",): 0, ("origin",): 0, ("weekend",): 700}
    assert (of(names.BATCH_ROWS), of(names.BATCH_FAILED_ROWS)) == (700, 3)
    assert before <= of(names.BATCH_LAST_SUCCESS) <= after
    assert of(names.BATCH_LAST_FAILURE) == 0
    assert 100 <= of(names.BATCH_DURATION) <= after - before + 100


def test_the_profile_goes_along_as_at_metrics(gateway, profile, flights):
    """The profile's gauges are those of `/metrics`, and no counter is pushed."""
    monitor = mm.Monitor(profile, store=None)
    monitor.observe(flights[:10])
    monitor.push(gateway.url, job="reference")
    known = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(render([monitor.counts]).decode())
        for sample in family.samples
        if "_reference_" in sample.name or sample.name == names.MODEL_INFO.name
    }
    found = {}
    for name in {key[0] for key in known}:
        for one in gateway.shown(name, job="reference"):
            labels = {k: v for k, v in one.labels.items() if k not in ("job", "instance")}
            found[(name, *sorted(labels.items()))] = one.value
    assert found == known
    counters = [metric.name for metric in names.ALL if metric.type == "counter"]
    assert [name for name in counters if gateway.shown(name, job="reference")] == []


def test_the_next_batch_replaces_the_last(gateway, segmented, model, flights, late):
    """The second push shows the rows of the second batch alone, and no series of the first."""
    monitor = mm.Monitor(segmented, store=None)
    for rows, labelled in ((slice(0, 500), True), (slice(500, 720), False)):
        X, said = flights[rows], model.predict(flights[rows])
        monitor.observe(X, said)
        if labelled:
            monitor.label_batch(late[rows], y_pred=said, X=X)
        monitor.push(gateway.url)
        origin = by_label(gateway.shown(ROWS, model="segmented", feature="origin"), "bin")
        assert sum(origin.values()) == len(X)
        assert origin[("JFK",)] == (X["origin"] == "JFK").sum()
        assert gateway.value(names.BATCH_ROWS.name, model="segmented") == len(X)
        confusion = gateway.shown(names.BATCH_CONFUSION_ROWS.name, model="segmented")
        assert bool(confusion) == labelled


def test_labels_of_a_batch_are_shown(gateway, segmented, model, flights, late):
    """True values known at once are counted by class, by score and by segment."""
    monitor = mm.Monitor(segmented, store=None)
    X, truth = flights[:600], late[:600].astype(float)
    truth[:50] = np.nan
    said, score = model.predict(X), model.predict_proba(X)
    monitor.observe(X, said, score)
    for rows in (slice(0, 400), slice(400, 600)):
        monitor.label_batch(truth[rows], y_pred=said[rows], y_score=score[rows], X=X[rows])
    monitor.push(gateway.url, grouping={"part": "labelled"})
    shown = gateway.shown(names.BATCH_CONFUSION_ROWS.name, part="labelled")
    found = by_label(shown, "segment", "y_true", "y_pred")
    for origin in ("", "JFK", "LGA", "EWR"):
        chosen = (X["origin"] == origin) | (not origin)
        table = pd.crosstab(truth[chosen], said[chosen])
        for true in (0, 1):
            for predicted in (0, 1):
                key = (f"origin={origin}" if origin else "", str(true), str(predicted))
                assert found[key] == table.loc[true, predicted], key
    bins = gateway.shown(names.BATCH_LABEL_BIN_ROWS.name, part="labelled", segment="", y_true="1")
    assert sum(one.value for one in bins) == (truth == 1).sum()


def test_errors_of_a_regression_are_shown(gateway):
    """Of numbers, the sums of errors that performance is worked out from are shown."""
    X, profile = numbers("errors", 400)
    monitor = mm.Monitor(profile, store=None)
    said, truth = X["a"] * 2, X["a"] * 2 + X["b"]
    monitor.observe(X, said)
    monitor.label_batch(truth, y_pred=said)
    monitor.push(gateway.url)
    sums = {
        statistic: sum(
            one.value
            for one in gateway.shown(
                names.BATCH_ERROR_SUM.name, model="errors", segment="", statistic=statistic
            )
        )
        for statistic in ("rows", "over", "under", "squared")
    }
    error = said - truth
    assert sums["rows"] == 400
    assert sums["over"] == pytest.approx(error.clip(lower=0).sum())
    assert sums["under"] == pytest.approx(-error.clip(upper=0).sum())
    assert sums["squared"] == pytest.approx((error**2).sum())
    assert gateway.shown(names.BATCH_TARGET_SUM.name, model="errors")


def test_confidences_of_many_classes_are_shown(gateway):
    """Of a model with three classes, rows by predicted class and confidence bin are shown."""
    random = np.random.default_rng(0)
    X = random.normal(size=(600, 2))
    y = np.array(["x", "y", "z"])[np.digitize(X[:, 0], [-0.5, 0.5])]
    model = LogisticRegression().fit(X, y)
    profile = mm.Profile.build(model, X, y, name="three", version="1")
    monitor = mm.Monitor(profile, store=None)
    monitor.observe(X[:200], model.predict(X[:200]), model.predict_proba(X[:200]))
    monitor.push(gateway.url)
    shown = gateway.shown(names.BATCH_CLASS_SCORE_ROWS.name, model="three")
    said = pd.Series(model.predict(X[:200])).value_counts()
    for label in ("x", "y", "z"):
        of_class = [one.value for one in shown if one.labels["y_pred"] == label]
        assert sum(of_class) == said[label]


@pytest.mark.parametrize("odd", ["..", ".", "a/b c", 'ü"\\{}', "100%?&#+;@base64", "=", "🛫\ttab"])
def test_odd_names_are_shown_as_they_are(gateway, odd):
    """Names with slashes, quotes, dots alone or any other character arrive unchanged."""
    X = pd.DataFrame({odd: [1.0, 2.0, 3.0] * 20, "kind": [odd, "plain", "b"] * 20})
    profile = mm.Profile.build(None, X, name=odd, version=odd)
    monitor = mm.Monitor(profile, store=None)
    monitor.observe(X)
    job = odd if odd.strip(".") else "dots"
    monitor.push(gateway.url, job=job, grouping={"team": odd})
    kinds = gateway.shown(ROWS, model=odd, version=odd, job=job, team=odd, feature="kind")
    assert by_label(kinds, "bin")[(odd,)] == 20
    values = gateway.shown(ROWS, model=odd, version=odd, job=job, team=odd, feature=odd)
    assert sum(one.value for one in values) == 60


def test_a_batch_that_failed_leaves_the_last_one(gateway):
    """A failure shows when it was; the last good counts stay, and its own rows are forgotten."""
    X, profile = numbers("failing", 100)
    monitor = mm.Monitor(profile, store=None)
    monitor.observe(X)
    monitor.push(gateway.url)
    success = gateway.value(names.BATCH_LAST_SUCCESS.name, model="failing")
    monitor.observe(X[:40])
    before = time.time()
    monitor.push(gateway.url, failed=True)
    assert before <= gateway.value(names.BATCH_LAST_FAILURE.name, model="failing") <= time.time()
    assert gateway.value(names.BATCH_LAST_SUCCESS.name, model="failing") == success
    assert gateway.value(names.BATCH_ROWS.name, model="failing") == 100
    monitor.observe(X[:7])
    monitor.push(gateway.url)
    assert gateway.value(names.BATCH_ROWS.name, model="failing") == 7
    assert gateway.value(names.BATCH_LAST_SUCCESS.name, model="failing") > success


def test_a_gateway_that_is_down_loses_nothing():
    """The error says what is wrong, and the next push has the rows of the one that failed."""
    X, profile = numbers("down", 100)
    monitor = mm.Monitor(profile, store=None)
    monitor.observe(X[:60])
    monitor.label_batch(X["a"][:60], y_pred=X["a"][:60])
    later = Pushgateway()
    with pytest.raises(PushError, match=rf"Pushgateway at {later.url} did not.*refused") as caught:
        monitor.push(Gateway(later.url, patience=0))
    assert isinstance(caught.value, ConnectionError)
    monitor.observe(X[60:])
    with later:
        monitor.push(later.url)
        assert later.value(names.BATCH_ROWS.name) == 100
        rows = later.shown(names.BATCH_ERROR_SUM.name, segment="", statistic="rows")
        assert sum(one.value for one in rows) == 60


def test_a_name_and_password_are_given(profile):
    """A gateway that asks for a name and a password gets them, and refuses without."""
    monitor = mm.Monitor(profile, store=None)
    with Pushgateway(USERS, basic_auth=("batch", "secret")) as asking:
        with pytest.raises(PushError, match="401"):
            monitor.push(asking.url)
        assert asking.shown(ROWS) == []
        monitor.push(asking.url, basic_auth=("batch", "secret"))
        assert asking.shown(ROWS) != []


class Answering(BaseHTTPRequestHandler):
    """Gives the answers that its server has, and keeps what was asked."""

    def do_PUT(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append(self.headers)
        status, text = self.server.answers.pop(0)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


@pytest.fixture
def answering():
    """Start a server that gives these answers; returns it."""
    servers = []

    def start(*answers):
        server = HTTPServer(("127.0.0.1", 0), Answering)
        server.answers, server.asked = list(answers), []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        servers.append((server, thread))
        return server

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_gateway_in_trouble_is_tried_again(profile, answering):
    """What may pass in a moment is waited for; the token goes along each time."""
    server = answering((503, b"starting"), (202, b""))
    monitor = mm.Monitor(profile, store=None)
    monitor.push(f"127.0.0.1:{server.server_port}", token="t0ken")
    assert [asked["Authorization"] for asked in server.asked] == ["Bearer t0ken"] * 2


def test_a_refusal_is_not_tried_again(profile, answering):
    """What would be refused again is an error at once, with the gateway's own words."""
    server = answering((400, b"pushed metrics are invalid"))
    with pytest.raises(PushError, match="400 pushed metrics are invalid"):
        mm.Monitor(profile, store=None).push(f"http://127.0.0.1:{server.server_port}")
    assert len(server.asked) == 1


def test_trouble_that_stays_is_an_error(profile, answering):
    """After so much patience the gateway is given up."""
    server = answering(*[(503, b"busy")] * 9)
    monitor = mm.Monitor(profile, store=None)
    with pytest.raises(PushError, match="503 busy"):
        monitor.push(Gateway(f"127.0.0.1:{server.server_port}", patience=0.6))
    assert len(server.asked) == 2


def test_counts_of_other_processes_are_not_pushed(gateway, tmp_path):
    """A batch is what this process counted, also where workers share a directory."""
    X, profile = numbers("workers", 100)
    other = mm.Monitor(profile, store=None, directory=tmp_path / "counts")
    other.observe(X)
    monitor = mm.Monitor(profile, store=None, directory=tmp_path / "counts")
    monitor.observe(X[:30])
    monitor.push(gateway.url)
    assert gateway.value(names.BATCH_ROWS.name, model="workers") == 30


@pytest.mark.parametrize(
    ("url", "options", "said"),
    [
        ("http://a:b@host:9091", {}, "no name and password"),
        ("ftp://host", {}, "no URL of a Pushgateway"),
        ("", {}, "no URL of a Pushgateway"),
        ("http://host:port", {}, "no URL of a Pushgateway"),
        ("http://[host", {}, "no URL of a Pushgateway"),
        ("http://host/a b", {}, "no URL of a Pushgateway"),
        ("host:9091", {"job": ""}, "a job is called something"),
        ("host:9091", {"job": ".."}, "a job is called something"),
        ("host:9091", {"token": "a", "basic_auth": ("a", "b")}, "either basic_auth or token"),
        ("host:9091", {"timeout": 0}, "timeout is above 0"),
        ("host:9091", {"grouping": {"feature": "x"}}, "grouped by 'feature'"),
        ("host:9091", {"grouping": {"a-b": "x"}}, "grouped by 'a-b'"),
        ("host:9091", {"grouping": {"model": "x"}}, "grouped by 'model'"),
    ],
)
def test_settings_that_cannot_work_are_said(profile, url, options, said):
    """A wrong setting is an error before anything is sent, and never shows a password."""
    with pytest.raises(ConfigurationError, match=said) as caught:
        mm.Monitor(profile, store=None).push(url, **options)
    assert "a:b" not in str(caught.value)


def test_labels_that_cannot_be_counted_are_said(profile):
    """True values without answers, too few of them, or of no class of the model are refused."""
    monitor = mm.Monitor(profile, store=None)
    for labels, answers, said in (
        ([1, 0], {}, "need the model's answers"),
        ([1], {"y_pred": [1, 0]}, "1 true values for 2 answers"),
        ([1, 7], {"y_pred": [1, 0]}, "none of"),
        ("late", {"y_pred": [1, 0]}, "is not 'late'"),
    ):
        with pytest.raises(DataError, match=said):
            monitor.label_batch(labels, **answers)
