"""``/monitor``: what is answered to whom, at what cost, and where."""

import asyncio
import gzip
import json
import threading
import time

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

import modelmeter as mm
from modelmeter._errors import ConfigurationError
from modelmeter.generate.stack import generate
from modelmeter.live.counts import Counts
from modelmeter.report.html import assets
from modelmeter.serving import status
from modelmeter.serving.app import create_app
from modelmeter.serving.failures import Failures
from modelmeter.serving.status import POLICY, StatusPage
from real.prometheus import Prometheus
from real.web import call, free_port, get, request, samples, served, until


@pytest.fixture
def app(profile):
    """An instrumented application."""
    made = FastAPI()
    monitor = mm.Monitor(profile, store=None)
    monitor.instrument(made, registry=None)
    made.state.monitor = monitor
    return made


def findings_of(app, query="", **headers):
    """Return the findings that an application answers."""
    answer = call(app, "/monitor/findings", query_string=query.encode(), headers=headers)
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def test_the_page_and_its_files_are_served(app):
    """The page names files beside it, which are answered and may be kept forever."""
    page = call(app, "/monitor")
    assert page.status == 200
    assert page.headers["content-security-policy"] == POLICY
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    for name, asset in assets().items():
        assert f'"monitor/{name}?v={asset.tag}"'.encode() in page.body
        query = f"v={asset.tag}".encode()
        file = call(app, f"/monitor/{name}", query_string=query)
        assert (file.status, file.body.decode()) == (200, asset.text)
        assert file.headers["content-type"] == asset.media_type
        assert "immutable" in file.headers["cache-control"]
        packed = call(app, f"/monitor/{name}", headers={"Accept-Encoding": "gzip"})
        assert gzip.decompress(packed.body).decode() == asset.text
        assert packed.headers["cache-control"] == "no-store"
    assert b'"page.js?v=' in call(app, "/monitor/").body
    assert call(app, "/monitor/../routes.py").status == 404
    assert call(app, "/monitor", "POST").status == 405
    assert call(app, "/monitor", "HEAD").body == b""


def test_findings_are_of_what_was_counted(app, flights, model):
    """What is predicted is in the findings, packed where the client takes that."""
    monitor = app.state.monitor
    assert findings_of(app)["rows"] == 0
    app.state.modelmeter.page._kept.clear()
    monitor.watch(model).predict(flights)
    found = findings_of(app)
    assert found["rows"] == len(flights)
    assert found["model"]["name"] == "flights"
    assert {part["name"] for part in found["features"]} == set(flights.columns)
    packed = call(app, "/monitor/findings", headers={"Accept-Encoding": "gzip"})
    assert json.loads(gzip.decompress(packed.body)) == found


def test_windows_are_offered_and_answered(app):
    """Every window that is offered is answered; what is no duration is refused in words."""
    about = json.loads(call(app, "/monitor/about").body)
    assert [one["window"] for one in about["windows"]] == ["start", "5m", "1h", "1d"]
    for one in about["windows"]:
        found = findings_of(app, f"window={one['window']}")
        assert found["window"]["text"] == "since start"  # the process is younger
    refused = call(app, "/monitor/findings", query_string=b"window=soon")
    assert refused.status == 400
    assert "soon" in json.loads(refused.body)["detail"]


def test_readers_of_the_page_are_no_requests(app):
    """Whoever looks at the page is not in the golden signals."""
    for path in ("/monitor", "/monitor/about", "/monitor/findings"):
        call(app, path)
    scraped = call(app, "/metrics").body
    assert samples(scraped, "http_requests_total") == {}
    assert samples(scraped, "http_requests_in_progress") == {(): 0}


def test_the_token_guards_findings(profile):
    """With a token findings ask for it; the page, which holds nothing, does not."""
    app = FastAPI()
    mm.Monitor(profile, store=None).instrument(app, token="s3cret", registry=None)
    for path in ("/monitor/findings", "/monitor/about"):
        refused = call(app, path)
        assert refused.status == 401
        assert refused.headers["www-authenticate"].startswith("Bearer")
        assert call(app, path, headers={"Authorization": "Bearer other"}).status == 401
        assert call(app, path, headers={"Authorization": "Bearer s3cret"}).status == 200
    page = call(app, "/monitor")
    assert page.status == 200
    assert profile.name.encode() not in page.body


def test_the_page_can_be_elsewhere_or_nowhere(profile):
    """The path can be chosen, and None is for no page."""
    app = FastAPI()
    mm.Monitor(profile, store=None).instrument(app, monitor_path="/-/model", registry=None)
    assert b'"model/page.js?v=' in call(app, "/-/model").body
    assert call(app, "/-/model/findings").status == 200
    assert call(app, "/monitor").status == 404
    without = FastAPI()
    made = mm.Monitor(profile, store=None).instrument(without, monitor_path=None, registry=None)
    assert made.page is None
    assert call(without, "/monitor").status == 404


