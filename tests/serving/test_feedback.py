"""Labels at ``POST /feedback``: from the answer to a prediction to the metrics."""

from __future__ import annotations

import http.client
import json
import logging
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import joblib
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

import modelmeter as mm
from modelmeter import names
from modelmeter.serving import feedback as feedback_module
from modelmeter.serving.app import create_app
from real.postgres import Postgres
from real.web import check_metrics, free_port, get, samples, served, until

ROW = {"temp": 50.5, "hour": 7, "origin": "JFK", "weekend": False}
OLD = "010bcfe5-6800-86d6-9000-000000000000"  # an id of ours, of 2006
MODEL = ("flights", "3")


def send(port, path, content, headers=None):
    """Post JSON (or bytes as they are) over the wire; return status, headers, and content."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(
            "POST", path, body, {"Content-Type": "application/json"} | (headers or {})
        )
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), json.loads(answer.read() or b"null")
    finally:
        connection.close()


def predict(port, rows=ROW, **headers):
    """Predict, and return the ids."""
    status, _, answer = send(port, "/predict", rows, headers)
    assert status == 200
    return [prediction["prediction_id"] for prediction in answer["predictions"]]


def label(port, items, **headers):
    """Post labels, and return what became of each."""
    status, _, answer = send(port, "/feedback", items, headers)
    assert status == 200, answer
    outcomes = [one["outcome"] for one in answer["outcomes"]]
    assert {kind: n for kind, n in answer["counts"].items() if n} == {
        kind: outcomes.count(kind) for kind in set(outcomes)
    }
    return outcomes


def item(id_, y_true=1, **more):
    return {"prediction_id": id_, "y_true": y_true, **more}


def scraped(port, metric):
    """Return the series of a metric that are not at zero, without model, version and store."""
    found = samples(get(port, "/metrics").body, metric.name)
    return {labels[3:]: value for labels, value in found.items() if value}


@pytest.fixture(scope="module")
def service(model, profile, tmp_path_factory):
    """A service with a store; its port."""
    file = tmp_path_factory.mktemp("labels") / "labels.db"
    with served(create_app(model, profile, store=file)) as port:
        yield port


def test_a_label_finds_its_prediction_and_is_in_the_metrics(model, profile, flights):
    """Predict, post the truth by the id of the answer, and the metrics show bin and confusion."""
    app = create_app(model, profile, store="labels.db")
    with served(app) as port:
        text = get(port, "/metrics").body
        assert set(samples(text, names.CONFUSION.name).values()) == {0}  # seen to rise from 0
        assert set(samples(text, names.LABEL_BIN.name).values()) == {0}
        [id_] = predict(port)
        assert label(port, item(id_, 1)) == ["counted"]
        text = get(port, "/metrics").body
        assert check_metrics(text) == ""
        said = str(model.predict(flights.iloc[:1].assign(**ROW))[0])
        assert scraped(port, names.CONFUSION) == {("1", said): 1}
        [(labels, value)] = scraped(port, names.LABEL_BIN).items()
        assert (labels[-1], value) == ("1", 1)
        assert scraped(port, names.LABELS) == {("counted",): 1}
        assert samples(text, names.LABEL_LAG.name + "_count")[(*MODEL, labels_store(text))] == 1
        [requests] = [
            n
            for k, n in samples(text, "http_requests_total").items()
            if k[1:3] == ("/feedback", "200")
        ]
        assert requests == 1


def labels_store(text):
    """Return the id of the store in a scrape."""
    [store] = {labels[2] for labels in samples(text, names.CONFUSION.name)}
    return store


def test_outcomes(service):
    """Each way that a label can end is answered by its name, with a reason."""
    [id_] = predict(service)
    assert label(service, [item(id_), item(id_), item(id_, 0)]) == [
        "counted",
        "duplicate",
        "contradiction",
    ]
    assert label(service, [item("nobody"), item(OLD), item("x", "maybe"), {"y_true": 1}, 7]) == [
        "waiting",
        "expired",
        "invalid",
        "invalid",
        "invalid",
    ]
    _, _, answer = send(service, "/feedback", item("x", "maybe"))
    assert answer["outcomes"] == [
        {
            "prediction_id": "x",
            "outcome": "invalid",
            "reason": "y_true is one of the classes '0', '1', not 'maybe'",
        }
    ]


def test_a_batch_has_ids_by_row_and_a_short_header(service):
    """The rows of a batch have the id of the call with their number, told in one header."""
    status, headers, answer = send(service, "/predict", [ROW, ROW, ROW])
    ids = [prediction["prediction_id"] for prediction in answer["predictions"]]
    call = ids[0].removesuffix("-0")
    assert (status, ids) == (200, [f"{call}-{i}" for i in range(3)])
    told = {name.lower(): value for name, value in headers.items()}
    assert told["x-prediction-id"] == f"{call}; rows=3"
    assert label(service, [item(id_) for id_ in ids]) == ["counted"] * 3


def test_the_request_can_give_the_id(service):
    """An id in the request's header is the prediction's; one that cannot be kept is not."""
    assert predict(service, **{"X-Prediction-ID": " order-17 "}) == ["order-17"]
    assert predict(service, [ROW, ROW], **{"X-Prediction-ID": "o"}) == ["o-0", "o-1"]
    assert label(service, [item("order-17"), item("o-1")]) == ["counted", "counted"]
    for bad in ("x" * 200, ""):
        [id_] = predict(service, **{"X-Prediction-ID": bad})
        assert id_ != bad
        assert label(service, item(id_)) == ["counted"]


def test_answers_that_the_caller_holds(service):
    """A truth with its prediction is counted without an id, and once with one of one's own."""
    before = scraped(service, names.CONFUSION).get(("0", "1"), 0)
    held = {"y_true": 0, "y_pred": 1, "y_score": 0.93}
    assert label(service, [held, {**held, "prediction_id": "held"}]) == ["counted"] * 2
    assert label(service, {**held, "prediction_id": "held"}) == ["duplicate"]
    assert label(service, {"y_true": 0, "y_score": 0.93}) == ["counted"]
    assert scraped(service, names.CONFUSION)["0", "1"] == before + 3


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"y_true": float("nan")}, "not NaN"),
        ({"y_true": float("-inf")}, "not -Infinity"),
        ({"time": float("nan")}, "not NaN"),
        ({"time": "yesterday"}, "ISO"),
        ({"prediction_id": float("nan")}, "not NaN"),
        ({"prediction_id": "\ud800"}, "surrogates"),
        ({"prediction_id": {"a": 1}}, "an id is text"),
        ({"y_true": [1]}, "y_true is one of"),
        ({"y_pred": "maybe"}, "y_pred is one of the classes '0', '1', not 'maybe'"),
        ({"y_pred": [1]}, "y_pred is one of"),
        ({"y_pred": 1, "y_score": "high"}, "y_score is a number"),
        ({"y_pred": 1, "y_score": float("nan")}, "y_score is a number"),
        ({"y_score": {}}, "y_score is a number"),
        ({"y_score": [[0.5]]}, "y_score is a number"),
        ({"y_pred": 1, "y_true": None}, "y_true is one of"),
        ({"model": "other"}, "model is one of 'flights', not 'other'"),
        ({"model": 3}, "model is one of"),
    ],
)
def test_what_is_wrong_with_one_label_is_said_of_that_one(service, fields, reason):
    """A label with a bad field is invalid with the reason, and its neighbours are counted."""
    good = [{"y_true": 1, "y_pred": 1}, {"y_true": 0, "y_pred": 1}]
    pending = sum(scraped(service, names.PENDING).values())
    items = [good[0], {"prediction_id": "p", "y_true": 1} | fields, good[1]]
    _, _, answer = send(service, "/feedback", items)
    outcomes = answer["outcomes"]
    assert [one["outcome"] for one in outcomes] == ["counted", "invalid", "counted"]
    assert reason in outcomes[1]["reason"]
    assert sum(scraped(service, names.PENDING).values()) == pending  # no prediction is left over


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff", 400),
        (b'"text"', 400),
        (b"null", 400),
        (b"[" * 200_000, 400),
        (b'{"y_true": ' + b"9" * 5_000 + b"}", 400),
        (b"[]", 200),
        (json.dumps([{}] * 10_000).encode(), 200),
        (json.dumps([{}] * 10_001).encode(), 413),
        (b'"' + b"x" * 10_000_000 + b'"', 413),
    ],
)
def test_what_is_no_list_of_labels_is_refused_whole(service, body, status):
    """Malformed and oversized bodies are the client's error, with a reason; never a 500."""
    got, _, answer = send(service, "/feedback", body)
    assert got == status
    assert status == 200 or answer["detail"]


