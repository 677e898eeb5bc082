"""The port of its own answers scrapes, and is gone when it is closed."""

import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from modelmeter import names
from modelmeter._errors import ConfigurationError
from modelmeter.live.counts import Counts
from modelmeter.live.exposition import Exposition
from modelmeter.serving.failures import Failures
from modelmeter.serving.port import MetricsServer
from modelmeter.serving.scrape import Bearer, Scrape
from real.web import get, samples


def server(port=0, shared=False, bearer=None, host="127.0.0.1"):
    """Return a server of one count, not started."""
    counts = Counts()
    counts.block(names.HTTP_REQUESTS, [("GET", "/", "200", "", "")]).cells[0] = 7
    scrape = Scrape(Exposition([counts]), None, bearer, Failures(counts))
    return MetricsServer(scrape, host=host, port=port, path="/metrics", shared=shared)


@pytest.fixture
def running():
    """Return a server that is running, and stop it."""
    made = server()
    made.start()
    yield made
    made.stop()


def test_it_answers(running):
    """GET and HEAD of the path are answered alike, and nothing else is."""
    answer = get(running.port, "/metrics?name=x")
    assert answer.status == 200
    assert samples(answer.body, "http_requests_total") == {("GET", "/", "200"): 7}
    head = get(running.port, "/metrics", "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == str(len(answer.body))
    assert get(running.port, "/").status == 404
    assert get(running.port, "/metrics", "POST").status == 501
    assert answer.headers["Server"] == "modelmeter"


def test_it_asks_for_the_token():
    """The token is asked for on this port too."""
    made = server(bearer=Bearer("s3cret"))
    made.start()
    try:
        assert get(made.port, "/metrics").status == 401
        ok = get(made.port, "/metrics", headers={"Authorization": "Bearer s3cret"})
        assert ok.status == 200
    finally:
        made.stop()


def test_stopped_it_leaves_nothing(running):
    """After stop there is no port and no thread, and it can be started again."""
    port = running.port
    running.start()  # a second time changes nothing
    assert running.port == port
    running.stop()
    running.stop()
    assert running.port is None
    assert "modelmeter-metrics" not in [thread.name for thread in threading.enumerate()]
    with pytest.raises(OSError, match="refused"):
        get(port, "/metrics")
    running.start()
    assert get(running.port, "/metrics").status == 200


def test_a_port_in_use_is_a_configuration_error(running):
    """A port that somebody has is refused, with what could be done."""
    with pytest.raises(ConfigurationError, match=rf"127.0.0.1:{running.port} .*another port"):
        server(running.port).start()


def test_workers_may_share_a_port():
    """With counts that every worker can read, all of them listen on one port."""
    first = server(shared=True)
    first.start()
    second = server(first.port, shared=True)
    second.start()
    try:
        for _ in range(10):
            assert get(first.port, "/metrics").status == 200
    finally:
        first.stop()
        second.stop()


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")
def test_ipv6():
    """An IPv6 address can be listened on."""
    made = server(host="::1")
    made.start()
    try:
        with socket.create_connection(("::1", made.port)) as connection:
            connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert connection.recv(15) == b"HTTP/1.1 200 OK"
    finally:
        made.stop()


def test_a_forked_child_listens_for_itself():
    """A child of a process that serves the port starts its own, sharing the port."""
    code = """
import os
from serving.test_port import server
from real.web import get
made = server(shared=True)
made.start()
child = os.fork()
if child == 0:
    made._port = made.port
    made.start()
    answered = get(made.port, "/metrics").status == 200 and made._thread.is_alive()
    made.stop()
    os._exit(int(not answered))
assert os.waitpid(child, 0)[1] == 0
assert get(made.port, "/metrics").status == 200
made.stop()
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[1], timeout=60, check=False
    )
    assert done.returncode == 0
