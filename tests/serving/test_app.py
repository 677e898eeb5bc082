"""The service without code: predictions, schema, health, metrics, several workers."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid

import httpx2
import joblib
import numpy as np
import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.svm import LinearSVC

import modelmeter as mm
from modelmeter.serving.app import create_app

GOOD = {"temp": 50.5, "hour": 7, "origin": "JFK", "weekend": False}


@pytest.fixture
def client(model, profile):
    with TestClient(create_app(model, profile)) as client:
        yield client


def samples(text, name):
    """Values of a metric by its labels, as a frozenset of pairs."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == name:
                found[frozenset(sample.labels.items())] = sample.value
    return found


def bins(text, feature):
    """Rows by bin of a feature, without the empty bins."""
    values = samples(text, "model_feature_bin_total")
    return {
        dict(labels)["bin"]: value
        for labels, value in values.items()
        if dict(labels)["feature"] == feature and value
    }


def test_one_row_is_answered_with_model_version_and_id(client, model, flights):
    """A row gets the model's own prediction, its probability, and an id."""
    answer = client.post("/predict", json=GOOD)
    assert answer.status_code == 200
    body = answer.json()
    assert (body["model"], body["version"]) == ("flights", "3")
    (prediction,) = body["predictions"]
    frame = flights.iloc[:1].assign(**GOOD)
    assert prediction["y_pred"] == model.predict(frame)[0]
    assert prediction["y_score"] == model.predict_proba(frame)[0, 1]
    assert uuid.UUID(prediction["prediction_id"]).version == 8


def test_many_rows_are_answered_as_the_model_answers_them(client, model, flights):
    """A list of rows, some with missing values, gets the predictions of the frame."""
    frame = flights.iloc[:50]
    rows = json.loads(frame.to_json(orient="records"))
    body = client.post("/predict", json=rows).json()
    assert [p["y_pred"] for p in body["predictions"]] == model.predict(frame).tolist()
    scores = [p["y_score"] for p in body["predictions"]]
    assert np.allclose(scores, model.predict_proba(frame)[:, 1], rtol=1e-12)
    assert len({p["prediction_id"] for p in body["predictions"]}) == 50


