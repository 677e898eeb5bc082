"""``/monitor`` in a real Chromium, while the service runs."""

import json
import re
import shlex
import subprocess

import numpy as np
import pandas as pd
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount

import modelmeter as mm
from modelmeter.serving.app import create_app
from real.chromium import chromium
from real.web import free_port, served, until

EVIL = "<img src=x onerror=\"document.title='owned'\">"
MANY = 1_000


@pytest.fixture(scope="module")
def browser():
    """Chromium."""
    with chromium() as started:
        yield started


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    """Findings that are made anew whenever somebody asks."""
    monkeypatch.setattr("modelmeter.serving.status._SHORTEST", 0.0)
    monkeypatch.setattr("modelmeter.serving.status._SHARE", 0)


@pytest.fixture
def live(profile, model):
    """An application that runs, its port and its watched model."""
    app = FastAPI()
    monitor = mm.Monitor(profile, store=None)
    monitor.instrument(app, registry=None)
    with served(app) as port:
        yield f"http://127.0.0.1:{port}/monitor", monitor.watch(model)


def look_again(page):
    """Let the page ask at once, as it does when it is looked at anew."""
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def rows_of(page):
    """Return how many rows the page says there are."""
    return int(page.inner_text(".facts-line dd >> nth=0").replace(",", ""))


def test_drift_shows_while_it_happens(browser, live, flights):
    """Rows that drift come up by themselves, without an error and without another host."""
    url, model = live
    with browser.tab() as tab:
        page = tab.open(url)
        assert "No predictions yet" in page.inner_text(".empty")
        model.predict(flights)
        model.predict(flights.assign(temp=flights["temp"] + 40))
        look_again(page)
        page.wait_for_selector(".feature[data-feature=temp].alarm")
        assert page.locator(".feature").first.get_attribute("data-feature") == "temp"
        assert "1 of 4 features drifted" in page.inner_text(".verdict")
        assert page.title().startswith("● flights 3")
        assert rows_of(page) == 2 * len(flights)
        assert tab.drawn(".feature[data-feature=temp] canvas")
        assert tab.violations() == []
        assert len(tab.hosts) == 1
        assert tab.problems == []


def test_looking_again_keeps_the_reader_where_he_is(browser, live, flights):
    """New findings keep what is opened, where it is scrolled to, what has the focus, and charts."""
    url, model = live
    model.predict(flights)
    with browser.tab(height=500) as tab:
        page = tab.open(url)
        page.click(".feature[data-feature=origin] summary")
        page.wait_for_selector(".feature[data-feature=origin] .detail canvas")
        page.locator(".feature[data-feature=origin] .fold summary").first.click()
        page.wait_for_selector(".feature[data-feature=origin] .fold table")
        page.locator(".feature[data-feature=hour] > details > summary").focus()
        page.evaluate(
            "window.kept = document.querySelector('[data-feature=origin] .detail canvas')"
        )
        place = "Math.round(document.activeElement.getBoundingClientRect().top)"
        before = page.evaluate(place)
        # By its drift another feature would be first now.
        model.predict(flights.assign(temp=flights["temp"] + 40))
        look_again(page)
        page.wait_for_selector(".feature[data-feature=temp].alarm")
        assert page.is_visible(".feature[data-feature=origin] .fold table")
        assert page.evaluate(
            """kept === document.querySelector("[data-feature=origin] .detail canvas")
               && kept.isConnected"""
        )
        assert abs(page.evaluate(place) - before) <= 2
        focused = "document.activeElement.closest('.feature').dataset.feature"
        assert page.evaluate(focused) == "hour"
        assert tab.problems == []


def test_the_page_can_be_paused(browser, live, flights):
    """A paused page stays as it is, says so, and catches up."""
    url, model = live
    with browser.tab() as tab:
        page = tab.open(url)
        page.get_by_role("button", name="Pause").click()
        assert "paused at" in page.inner_text(".fresh")
        model.predict(flights)
        look_again(page)
        page.wait_for_timeout(100)
        assert rows_of(page) == 0
        page.get_by_role("button", name="Resume").click()
        until(lambda: rows_of(page) == len(flights))


def test_a_window_is_chosen_and_kept_in_the_address(browser, live, flights):
    """The window that is chosen is asked for, and is in the address to be sent around."""
    url, model = live
    model.predict(flights)
    with browser.tab() as tab:
        page = tab.open(url)
        with page.expect_request(re.compile("findings.*window=5m")):
            page.get_by_role("button", name="last 5 min").click()
        assert page.url.endswith("?window=5m")
        page.reload()
        pressed = '[aria-label="Window"] [aria-pressed=true]'
        page.wait_for_selector(pressed)
        assert page.inner_text(pressed) == "last 5 min"
        assert tab.problems == []


def test_a_service_that_is_gone_is_said_to_be(browser, profile, model, flights):
    """When the service ends, the page keeps what it knows and says since when it is old."""
    app, port = FastAPI(), free_port()
    monitor = mm.Monitor(profile, store=None)
    monitor.instrument(app, registry=None)
    monitor.watch(model).predict(flights)
    with browser.tab() as tab:
        with served(app, port=port, timeout_graceful_shutdown=1):
            page = tab.open(f"http://127.0.0.1:{port}/monitor")
        look_again(page)
        page.wait_for_selector(".warning")
        assert "does not answer" in page.inner_text(".warning")
        assert "not answering since" in page.inner_text(".fresh")
        assert rows_of(page) == len(flights)
        with served(app, port=port):
            look_again(page)
            page.wait_for_selector(".warning", state="detached")


