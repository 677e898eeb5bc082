"""Tests of modelmeter.demo.replay, against a small server that notes what it is sent."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise

import pandas as pd
import pytest

from modelmeter.demo import replay
from modelmeter.demo.flights import Flights
from modelmeter.demo.replay import Replay


class Service(ThreadingHTTPServer):
    """Answers after `delay` seconds with `status`, and remembers what came."""

    delay = 0.0
    status = 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.batches: list[list[dict]] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def numbers(self) -> list[int]:
        return [row["number"] for batch in self.batches for row in batch]


class Handler(BaseHTTPRequestHandler):
    """Takes POST."""

    server: Service

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.batches.append(json.loads(body))
        time.sleep(self.server.delay)
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

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


def flights(n: int, days: int = 90) -> Flights:
    """Return n flights, evenly over days from 1 April on."""
    first = pd.Timestamp("2013-04-01 06:00", tz="America/New_York").tz_convert("UTC")
    departure = pd.Series([first + pd.Timedelta(days=days * i / n) for i in range(n)])
    late = pd.Series([0.0] * n)
    return Flights(pd.DataFrame({"number": range(n)}), departure, departure, late)


def play(url: str, given: Flights, seconds: float) -> Replay:
    """Replay to the end."""
    player = Replay(url, given, seconds)
    player.start()
    player.join(30)
    assert not player.is_alive()
    return player


def test_every_flight_is_sent_once_in_order(service: Service):
    """A service that keeps up gets every flight once, in the order of departure."""
    progress = play(service.url, flights(1_000), 0.5).progress
    assert service.numbers == list(range(1_000))
    assert len(service.batches) > 5
    assert (progress.answered, progress.failed, progress.left_out) == (1_000, 0, 0)
    assert progress.done
    assert progress.share == 1


def test_it_takes_the_time_given(service: Service):
    """The last flight leaves when the time is over, not before."""
    began = time.monotonic()
    play(service.url, flights(10), 0.4)
    assert time.monotonic() - began >= 0.4


def test_slow_service_gets_larger_requests(service: Service):
    """A service that is slow, but not too slow, gets every flight in fewer requests."""
    service.delay = 0.15
    progress = play(service.url, flights(1_000), 0.5).progress
    assert service.numbers == list(range(1_000))
    assert len(service.batches) <= 6
    assert progress.left_out == 0


def test_too_slow_service_gets_an_even_sample(service: Service, monkeypatch: pytest.MonkeyPatch):
    """When requests cannot get larger, flights are left out evenly, and counted."""
    monkeypatch.setattr(replay, "MAX_BATCH", 20)
    monkeypatch.setattr(replay, "MAX_LAG", 0.1)
    service.delay = 0.05
    progress = play(service.url, flights(2_000), 1.0).progress
    numbers = service.numbers
    assert numbers == sorted(set(numbers))
    assert progress.left_out > 0
    assert progress.answered + progress.left_out == 2_000
    assert progress.answered == len(numbers)
    assert 0 < progress.sampled < 1
    gaps = [b - a for a, b in pairwise(numbers)]
    assert max(gaps) < 200


def test_no_month_is_passed_over(service: Service, monkeypatch: pytest.MonkeyPatch):
    """However far the replay is behind, every month of the backlog is sent some flights."""
    monkeypatch.setattr(replay, "MAX_LAG", 0.0)
    service.delay = 0.3
    progress = play(service.url, flights(5_000, days=270), 0.5).progress
    assert [end.month.month for end in progress.months] == [4, 5, 6, 7, 8, 9, 10, 11, 12]
    assert progress.left_out > 0


def test_failures_are_counted(service: Service):
    """Flights in requests that are not answered well count as failed."""
    service.status = 503
    progress = play(service.url, flights(50), 0.2).progress
    assert (progress.answered, progress.failed) == (0, 50)


def test_service_that_is_gone_is_not_hammered():
    """Without a service every flight counts as failed, after a pause per request."""
    progress = play("http://127.0.0.1:9", flights(50), 0.2).progress
    assert progress.failed == 50


def test_months_are_those_of_new_york(service: Service):
    """Every month is noted with the time at which its last flight had been answered."""
    before = time.time()
    progress = play(service.url, flights(900), 0.6).progress
    assert [f"{end.month:%b}" for end in progress.months] == ["Apr", "May", "Jun"]
    ends = [before, *(end.ended for end in progress.months)]
    assert ends == sorted(ends)
    assert all(end.began <= end.ended for end in progress.months)
    assert f"{progress.simulated:%d %b %Z}" == "30 Jun EDT"


def test_stop_ends_soon(service: Service):
    """A replay that is stopped ends long before its time, and says that it is not done."""
    player = Replay(service.url, flights(1_000), 60)
    player.start()
    player.stop()
    player.join(5)
    assert not player.is_alive()
    assert not player.progress.done
