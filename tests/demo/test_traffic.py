"""Tests of modelmeter.demo.traffic, against the talk's app in a real uvicorn process."""

import json
import re
import time
from pathlib import Path

import httpx2
import numpy as np
import pytest

from modelmeter._errors import ConfigurationError
from modelmeter.demo import traffic
from modelmeter.demo.flights import Flights
from modelmeter.demo.traffic import Bounds, encode, model_traffic, random_traffic


def counted(service: str, route: str) -> float:
    """Return how many requests the service has counted on a route."""
    text = httpx2.get(f"{service}/metrics", trust_env=False).text
    pattern = rf'^http_requests_total{{.*route="{re.escape(route)}".*}} (\S+)$'
    return sum(float(n) for n in re.findall(pattern, text, flags=re.MULTILINE))


def test_model_traffic_is_counted_by_the_service(service: str, production: Flights):
    """As many requests as ordered arrive, all answered well."""
    before = counted(service, "/predict/model")
    tally = model_traffic(
        service, rows=production.X[:50], batch=20, bounds=Bounds(requests=30, seconds=30)
    )
    assert (tally.statuses, tally.failed) == ({200: 30}, 0)
    assert counted(service, "/predict/model") - before == 30


def test_random_traffic_fails_at_the_rate_given(service: str):
    """Errors come as ordered, and are tallied by status."""
    bounds = Bounds(requests=200, seconds=30, at_once=4)
    tally = random_traffic(service, bounds=bounds, time_delay_scale=0, error_rate=0.5)
    assert tally.requests == 200
    assert set(tally.statuses) == {200, 500}
    assert 60 < tally.failed == tally.statuses[500] < 140


def test_traffic_ends_in_time(service: str):
    """Traffic ends when its time is over, whatever is still to be sent."""
    began = time.monotonic()
    tally = random_traffic(
        service, bounds=Bounds(requests=1_000_000, seconds=0.5), time_delay_scale=0
    )
    assert 0.5 <= time.monotonic() - began < 5
    assert 0 < tally.requests < 1_000_000


def test_traffic_keeps_to_its_rate(service: str):
    """No more requests are sent than the rate allows."""
    bounds = Bounds(requests=1_000, seconds=0.6, rate=20)
    tally = random_traffic(service, bounds=bounds, time_delay_scale=0)
    assert tally.requests <= 20 * tally.seconds + 2  # one for each at once


def test_no_service_is_a_failed_request():
    """Requests that nobody answers are tallied as failed, not raised."""
    tally = random_traffic("http://127.0.0.1:9", bounds=Bounds(requests=3, seconds=10))
    assert (tally.requests, tally.failed) == (3, 3)
    assert str(tally).endswith("3 failed")


@pytest.mark.parametrize("url", ["http://example.org", "http://10.0.0.1:5000", "nowhere"])
def test_other_machines_are_refused(url: str):
    """Traffic for another machine needs to be asked for."""
    with pytest.raises(ConfigurationError, match="this machine only"):
        random_traffic(url)
    with pytest.raises(ConfigurationError, match="this machine only"):
        model_traffic(url)


@pytest.mark.parametrize("url", ["http://localhost:1", "http://127.0.0.2:1", "http://[::1]:1"])
def test_this_machine_has_many_names(url: str):
    """Every loopback address is this machine."""
    assert random_traffic(url, bounds=Bounds(requests=1, seconds=5)).failed == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("requests", 0),
        ("requests", 10_000_000),
        ("seconds", 0),
        ("seconds", 1e6),
        ("seconds", float("nan")),
        ("rate", 0),
        ("at_once", 0),
        ("at_once", 1_000),
    ],
)
def test_traffic_is_bounded(name: str, value: float):
    """Bounds out of their range are refused by name and value."""
    with pytest.raises(ConfigurationError, match=f"^{name} .*not {value!r}"):
        Bounds(**{name: value})


@pytest.mark.parametrize("batch", [0, 1_001])
def test_batches_are_bounded(batch: int, production: Flights):
    """A request carries 1 to 1,000 flights."""
    with pytest.raises(ConfigurationError, match="batch must be"):
        model_traffic(rows=production.X[:5], batch=batch)


def test_no_rows_are_refused(production: Flights):
    """There has to be a flight to ask about."""
    with pytest.raises(ConfigurationError, match="at least one flight"):
        model_traffic(rows=production.X[:0])


def test_encode_is_lossless(production: Flights):
    """Flights through JSON are the same flights, missing values as null."""
    X = production.X[:2_000]
    rows = json.loads(encode(X))
    assert rows[0].keys() == dict.fromkeys(X.columns).keys()
    for name in X.columns:
        back = np.array([row[name] for row in rows], dtype=object)
        missing = X[name].isna().to_numpy()
        assert all(value is None for value in back[missing])
        assert (back[~missing] == X.loc[~missing, name].to_numpy()).all(), name


@pytest.mark.parametrize("endpoint", ["random", "model"])
def test_command_line(service: str, endpoint: str, capsys: pytest.CaptureFixture[str]):
    """Both kinds of traffic can be sent from a shell, which prints the tally."""
    status = traffic.main(
        [endpoint, f"--url={service}", "--requests=3", "--time-delay-scale=0", "--error-rate=0"]
    )
    assert status == 0
    assert capsys.readouterr().out.startswith("3 requests in ")


def test_documented_commands(service: str, capsys: pytest.CaptureFixture[str]):
    """The commands that docs/demo.md shows are understood."""
    lines = (Path(__file__).parents[2] / "docs" / "demo.md").read_text().splitlines()
    start = "python -m modelmeter.demo.traffic "
    shown = [line.removeprefix(start).split() for line in lines if line.startswith(start)]
    assert [words[0] for words in shown] == ["random", "model"]
    for words in shown:
        assert traffic.main([*words, f"--url={service}", "--requests=2"]) == 0


def test_command_line_reports_failure(capsys: pytest.CaptureFixture[str]):
    """The exit status is 1 when no request was answered well."""
    assert traffic.main(["random", "--url=http://127.0.0.1:9", "--requests=1"]) == 1


def test_command_line_refuses(capsys: pytest.CaptureFixture[str]):
    """A setting out of its range is an error of usage, in one line."""
    with pytest.raises(SystemExit, match="2"):
        traffic.main(["random", "--requests=0"])
    assert "requests must be from 1 to 1e+06, not 0" in capsys.readouterr().err