def test_the_page_is_reached_though_something_matches_everything(profile):
    """A route that would swallow it does not; one of the application's own is not hidden."""

    async def answer(request):
        return PlainTextResponse("mine")

    app = Starlette(routes=[Route("/{path:path}", answer)])
    mm.Monitor(profile, store=None).instrument(app, registry=None)
    assert call(app, "/monitor/findings").status == 200
    assert call(app, "/monitors").body == b"mine"
    taken = Starlette(routes=[Route("/monitor", answer)])
    with pytest.raises(ConfigurationError, match="answers GET /monitor already"):
        mm.Monitor(profile, store=None).instrument(taken, registry=None)


def test_a_mounted_application_has_its_page(app):
    """Below a prefix the page is there, and names its files without it."""
    parent = Starlette(routes=[Mount("/api", app)])
    page = call(parent, "/api/monitor")
    assert b'"monitor/page.js?v=' in page.body
    assert call(parent, "/api/monitor/findings").status == 200


def test_several_models_are_told_apart(app, profile):
    """Each model has its own findings, and an unknown one is refused by name."""
    from dataclasses import replace

    other = mm.Monitor(replace(profile, name="other"), store=None)
    other.instrument(app, registry=None)
    other.observe({"temp": 41.0})
    about = json.loads(call(app, "/monitor/about").body)
    assert [(one["name"], one["version"]) for one in about["models"]] == [
        ("flights", "3"),
        ("other", "3"),
    ]
    assert findings_of(app)["model"]["name"] == "flights"
    found = findings_of(app, "model=other/3")
    assert found["model"]["name"] == "other"
    assert sum(part["rows"] for part in found["features"]) > 0
    unknown = call(app, "/monitor/findings", query_string=b"model=none/1")
    assert unknown.status == 404
    assert "flights/3" in json.loads(unknown.body)["detail"]


def test_a_service_without_code_has_the_page(model, profile):
    """`modelmeter serve` shows its model, and where to send the first row."""
    service = create_app(model, profile, store=None)
    about = json.loads(call(service, "/monitor/about").body)
    assert about["models"] == [{"name": "flights", "version": "3", "predict": "/predict"}]
    assert "/monitor" not in json.loads(call(service, "/openapi.json").body)["paths"]


def test_the_page_is_on_the_port_of_the_metrics(profile):
    """With a port of its own the page is there, and not on the application."""
    app, port = FastAPI(), free_port()
    monitor = mm.Monitor(profile, store=None)
    monitor.instrument(app, port=port, host="127.0.0.1", registry=None, token="s3cret")
    with served(app) as own:
        assert get(own, "/monitor").status == 404
        assert b'"monitor/page.js?v=' in get(port, "/monitor").body
        assert get(port, "/monitor/findings").status == 401
        found = get(port, "/monitor/findings", headers={"Authorization": "Bearer s3cret"})
        assert json.loads(found.body)["model"]["name"] == "flights"
        assert get(port, "/monitors").status == 404


class Reader:
    """Reads families, counts how often, and can be told to wait."""

    def __init__(self):
        self.reads = 0
        self.go = threading.Event()

    def __call__(self):
        self.reads += 1
        assert self.go.wait(30)
        return []


def status_page(profile, read, **settings):
    """Return a page of a model."""
    made = StatusPage(read, None, Failures(Counts()), path="/monitor", **settings)
    made.add(profile)
    return made


def test_many_readers_cost_as_much_as_one(profile):
    """However many ask at once, findings are made once, and all get the same bytes."""
    read = Reader()
    page = status_page(profile, read)
    answers = []
    readers = [
        threading.Thread(
            target=lambda: answers.append(page.answer("findings", "", {}, slash=False))
        )
        for _ in range(20)
    ]
    for reader in readers:
        reader.start()
    until(lambda: read.reads)
    read.go.set()
    for reader in readers:
        reader.join(30)
    # One look for the history, one for the findings.
    assert read.reads == 2
    assert len({answer.body for answer in answers}) == 1
    assert {answer.status for answer in answers} == {200}


def test_findings_are_made_anew_when_they_are_old(profile, monkeypatch):
    """What was made is kept for a while that grows with what it took, and not longer."""
    read = Reader()
    read.go.set()
    page = status_page(profile, read)
    now = [1000.0]
    monkeypatch.setattr(status.time, "monotonic", lambda: now[0])
    first = page.answer("findings", "", {}, slash=False).body
    now[0] += 0.9
    assert page.answer("findings", "", {}, slash=False).body is first
    now[0] += 0.2
    assert page.answer("findings", "", {}, slash=False).body is not first