def test_a_body_of_unknown_length_is_bounded(service):
    """A chunked body that does not end is refused once it is too large."""
    connection = http.client.HTTPConnection("127.0.0.1", service, timeout=30)
    chunks = (b"x" * 1_000_000 for _ in range(11))
    connection.request(
        "POST", "/feedback", chunks, encode_chunked=True, headers={"Transfer-Encoding": "chunked"}
    )
    assert connection.getresponse().status == 413
    connection.close()


def test_a_failure_of_our_own_is_no_500(model, profile, monkeypatch, caplog):
    """What should never happen is answered 503, counted and logged."""
    with served(create_app(model, profile)) as port:
        monkeypatch.setattr(mm.Monitor, "label", lambda *_: 1 / 0)
        status, headers, answer = send(port, "/feedback", item("a"))
        assert (status, {k.lower(): v for k, v in headers.items()}["retry-after"]) == (503, "5")
        assert "send the same again" in answer["detail"]
        failures = samples(get(port, "/metrics").body, names.FAILURES.name)
        assert failures["feedback",] == 1
    assert "ZeroDivisionError" in caplog.text


def test_the_token_guards_labels_too(model, profile, tmp_path):
    """With a token, labels are taken only with it; predictions need none."""
    (tmp_path / "token").write_text("s3cret")
    with served(create_app(model, profile, token_file=tmp_path / "token")) as port:
        [id_] = predict(port)
        status, headers, _ = send(port, "/feedback", item(id_))
        assert (status, "bearer" in str(headers).lower()) == (401, True)
        assert send(port, "/feedback", item(id_), {"Authorization": "Bearer no"})[0] == 401
        assert label(port, item(id_), Authorization="Bearer s3cret") == ["counted"]