def test_the_token_is_asked_for(browser, profile, model, flights):
    """Without the token a form asks for it; it is sent in a header, and kept in the tab."""
    app = FastAPI()
    monitor = mm.Monitor(profile, store=None)
    monitor.instrument(app, registry=None, token="s3cret")
    monitor.watch(model).predict(flights)
    with served(app) as port, browser.tab(width=360) as tab:
        page = tab.open(f"http://127.0.0.1:{port}/monitor", ready="form.token")
        assert tab.violations() == []
        assert tab.overflow() <= 0
        page.fill("#token", "wrong")
        page.keyboard.press("Enter")
        page.wait_for_selector("form.token [role=alert]")
        page.fill("#token", "s3cret")
        page.keyboard.press("Enter")
        page.wait_for_selector("#features")
        assert "s3cret" not in page.url
        page.reload()
        page.wait_for_selector("#features")
        # The console notes answers of 401, and nothing else.
        assert all("401" in text for text in tab.problems)


@pytest.mark.parametrize("prefix", ["", "/team/a"])
def test_an_empty_service_says_what_to_send(browser, profile, model, prefix):
    """What an empty page tells to send is answered by the service, below a prefix too."""
    service = create_app(model, profile, store=None)
    app = Starlette(routes=[Mount(prefix, service)]) if prefix else service
    with served(app) as port, browser.tab() as tab:
        page = tab.open(f"http://127.0.0.1:{port}{prefix}/monitor")
        command = shlex.split(page.inner_text(".empty pre").replace("\\\n", " "))
        done = subprocess.run([*command, "-s"], capture_output=True, check=True, timeout=30)
        assert len(json.loads(done.stdout)["predictions"]) == 1
        look_again(page)
        until(lambda: rows_of(page) == 1)
        assert "too few rows" in page.inner_text(".verdict").lower()
        assert tab.problems == []


def test_several_models_can_be_chosen(browser, profile, model, flights):
    """A service of several models, one with a name full of markup, offers a choice."""
    from dataclasses import replace

    app = FastAPI()
    for name in ("flights", EVIL):
        monitor = mm.Monitor(replace(profile, name=name), store=None)
        monitor.instrument(app, registry=None)
        monitor.watch(model).predict(flights)
    with served(app) as port, browser.tab() as tab:
        page = tab.open(f"http://127.0.0.1:{port}/monitor")
        assert page.inner_text("h1") == "flights 3"
        page.select_option("select", f"{EVIL}/3")
        page.wait_for_selector(f'h1[title="{EVIL.replace(chr(34), chr(92) + chr(34))}"]')
        assert page.inner_text("h1") == f"{EVIL} 3"
        assert page.locator("img").count() == 0
        assert tab.problems == []


def test_prometheus_is_a_second_source(browser, profile, model, flights):
    """Where there is a Prometheus, any window may be asked of it; that it is down is said."""
    app = FastAPI()
    monitor = mm.Monitor(profile, store=None)
    monitor.instrument(app, registry=None, prometheus_url=f"http://127.0.0.1:{free_port()}")
    monitor.watch(model).predict(flights)
    with served(app) as port, browser.tab(width=360) as tab:
        page = tab.open(f"http://127.0.0.1:{port}/monitor")
        page.get_by_role("button", name="Prometheus").click()
        page.wait_for_selector(".warning")
        assert "does not answer" in page.inner_text(".warning")
        page.fill(".range", "36h")
        with page.expect_request(re.compile("findings.*window=36h&source=prometheus")):
            page.keyboard.press("Enter")
        assert tab.overflow() <= 0
        page.get_by_role("button", name="This service").click()
        page.wait_for_selector(".warning", state="detached")


@pytest.fixture(scope="module")
def wide():
    """A service with a thousand features, and what it has counted."""
    random = np.random.default_rng(5)
    columns = [f"x{i}" for i in range(MANY)]
    X = pd.DataFrame(random.normal(0, 1, (1_500, MANY)), columns=columns)
    profile = mm.Profile.build(None, X, name="wide", version="1")
    app = FastAPI()
    monitor = mm.Monitor(profile, store=None)
    monitor.instrument(app, registry=None)
    monitor.observe(X.assign(x500=X["x500"] + 2))
    with served(app) as port:
        yield f"http://127.0.0.1:{port}/monitor"


def test_a_thousand_features(browser, wide):
    """A thousand features are there, found, and scrolled through; few charts exist at a time."""
    with browser.tab() as tab:
        page = tab.open(wide)
        assert page.locator(".feature").count() == MANY
        assert page.locator(".feature").first.get_attribute("data-feature") == "x500"
        charts = "Object.keys(Chart.instances).length"
        assert page.evaluate(charts) < 60
        page.locator(".feature").last.scroll_into_view_if_needed()
        assert tab.drawn(".feature:last-child canvas")
        tab.until(f"{charts} < 60")
        page.fill(".search input", "x77")
        assert page.locator(".feature").count() == 11
        page.locator(".feature summary").first.click()
        assert tab.drawn(".feature .detail canvas")
        assert tab.problems == []
