"""Faults in real traffic: told once, by webhook, in time, and told to be over when they are."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from typing import NamedTuple

import httpx2
import numpy as np
import pytest
from fastapi import FastAPI, HTTPException

import modelmeter as mm
from generate.conftest import make_profile
from modelmeter.generate.alarm_series import DRIFT_STATE, RATE_STATE
from modelmeter.generate.alerts import names
from modelmeter.generate.notify import Notify
from modelmeter.generate.stack import generate
from real.alertmanager import Alertmanager
from real.inbox import Inbox
from real.prometheus import Prometheus, free_port
from real.server import wait_for
from real.web import served

MISSING = ("destination", "temperature")
FAILURES = 300

pytestmark = pytest.mark.timeout(400)

PATIENCE = 90
"""Seconds that are waited: beside other work on the same cores everything takes longer."""


def make_app():
    """A service whose answers depend on its features, and that fails when it is told to."""
    random = np.random.default_rng(1)
    app, monitor = FastAPI(), mm.Monitor(make_profile(), store=None)

    @app.post("/predict")
    def predict(rows: list[dict], fail: bool = False) -> list[str]:
        if fail:
            raise HTTPException(503)
        gaps = np.array([row["temperature"] is None for row in rows])
        scores = np.where(gaps, random.beta(9, 2, len(rows)), random.beta(2, 5, len(rows)))
        answers = np.where(scores > 0.5, "yes", "no")
        monitor.observe(rows, answers, scores)
        return answers.tolist()

    monitor.instrument(app, registry=None, prediction_routes=["/predict"])
    return app


class Traffic:
    """Requests that never end, with rows as in training but for what is said to be missing."""

    def __init__(self, port):
        self.missing, self.pause = (), 0.2
        self._url, self._over = f"http://127.0.0.1:{port}/predict", threading.Event()
        self._client = httpx2.Client(trust_env=False, timeout=5)
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join(30)
        self._client.close()

    def fail(self, times):
        """Send so many requests, over some scrapes, that the service answers with an error."""
        with httpx2.Client(trust_env=False, timeout=5) as client:
            for _ in range(times):
                assert client.post(self._url, params={"fail": True}, json=[]).status_code == 503
                self._over.wait(0.01)

    def _run(self):
        random = np.random.default_rng(2)
        while not self._over.wait(self.pause):
            try:
                self._client.post(self._url, json=self._rows(random, 200))
            except httpx2.TransportError:
                continue  # Nobody answers, and callers go on trying.

    def _rows(self, random, number):
        columns = {
            "temperature": random.normal(10, 5, number),
            "pressure": np.where(
                random.random(number) < 0.02, None, random.normal(1013, 9, number)
            ),
            "destination": random.choice(["LAX", "ORD", "ATL"], number),
        }
        for name in self.missing:
            columns[name] = np.where(random.random(number) < 0.7, None, columns[name])
        lists = [column.tolist() for column in columns.values()]
        return [dict(zip(columns, row, strict=True)) for row in zip(*lists, strict=True)]


class Story(NamedTuple):
    """What was told in the course of the faults, and how long it took."""

    posts: list
    seconds: dict
    drifted: list
    states_while_down: dict
    told_while_down: list


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """A service that loses two features, fails, and goes down, each to be mended again."""
    out, port = tmp_path_factory.mktemp("stack"), free_port()
    with ExitStack() as stack:
        inbox = stack.enter_context(Inbox())
        alertmanager = Alertmanager(out)
        generate(
            make_profile(),
            out,
            targets=[f"127.0.0.1:{port}"],
            windows=("10s", "30s"),
            scrape_interval="1s",
            evaluation_interval="1s",
            # Half of the requests of an hour may fail before it is an alarm: few mend it.
            availability=0.965,
            alertmanagers=[alertmanager.address],
            notify=Notify.of(
                {
                    "webhook": {"w": {"url": inbox.url}},
                    "timing": {"group_wait": "1s", "group_interval": "2s"},
                }
            ),
        )
        stack.enter_context(alertmanager)
        app = make_app()
        service = stack.enter_context(ExitStack())
        service.enter_context(served(app, port=port))
        traffic = stack.enter_context(Traffic(port))
        prometheus = stack.enter_context(Prometheus(out))
        yield tell(prometheus, alertmanager, inbox, traffic, lambda: service.pop_all().close(),
                   lambda: service.enter_context(served(app, port=port)))  # fmt: skip


def tell(prometheus, alertmanager, inbox, traffic, stop, start):
    """Break things and mend them; return what was told."""
    seconds, begun = {}, {}

    def told(name, status, **labels):
        """Wait until the webhook says this of an alert."""
        inbox.wait_for(
            lambda post: any(alert["status"] == status for alert in alerts_of(post, name, labels)),
            seconds=PATIENCE,
            what=f"{name} {status}",
        )
        seconds[name, status] = time.monotonic() - begun.pop(name)
        begun[name] = time.monotonic()

    healthy = RATE_STATE.where(check="missing", window="10s", feature="temperature")
    prometheus.wait_for(f"{healthy} == 0", seconds=PATIENCE)

    begun[names.ERROR_BUDGET_BURN] = begun[names.FEATURE_MISSING] = time.monotonic()
    traffic.missing = MISSING
    traffic.fail(FAILURES)
    told(names.FEATURE_MISSING, "firing", feature=MISSING[1])
    drifted = [
        prometheus.wait_for(f"{DRIFT_STATE.where(feature=name)} == 1", seconds=PATIENCE)
        for name in (*MISSING, "y_score")
    ]
    traffic.missing = ()
    begun[names.FEATURE_MISSING] = time.monotonic()
    told(names.ERROR_BUDGET_BURN, "firing", window="1h")
    traffic.pause = 0.02
    told(names.FEATURE_MISSING, "resolved", feature=MISSING[1])
    told(names.ERROR_BUDGET_BURN, "resolved", window="1h")
    for name in MISSING:
        over = RATE_STATE.where(check="missing", window="30s", feature=name)
        prometheus.wait_for(f"{over} == 0", seconds=PATIENCE)

    begun[names.TARGET_DOWN] = time.monotonic()
    stop()
    told(names.TARGET_DOWN, "firing")
    posts = len(inbox.posts)

    def all_suppressed():
        states = alertmanager.states()
        assert states.pop(names.TARGET_DOWN) == {"active"}
        return states if all(state == {"suppressed"} for state in states.values()) else {}

    states = wait_for(all_suppressed, seconds=PATIENCE, what="everything else to be silenced")
    start()
    told(names.TARGET_DOWN, "resolved")
    return Story(inbox.posts, seconds, drifted, states, inbox.posts[posts:])


def alerts_of(post, name, labels=None):
    """Return the alerts of a name in a message, with these labels at least."""
    wanted = {"alertname": name, **(labels or {})}
    return [alert for alert in post.body["alerts"] if wanted.items() <= alert["labels"].items()]


def test_missing_features_are_one_message(story):
    """Both features are in one message that names rate, normal rate, panel and runbook."""
    about_data = [post.body for post in story.posts if post.body["groupLabels"]["area"] == "data"]
    first, last = about_data[0], about_data[-1]
    assert {alert["labels"]["feature"] for alert in first["alerts"]} == set(MISSING)
    assert {alert["labels"]["alertname"] for alert in first["alerts"]} == {names.FEATURE_MISSING}
    assert [body["status"] for body in about_data].count("firing") == 1, about_data
    assert (first["status"], last["status"]) == ("firing", "resolved")
    for alert in first["alerts"]:
        assert (
            f"version 1: {alert['labels']['feature']} is missing in "
            in (alert["annotations"]["summary"])
        )
        assert "normal is " in alert["annotations"]["summary"]
        assert "var-feature=" in alert["annotations"]["dashboard_url"]
        assert alert["annotations"]["runbook_url"].endswith("#modelfeaturemissing")


def test_drift_that_follows_from_missing_values_is_not_told(story):
    """Features and scores did drift by every measure, and nobody heard of it."""
    assert all(story.drifted)
    told = {alert["labels"]["alertname"] for post in story.posts for alert in post.body["alerts"]}
    assert told == {names.FEATURE_MISSING, names.ERROR_BUDGET_BURN, names.TARGET_DOWN}


def test_errors_are_told_as_one_fast_burn(story):
    """A fast burn is told, by how much; slower ones say nothing while it does."""
    about_errors = [post.body for post in story.posts if alerts_of(post, names.ERROR_BUDGET_BURN)]
    (alert,) = about_errors[0]["alerts"]
    assert (alert["labels"]["window"], alert["labels"]["severity"]) == ("1h", "critical")
    assert "of the requests of the last 1h failed" in alert["annotations"]["summary"]


def test_everything_else_is_silent_while_the_service_is_down(story):
    """Slower burns fire still, silenced, and the only message is that the service is back."""
    assert names.ERROR_BUDGET_BURN in story.states_while_down
    told = [
        alert["labels"]["alertname"] for p in story.told_while_down for alert in p.body["alerts"]
    ]
    assert told == [names.TARGET_DOWN]


@pytest.mark.parametrize(
    ("name", "reckoned"),
    [(names.FEATURE_MISSING, 7), (names.ERROR_BUDGET_BURN, 20), (names.TARGET_DOWN, 14)],
)
def test_faults_are_told_in_time(story, name, reckoned):
    """In the time of docs/alerts.md, four times over for a busy machine; and told to be over."""
    assert story.seconds[name, "firing"] < 4 * reckoned
    assert story.seconds[name, "resolved"] > 0