def test_the_documentation_shows_it(model, profile):
    """OpenAPI has the route with types, an example and every outcome; one that runs."""
    with TestClient(create_app(model, profile)) as client:
        schema = client.get("/openapi.json").json()
        post = schema["paths"]["/feedback"]["post"]
        content = post["requestBody"]["content"]["application/json"]
        assert content["schema"]["anyOf"][0]["properties"].keys() >= {"prediction_id", "y_true"}
        assert schema["components"]["schemas"]["OutcomeKind"]["enum"] == [
            *("counted", "duplicate", "waiting", "orphan", "expired", "contradiction", "invalid")
        ]
        assert {"200", "400", "401", "413", "503"} <= post["responses"].keys()
        answer = client.post("/feedback", json=content["example"]).json()
        assert answer["counts"]["expired"] == 1
        assert client.get("/docs").status_code == 200


def starlette_app(monitor, model, **options):
    """Return an application that predicts with a watched model."""
    watched = monitor.watch(model)

    async def one(request):
        import pandas

        rows = pandas.DataFrame([await request.json()])
        return JSONResponse(int(watched.predict(rows)[0]), headers=request.app.state.headers)

    app = Starlette(routes=[Route("/one", one, methods=["POST"])])
    app.state.headers = {}
    monitor.instrument(app, **options)
    return app


def test_the_header_tells_the_id_on_any_application(model, profile):
    """An application that says nothing of ids tells them in a header, and may say another."""
    monitor = mm.Monitor(profile)
    app = starlette_app(monitor, model)
    with served(app) as port:
        _, headers, _ = send(port, "/one", ROW)
        assert label(port, item(headers["x-prediction-id"])) == ["counted"]
        app.state.headers = {"X-Prediction-ID": "mine"}
        _, headers, _ = send(port, "/one", ROW)
        assert headers["x-prediction-id"] == "mine"
        _, headers, _ = send(port, "/feedback", [])
        assert "x-prediction-id" not in headers


