"""Tests of modelmeter.demo.talk: the app that stands for everybody's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from modelmeter.demo.flights import FEATURES, Flights
from modelmeter.demo.model import Trained
from modelmeter.demo.talk import EXAMPLE, Flight, create_app
from modelmeter.demo.traffic import JSON_HEADERS, encode


@pytest.fixture
def client(model_directory: Path) -> Iterator[TestClient]:
    """Return a client of a fresh app."""
    with TestClient(create_app(model_directory), raise_server_exceptions=False) as client:
        yield client


def scrape(client: TestClient, name: str, **labels: str) -> float:
    """Return the sum of a metric's samples that have these labels."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    return sum(
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def test_index_says_what_is_where(client: TestClient):
    """The first page names the pages to go to, which are there."""
    index = client.get("/").json()
    assert index == {"model": "flight-delay", "docs": "/docs", "metrics": "/metrics"}
    assert client.get(index["docs"]).status_code == 200


def test_one_flight(client: TestClient, trained: Trained):
    """A flight gets one answer, that of the model."""
    answers = client.post("/predict/model", json=EXAMPLE).json()
    assert len(answers) == 1
    assert answers[0]["late"] == (answers[0]["probability"] >= 0.5)


def test_many_flights_as_the_model_says(client: TestClient, trained: Trained, production: Flights):
    """A list of flights gets the model's own scores, through JSON, in order."""
    X = production.X[:300]
    answers = client.post("/predict/model", content=encode(X), headers=JSON_HEADERS).json()
    expected = trained.model.predict_proba(X)[:, 1]
    assert [answer["probability"] for answer in answers] == expected.tolist()


@pytest.mark.parametrize("missing", [None, "absent"])
def test_flight_without_weather(client: TestClient, missing: str | None):
    """Weather may be null, or not be there at all."""
    flight = dict(EXAMPLE)
    for name in ("temp", "pressure", "visib"):
        if missing:
            del flight[name]
        else:
            flight[name] = None
    assert client.post("/predict/model", json=flight).status_code == 200


def test_flight_to_a_new_airport(client: TestClient):
    """A destination that training never had is answered, and counted as unseen."""
    assert client.post("/predict/model", json=EXAMPLE | {"dest": "ACK"}).status_code == 200
    assert scrape(client, "model_feature_bin_total", feature="dest", kind="unseen") == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"hour": 24}, "hour"),
        ({"hour": "noon"}, "hour"),
        ({"distance": -1}, "distance"),
        ({"temp": "warm"}, "temp"),
        ({"weekday": "Friday"}, "weekday"),
        ({"dest": None}, "dest"),
        ({"seats": 180}, "seats"),
    ],
)
def test_bad_field_is_named(client: TestClient, change: dict[str, object], field: str):
    """A field that is wrong gets a 422 that names it."""
    answer = client.post("/predict/model", json=EXAMPLE | change)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"][-1] == field


@pytest.mark.parametrize("body", ["[]", "3", '"x"', "[1]", "{"])
def test_bad_body_is_refused(client: TestClient, body: str):
    """What is neither a flight nor a list of flights gets a 422."""
    assert client.post("/predict/model", content=body, headers=JSON_HEADERS).status_code == 422


def test_too_many_flights_are_refused(client: TestClient):
    """A request carries a thousand flights at most."""
    assert client.post("/predict/model", json=[EXAMPLE] * 1_001).status_code == 422


def test_flight_has_every_feature():
    """The request has the fields that the model was trained on, in order."""
    assert tuple(Flight.model_fields) == FEATURES


def test_predictions_are_counted(client: TestClient, production: Flights):
    """Every flight counts once in every feature, and once in both outputs."""
    client.post("/predict/model", content=encode(production.X[:100]), headers=JSON_HEADERS)
    client.post("/predict/model", json=EXAMPLE)
    assert scrape(client, "model_predictions_total", model="flight-delay", outcome="ok") == 101
    for name in (*FEATURES, "y_pred", "y_score"):
        bins = scrape(client, "model_feature_bin_total", feature=name, segment="")
        assert bins == 101, name