def test_what_is_kept_is_bounded(profile):
    """Whoever asks for ever other windows fills no memory."""
    read = Reader()
    read.go.set()
    page = status_page(profile, read)
    for seconds in range(1, 50):
        page.answer("findings", f"window={seconds}s", {}, slash=False)
    assert len(page._kept) == status._MOST_KEPT


def test_predictions_go_on_while_findings_are_made(profile):
    """While findings wait, the application answers other requests."""
    app = FastAPI()
    monitor = mm.Monitor(profile, store=None)
    made = monitor.instrument(app, registry=None)
    read = Reader()
    made.page.history._read = read
    app.add_route("/hello", hello)

    async def both():
        asked = asyncio.create_task(request(app, "/monitor/findings"))
        while not read.reads:
            await asyncio.sleep(0.01)
        said = await request(app, "/hello")
        waited = not asked.done()
        read.go.set()
        return said.body, waited, (await asked).status

    assert asyncio.run(both()) == (b"hello", True, 200)


async def hello(request):
    """Answer in a word."""
    return PlainTextResponse("hello")


def test_a_failure_is_counted_and_said(profile):
    """When findings cannot be made, the reader is told, and it is counted as our failure."""

    def broken():
        raise RuntimeError("the disk is gone")

    counts = Counts()
    page = StatusPage(broken, None, Failures(counts), path="/monitor")
    page.add(profile)
    answer = page.answer("findings", "", {}, slash=False)
    assert answer.status == 500
    assert "RuntimeError" in json.loads(answer.body)["detail"]
    assert [block.cells[0] for block in counts.blocks] == [1]


def test_counts_are_remembered_while_the_application_runs(app):
    """The thread that remembers counts runs as long as the application does."""
    page = app.state.modelmeter.page
    with served(app) as port:
        get(port, "/monitor")
        assert page.history._thread.is_alive()
        thread = page.history._thread
    assert not thread.is_alive()


def test_a_prometheus_that_does_not_answer_is_named(profile):
    """Without it the reader is told where it should be, without its password."""
    where = f"http://me:secret@127.0.0.1:{free_port()}"
    page = status_page(profile, list, prometheus_url=where)
    answer = page.answer("findings", "source=prometheus&window=1h", {}, slash=False)
    assert answer.status == 502
    assert b"127.0.0.1" in answer.body
    assert b"secret" not in answer.body
    assert b"secret" not in page.answer("about", "", {}, slash=False).body
    with pytest.raises(ConfigurationError, match="http"):
        status_page(profile, list, prometheus_url="prometheus:9090")


def test_prometheus_tells_of_all_replicas(profile, model, flights, tmp_path):
    """Asked of a real Prometheus, findings are those of two replicas, with curves."""
    out = tmp_path / "stack"
    apps, ports = [FastAPI(), FastAPI()], [free_port(), free_port()]
    generate(
        [profile],
        out,
        targets=[f"127.0.0.1:{port}" for port in ports],
        windows=("6s", "12s"),
        scrape_interval="1s",
        evaluation_interval="1s",
    )
    with Prometheus(out) as prometheus:
        monitors = [mm.Monitor(profile, store=None) for _ in apps]
        for app, monitor in zip(apps, monitors, strict=True):
            monitor.instrument(app, registry=None, prometheus_url=prometheus.url)
        with served(apps[0], port=ports[0]), served(apps[1], port=ports[1]):
            seen = "sum(count_over_time(model_predictions_total{outcome='ok'}[1m])) >= 4"
            prometheus.wait_for(seen)
            for monitor in monitors:
                monitor.watch(model).predict(flights)
            prometheus.wait_for(f"sum(model_predictions_total) == {2 * len(flights)}")

            def of_both():
                page = apps[0].state.modelmeter.page
                page._kept.clear()
                answer = get(ports[0], "/monitor/findings?source=prometheus&window=30s")
                found = json.loads(answer.body)
                return found if answer.status == 200 and found["rows"] > len(flights) else None

            found = until(of_both)
            assert found["source"] == {"kind": "prometheus", "where": prometheus.url}
            assert found["window"]["text"] == "last 30s"
            assert [curve["name"] for curve in found["history"]["curves"]]
            own = json.loads(get(ports[0], "/monitor/findings").body)
            assert own["rows"] == len(flights)
    assert time.time() - found["window"]["until"] < 60
