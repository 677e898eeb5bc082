"""Tests of modelmeter.demo.outcomes and of how the replay feeds it."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pandas as pd
import pytest

from modelmeter.demo.flights import Flights
from modelmeter.demo.outcomes import Outcomes
from modelmeter.demo.replay import Replay


class Service(ThreadingHTTPServer):
    """Gives every request an id, and counts the labels that come."""

    feedback_status = 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.calls = 0
        self.predicted: dict[str, int] = {}
        self.labels: dict[str, int] = {}
        self.sizes: list[int] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """Takes POST."""

    server: Service

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.server
        if self.path == "/predict/model":
            call, rows = f"call{server.calls}", len(body)
            server.calls += 1
            ids = [call] if rows == 1 else [f"{call}-{i}" for i in range(rows)]
            server.predicted |= dict(zip(ids, (row["number"] for row in body), strict=True))
            said = call if rows == 1 else f"{call}; rows={rows}"
            self._answer(200, b"[]", ("X-Prediction-ID", said))
            return
        server.sizes.append(len(body))
        server.labels |= {item["prediction_id"]: item["y_true"] for item in body}
        counts = {"counted": len(body)}
        self._answer(server.feedback_status, json.dumps({"counts": counts}).encode())

    def _answer(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in (*headers, ("Content-Length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[Service]:
    """Run the server."""
    server = Service()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def flights(n: int, late: list[float]) -> Flights:
    """Return n flights over ten days; those whose outcome is not known never land."""
    first = pd.Timestamp("2013-04-01 06:00", tz="America/New_York").tz_convert("UTC")
    departure = pd.Series([first + pd.Timedelta(days=10 * i / n) for i in range(n)])
    landing = departure + pd.Timedelta(hours=3)
    outcome = pd.Series((late * n)[:n])
    landing[outcome.isna()] = pd.NaT
    return Flights(pd.DataFrame({"number": range(n)}), departure, landing, outcome)


def test_every_known_outcome_is_told_once_under_its_id(service: Service):
    """Each flight's own outcome is posted for the id of its own prediction; unknown ones never."""
    given = flights(600, [0.0, 1.0, 1.0, float("nan")])
    player = Replay(service.url, given, 0.6)
    player.start()
    player.join(30)
    expected = {
        id_: int(given.late[number])
        for id_, number in service.predicted.items()
        if not np.isnan(given.late[number])
    }
    assert service.labels == expected
    assert len(expected) == 450
    assert sum(service.sizes) == 450
    assert player.progress.labelled == 450


def test_outcomes_come_after_the_landing(service: Service):
    """What has not landed yet is not told, until the replay closes."""
    outcomes = Outcomes(service.url)
    outcomes.expect("a", np.asarray([0.0, 1e9]), np.asarray([1.0, 0.0]))
    assert outcomes._due(1.0) == [("a-0", 1)]
    assert outcomes._due(1.0) == []
    assert outcomes._due(float("inf")) == [("a-1", 0)]


def test_unanswered_labels_are_counted(service: Service):
    """Labels that the service does not take are counted as such, and the replay goes on."""
    service.feedback_status = 503
    player = Replay(service.url, flights(50, [1.0]), 0.3)
    player.start()
    player.join(30)
    assert player.progress.done
    assert player.progress.labels == Counter(unanswered=50)
    assert player.progress.labelled == 0