@pytest.mark.parametrize("options", [{"feedback_path": None}, {"feedback_path": "/truth"}])
def test_the_path_can_be_chosen(model, profile, options):
    """Labels are taken at another path, or at none while predictions are kept all the same."""
    monitor = mm.Monitor(profile)
    with served(starlette_app(monitor, model, **options)) as port:
        assert send(port, "/one", ROW)[0] == 200
        assert get(port, "/feedback", "POST").status == 404
        if options["feedback_path"]:
            _, _, answer = send(port, options["feedback_path"], item(OLD))
            assert answer["counts"]["expired"] == 1
        until(lambda: sum(scraped(port, names.PENDING).values()) == 1)


def test_with_metrics_on_a_port_of_their_own(model, profile):
    """Labels are taken on the application; their totals are on the other port."""
    port = free_port()
    monitor = mm.Monitor(profile)
    with served(starlette_app(monitor, model, port=port, host="127.0.0.1")) as on:
        assert label(on, {"y_true": 1, "y_pred": 1}) == ["counted"]
        assert scraped(port, names.CONFUSION) == {("1", "1"): 1}
        assert get(port, "/feedback", "POST").status in (404, 501)


def test_without_a_store_there_is_no_route(model, profile):
    """A monitor that keeps no labels has no route for them, and writes no file."""
    with served(create_app(model, profile, store=None)) as port:
        assert predict(port, **{"X-Prediction-ID": "mine"}) == ["mine"]
        assert len(set(predict(port, [ROW, ROW]))) == 2
        assert get(port, "/feedback", "POST").status == 404
        assert samples(get(port, "/metrics").body, names.LABELS.name) == {}


def test_a_feedback_route_of_the_applications_own_is_not_hidden(profile):
    """When the application answers the path already, that is an error at start-up."""
    app = FastAPI()
    app.post("/feedback")(lambda: "mine")
    with pytest.raises(
        mm.ConfigurationError, match=r"answers POST /feedback already.*feedback_path"
    ):
        mm.Monitor(profile).instrument(app)


def test_two_models_on_one_application(model, profile, flights, late):
    """With two models a label says which one it is for; each is counted in its own store."""
    other = mm.Profile.build(model, flights, late, name="other", version="1")
    app = FastAPI()
    monitors = [mm.Monitor(profile), mm.Monitor(other)]
    for monitor in monitors:
        monitor.instrument(app)
    ids = []
    for monitor in monitors:
        monitor.watch(model).predict(flights[:1])
        ids += monitor.prediction_ids()
    with served(app) as port:
        items = [item(ids[0], model="flights"), item(ids[1], model="other"), item(ids[0])]
        _, _, answer = send(port, "/feedback", items)
        assert [one["outcome"] for one in answer["outcomes"]] == ["counted", "counted", "invalid"]
        assert answer["outcomes"][2]["reason"] == "model is needed here, one of 'flights', 'other'"
        text = get(port, "/metrics").body
        assert check_metrics(text) == ""
        totals = samples(text, names.LABELS.name)
        counted = {labels[0] for labels, n in totals.items() if n and labels[3] == "counted"}
        assert counted == {"flights", "other"}


def test_champion_and_challenger_share_an_id(model, profile, flights, late):
    """One label finds the answers of both versions that answered the request."""
    version_4 = mm.Profile.build(model, flights, late, name="flights", version="4")
    app = FastAPI()
    monitors = [mm.Monitor(profile), mm.Monitor(version_4)]
    champion, challenger = (monitor.watch(model) for monitor in monitors)

    @app.post("/both")
    def both() -> int:
        challenger.predict(flights[:1])
        return int(champion.predict(flights[:1])[0])

    for monitor in monitors:
        monitor.instrument(app)
    with served(app) as port:
        _, headers, _ = send(port, "/both", {})
        for monitor in monitors:
            monitor._feedback.store.flush()
        assert label(port, item(headers["x-prediction-id"])) == ["counted"]
        totals = samples(get(port, "/metrics").body, names.CONFUSION.name)
        assert {labels[:2]: n for labels, n in totals.items() if n} == {
            ("flights", "3"): 1,
            ("flights", "4"): 1,
        }


def test_versions_of_a_model_share_a_store(model, profile, flights, late):
    """Labels of one model cannot go to two stores: a label would be an orphan in one."""
    version_4 = mm.Profile.build(model, flights, late, name="flights", version="4")
    app = FastAPI()
    mm.Monitor(profile).instrument(app)
    with pytest.raises(mm.ConfigurationError, match="same store"):
        mm.Monitor(version_4, store="other.db").instrument(app)