@pytest.mark.parametrize(
    ("payload", "where"),
    [
        ({**GOOD, "hour": "seven"}, "hour"),
        ({k: v for k, v in GOOD.items() if k != "origin"}, "origin"),
        ([GOOD, {**GOOD, "weekend": 3}], "weekend"),
        ([], "body"),
        ("text", "body"),
        (None, "body"),
    ],
)
def test_a_bad_field_is_a_422_that_names_it(client, payload, where):
    """What the schema refuses is a 422 whose location holds the field's name."""
    answer = client.post("/predict", json=payload)
    assert answer.status_code == 422
    assert all(where in map(str, error["loc"]) for error in answer.json()["detail"])


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_number_that_is_none_in_json_is_a_422(client, number):
    """NaN and infinities in a body are refused by the field's name, not by a crash."""
    body = f'{{"temp": {number}, "hour": 7, "origin": "JFK", "weekend": false}}'
    answer = client.post("/predict", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"][-1] == "temp"


def test_the_docs_show_every_field(client):
    """The OpenAPI schema lists each feature with its type, and an example row."""
    schema = client.get("/openapi.json").json()
    row = schema["components"]["schemas"]["Row"]
    assert set(row["properties"]) == {"temp", "hour", "origin", "weekend"}
    assert set(row["example"]) == set(row["properties"])
    assert "/metrics" not in schema["paths"]
    assert client.get("/docs").status_code == 200


def test_health_and_readiness(model, profile):
    """The process is alive at once, and ready from start-up to shut-down."""
    app = create_app(model, profile)
    idle = TestClient(app)
    assert idle.get("/health").json() == {"status": "ok"}
    assert idle.get("/ready").status_code == 503
    with TestClient(app) as client:
        assert client.get("/ready").json()["status"] == "ready"


def test_metrics_count_a_row_once_and_tell_absent_from_missing(client):
    """One request is one row in one bin of each feature; a field left out is absent."""
    client.post("/predict", json={**GOOD, "temp": None})
    client.post("/predict", json={k: v for k, v in GOOD.items() if k != "temp"})
    client.post("/predict", json={**GOOD, "hour": "seven"})
    text = client.get("/metrics").text
    assert bins(text, "origin") == {"JFK": 2}
    assert bins(text, "temp") == {"missing": 1}
    absent = samples(text, "model_feature_absent_total")
    assert {dict(k)["feature"]: v for k, v in absent.items() if v} == {"temp": 1}
    predictions = samples(text, "model_predictions_total")
    assert {dict(k)["outcome"]: v for k, v in predictions.items()} == {"ok": 2, "error": 0}
    assert sum(bins(text, "y_pred").values()) == 2
    assert sum(bins(text, "y_score").values()) == 2
    imputed = samples(text, "model_imputed_total")
    assert {dict(k)["feature"]: v for k, v in imputed.items()} == {"temp": 2, "hour": 0}
    requests = samples(text, "http_requests_total")
    by_status = {dict(k)["status"]: v for k, v in requests.items() if v and dict(k)["model"]}
    assert by_status == {"200": 2, "422": 1}


def test_a_token_file_protects_the_metrics(model, profile, tmp_path):
    """With a token file `/metrics` answers only to its token."""
    (tmp_path / "token").write_text("s3cret\n")
    with TestClient(create_app(model, profile, token_file=tmp_path / "token")) as client:
        assert client.get("/metrics").status_code == 401
        good = {"Authorization": "Bearer s3cret"}
        assert client.get("/metrics", headers=good).status_code == 200


@pytest.mark.parametrize("kind", ["regression", "decision", "array", "multiclass", "callable"])
def test_other_models_are_served_too(kind, flights):
    """Regressors, classifiers without probabilities, models of arrays, functions: all answer."""
    X = flights[["hour"]]
    names = flights["origin"]
    fitted = {
        "regression": lambda: LinearRegression().fit(X, X["hour"] * 2.0),
        "decision": lambda: LinearSVC().fit(X, X["hour"] > 12),
        "array": lambda: LogisticRegression().fit(X.to_numpy(), X["hour"] > 12),
        "multiclass": lambda: LogisticRegression().fit(X, names),
        "callable": lambda: lambda frame: [float(len(frame))] * len(frame),
    }[kind]()
    built = mm.Profile.build(
        fitted, X.to_numpy() if kind == "array" else X, name="m", version="1",
        feature_names=["hour"] if kind == "array" else None,
    )  # fmt: skip
    with TestClient(create_app(fitted, built)) as client:
        answer = client.post("/predict", json=[{"hour": 7}, {"hour": 20}])
        assert answer.status_code == 200, answer.text
        values = [p["y_pred"] for p in answer.json()["predictions"]]
        text = client.get("/metrics").text
    X_two = X.iloc[:2].assign(hour=[7, 20])
    expected = fitted(X_two) if kind == "callable" else fitted.predict(
        X_two.to_numpy() if kind == "array" else X_two
    ).tolist()  # fmt: skip
    assert values == pytest.approx(expected) if kind == "regression" else values == expected
    assert sum(bins(text, "hour").values()) == 2
    assert not any(samples(text, "modelmeter_failures_total").values())


def test_a_model_that_cannot_predict_is_refused(profile):
    """An object without predict is refused at start-up."""
    with pytest.raises(mm.ConfigurationError, match="predict"):
        create_app(object(), profile)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until_ready(base, process):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        try:
            if httpx2.get(f"{base}/ready").status_code == 200:
                return
        except httpx2.TransportError:
            time.sleep(0.1)
    raise AssertionError("the service did not get ready")


def test_several_workers_answer_with_the_exact_sum(model, profile, tmp_path):
    """Whichever of three workers is asked, its metrics hold every row of all of them."""
    joblib.dump(model, tmp_path / "m.joblib")
    profile.save(tmp_path / "p.json")
    port = free_port()
    command = [
        sys.executable, "-m", "modelmeter.cli", "serve", str(tmp_path / "m.joblib"),
        "--profile", str(tmp_path / "p.json"), "--port", str(port), "--workers", "3",
        "--log-level", "warning",
    ]  # fmt: skip
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ
    )
    base = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(base, process)
        for _ in range(60):
            # A connection of its own each time, so that the kernel spreads them.
            assert httpx2.post(f"{base}/predict", json=[GOOD, GOOD]).status_code == 200
        for _ in range(10):
            text = httpx2.get(f"{base}/metrics").text
            assert bins(text, "origin") == {"JFK": 120}
            predictions = samples(text, "model_predictions_total")
            assert sum(predictions.values()) == 120
            requests = samples(text, "http_requests_total")
            posts = [v for k, v in requests.items() if dict(k)["method"] == "POST"]
            assert sum(posts) == 60
            rows = samples(text, "model_feature_reference_rows")
            assert sum(v for k, v in rows.items() if dict(k)["feature"] == "hour") == 2_000
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