def test_imputed_values_are_counted(client: TestClient):
    """What the imputer inside the pipeline fills in is counted by feature."""
    client.post("/predict/model", json=EXAMPLE | {"pressure": None})
    assert scrape(client, "model_imputed_total", feature="pressure") == 1
    assert scrape(client, "model_imputed_total", feature="temp") == 0


def test_requests_are_counted_by_route(client: TestClient):
    """Requests are counted by route and status; those that predict carry the model's name."""
    client.post("/predict/model", json=EXAMPLE)
    client.get("/predict/random", params={"time_delay_scale": 0, "error_rate": 1})
    found = {
        route: scrape(client, "http_requests_total", route=route, **labels)
        for route, labels in {
            "/predict/model": {"status": "200", "model": "flight-delay", "version": "1"},
            "/predict/random": {"status": "500"},
        }.items()
    }
    assert found == {"/predict/model": 1, "/predict/random": 1}


def test_random_prediction(client: TestClient):
    """Without errors a random prediction is a probability and what follows from it."""
    answer = client.get("/predict/random", params={"time_delay_scale": 0, "error_rate": 0})
    assert answer.status_code == 200
    assert answer.json()["late"] == (answer.json()["probability"] >= 0.5)


def test_random_errors_come_at_the_rate_given(client: TestClient, monkeypatch: pytest.MonkeyPatch):
    """Errors come at the rate asked for; random prediction and delay are drawn anew."""
    import random

    monkeypatch.setattr("modelmeter.demo.talk.random", random.Random(0))
    params = {"time_delay_scale": 0, "error_rate": 0.3}
    codes = [client.get("/predict/random", params=params).status_code for _ in range(300)]
    assert set(codes) == {200, 500}
    assert 60 < codes.count(500) < 120


def test_random_delay_is_exponential(client: TestClient, monkeypatch: pytest.MonkeyPatch):
    """The delay is drawn from an exponential distribution with the mean asked for."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("modelmeter.demo.talk.asyncio.sleep", sleep)
    for _ in range(300):
        client.get("/predict/random", params={"time_delay_scale": 2, "error_rate": 0})
    ours = [seconds for seconds in slept if seconds]
    mean = sum(ours) / len(ours)
    assert 1.6 < mean < 2.4
    assert sum(seconds > mean for seconds in ours) / len(ours) == pytest.approx(0.37, abs=0.1)


@pytest.mark.parametrize(
    "params",
    [
        {"time_delay_scale": -1},
        {"time_delay_scale": 11},
        {"time_delay_scale": "nan"},
        {"error_rate": 1.1},
        {"error_rate": -0.1},
        {"error_rate": "often"},
    ],
)
def test_random_parameters_are_validated(client: TestClient, params: dict[str, object]):
    """A delay or rate out of its range is a 422 that names the parameter."""
    answer = client.get("/predict/random", params=params)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", *params]


def test_directory_from_the_environment(model_directory: Path, monkeypatch: pytest.MonkeyPatch):
    """The model is loaded from where FLIGHT_DELAY_DIRECTORY points."""
    monkeypatch.setenv("FLIGHT_DELAY_DIRECTORY", str(model_directory))
    monkeypatch.setattr("modelmeter.demo.talk.trained", None)
    assert create_app().title == "Flight delays"


def test_without_a_directory_a_model_is_trained(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Without a directory the app takes the demo's model, and keeps labels where it runs."""
    monkeypatch.delenv("FLIGHT_DELAY_DIRECTORY", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("modelmeter.demo.talk.trained", lambda: trained)
    with TestClient(create_app()) as client:
        assert client.post("/predict/model", json=EXAMPLE).status_code == 200
    assert (tmp_path / "flight-delay.labels.db").is_file()