def test_class_and_score_from_two_calls_are_one_prediction(model, profile, flights):
    """Class and score from two calls are one prediction with one id, counted with its bin."""
    monitor = mm.Monitor(profile, store="labels.db")
    watched = monitor.watch(model)
    rows = flights[:1]
    said = watched.predict(rows)[0]
    [id_] = monitor.prediction_ids()
    score = watched.predict_proba(rows)[0, 1]
    assert monitor.prediction_ids() == [id_]
    [outcome] = monitor.feedback(1, id_)
    assert outcome.kind == "counted"
    families = {family.metric: family for family in monitor.label_families()}
    confusion, bins = families[names.CONFUSION], families[names.LABEL_BIN]
    assert (
        confusion.values.sum()
        == bins.values.sum()
        == families[names.LABEL_LAG].values[0, :-1].sum()
        == 1
    )
    [row] = [row for row, n in zip(bins.rows, bins.values, strict=True) if n]
    low, high = (float(edge) for edge in row[5].strip("[)]").split(", "))
    assert low <= score <= high
    assert [row[4:] for row, n in zip(confusion.rows, confusion.values, strict=True) if n] == [
        ("1", str(said))
    ]
    assert families[names.PENDING].values.tolist() == [0]
    monitor.close()


def writing():
    """Return the threads that write predictions."""
    return {thread for thread in threading.enumerate() if thread.name == "modelmeter-labels"}


def test_the_store_is_closed_with_the_application_and_opened_again(model, profile):
    """What was predicted last is on disk when the application ends; it can start anew."""
    before = writing()
    app = create_app(model, profile)
    with TestClient(app) as client:
        assert writing() == before  # nothing is started before the first prediction
        first = client.post("/predict", json=ROW).json()["predictions"][0]["prediction_id"]
        assert len(writing() - before) == 1
    assert writing() == before
    with TestClient(app) as client:
        second = client.post("/predict", json=ROW).json()["predictions"][0]["prediction_id"]
        answer = client.post("/feedback", json=[item(first), item(second)]).json()
        assert answer["counts"]["counted"] == 2


@contextmanager
def process(folder, *options, port=None):
    """Run `modelmeter serve` on the files of a folder; gives its port and the process."""
    port = port or free_port()
    command = [
        *(sys.executable, "-m", "modelmeter.cli", "serve", "m.joblib", "--profile", "p.json"),
        *("--port", str(port), "--log-level", "warning", *options),
    ]
    with (folder / "log").open("ab") as log:
        running = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        until(lambda: is_ready(port, running), 60)
        yield port, running
    finally:
        if running.poll() is None:
            running.send_signal(signal.SIGINT)
        running.wait(30)


def is_ready(port, running):
    assert running.poll() is None
    try:
        return get(port, "/ready").status == 200
    except OSError:
        return False


@pytest.fixture
def folder(model, profile, tmp_path):
    """A folder with the files that `serve` needs."""
    joblib.dump(model, tmp_path / "m.joblib")
    profile.save(tmp_path / "p.json")
    return tmp_path


def test_workers_share_one_store(folder):
    """A label posted at any worker counts once, and every worker's metrics say the same."""
    with process(folder, "--workers", "2") as (port, _):
        ids = [predict(port)[0] for _ in range(40)]
        # A connection of its own each time, so that the kernel spreads them over the workers.
        outcomes = [label(port, item(id_))[0] for id_ in ids * 2]
        # A label waits where its prediction is in the other worker's queue.
        assert set(outcomes) <= {"counted", "waiting", "duplicate"}
        until(lambda: sum(scraped(port, names.CONFUSION).values()) == 40)
        said = {json.dumps(sorted(scraped(port, names.LABELS).items())) for _ in range(20)}
        assert len(said) == 1
        assert scraped(port, names.LABELS)["counted",] == 40
        assert label(port, [item(id_) for id_ in ids]) == ["duplicate"] * 40
        assert sum(scraped(port, names.LABEL_BIN).values()) == 40
    assert [path.name for path in folder.glob("*.db")] == ["flights.labels.db"]


def test_kill_9_loses_no_label_and_counts_none_twice(folder):
    """What was answered 'counted' right before kill -9 is there afterwards, exactly once."""
    port = free_port()
    with process(folder, port=port) as (_, running):
        ids = predict(port, [ROW] * 200)
        assert label(port, [item(id_) for id_ in ids[:100]]) == ["counted"] * 100
        running.kill()
    with process(folder, port=port):
        assert scraped(port, names.LABELS) == {("counted",): 100}
        assert label(port, [item(id_) for id_ in ids]) == ["duplicate"] * 100 + ["counted"] * 100
        assert sum(scraped(port, names.CONFUSION).values()) == 200


@pytest.fixture(scope="module")
def server():
    """A PostgreSQL to be rough with."""
    with Postgres() as server:
        yield server


def test_postgresql_by_url(folder, server):
    """With a PostgreSQL URL two services are replicas: either takes the label, both show it."""
    url = server.new_schema()
    with process(folder, "--store", url) as (one, _), process(folder, "--store", url) as (two, _):
        ids = predict(one, [ROW] * 3) + predict(two, [ROW] * 3)
        until(lambda: sum(scraped(one, names.PENDING).values()) == 6)
        assert label(two, [item(id_) for id_ in ids]) == ["counted"] * 6
        assert label(one, [item(id_) for id_ in ids]) == ["duplicate"] * 6
        assert sum(scraped(one, names.CONFUSION).values()) == 6
        assert scraped(one, names.LABELS) == scraped(two, names.LABELS)
        stores = {labels_store(get(port, "/metrics").body) for port in (one, two)}
        assert len(stores) == 1
    assert list(folder.glob("*.db")) == []


def median_milliseconds(port, tries=60):
    """Return how long a prediction takes."""
    spent = []
    for _ in range(tries):
        started = time.perf_counter()
        predict(port)
        spent.append((time.perf_counter() - started) * 1000)
    return sorted(spent)[tries // 2]


def test_a_database_that_is_away(model, profile, server, caplog):
    """Without its database a service predicts as fast, refuses labels, and shows no old totals."""
    caplog.set_level(logging.CRITICAL, "modelmeter")
    with served(create_app(model, profile, store=server.new_schema())) as port:
        [before] = predict(port)
        assert label(port, item(before)) == ["counted"]
        usual = median_milliseconds(port)
        server.kill()
        try:
            [during] = predict(port)
            status, headers, answer = send(port, "/feedback", item(during))
            assert (status, headers["retry-after"]) == (503, "5")
            assert "send the same again" in answer["detail"]
            text = get(port, "/metrics").body
            assert samples(text, names.LABELS.name) == samples(text, names.CONFUSION.name) == {}
            assert samples(text, names.PREDICTIONS.name)[(*MODEL, "ok")] >= 62
            assert samples(text, names.FAILURES.name)["labels",] >= 1
            # Were a prediction to wait for the database, it would be by a second and more.
            assert median_milliseconds(port) < 3 * usual + 20
        finally:
            server.start()
        until(lambda: send(port, "/feedback", item(before))[0] == 200)
        assert until(lambda: label(port, item(during)) == ["counted"])
        assert scraped(port, names.LABELS)["counted",] == 2


def test_a_database_that_hangs_holds_up_no_prediction(model, profile, server, caplog, monkeypatch):
    """While posts wait for a database that hangs, predictions and health go on."""
    caplog.set_level(logging.CRITICAL, "modelmeter")
    monkeypatch.setattr("modelmeter.serving.feedback_route._WAITING", 2)
    with served(create_app(model, profile, store=server.new_schema())) as port:
        assert label(port, {"y_true": 1, "y_pred": 1}) == ["counted"]
        server.pause()
        try:
            answers = []
            posts = [
                threading.Thread(
                    target=lambda: answers.append(send(port, "/feedback", item("a"))[0])
                )
                for _ in range(12)
            ]
            for post in posts:
                post.start()
            # More posts than may wait are sent away at once; the others are stuck.
            until(lambda: len(answers) >= 6)
            predict(port)
            assert get(port, "/health").status == 200
            assert set(answers) == {503}
            assert any(post.is_alive() for post in posts)
        finally:
            server.resume()
            for post in posts:
                post.join(60)


def test_the_limits_are_as_documented():
    """The numbers in the documents are those of the code."""
    assert (feedback_module.MAX_ITEMS, feedback_module.MAX_BYTES) == (10_000, 10_000_000)
