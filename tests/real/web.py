"""Ways to call an ASGI application: directly, message by message, and through uvicorn."""

from __future__ import annotations

import asyncio
import http.client
import socket
import subprocess
import threading
import time
from contextlib import contextmanager
from typing import Any, NamedTuple

import uvicorn
from prometheus_client.parser import text_string_to_metric_families

from real.prometheus import require


class Response(NamedTuple):
    """What an application sent."""

    status: int
    headers: dict[str, str]
    body: bytes


def http_scope(path="/", method="GET", headers=None, **more):
    """Return the scope of a request, as a server makes it."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "scheme": "http",
        "server": ("testserver", 80),
        "client": ("testclient", 50000),
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(k.lower().encode(), v.encode()) for k, v in (headers or {}).items()],
        "state": {},
        **more,
    }


async def request(app, path="/", method="GET", headers=None, body=b"", **more) -> Response:
    """Call an application with one request; an exception of its own comes through."""
    messages: list[dict[str, Any]] = []
    incoming = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive():
        if incoming:
            return incoming.pop()
        await asyncio.Event().wait()

    async def send(message):
        messages.append(message)

    await app(http_scope(path, method, headers, **more), receive, send)
    start = messages[0]
    return Response(
        start["status"],
        {name.decode(): value.decode() for name, value in start.get("headers", [])},
        b"".join(message.get("body", b"") for message in messages[1:]),
    )


def call(app, *args, **kwargs) -> Response:
    """Call an application with one request, in an event loop of its own."""
    return asyncio.run(request(app, *args, **kwargs))


def samples(text, name):
    """Return the samples of one name, by their label values that are not empty."""
    text = text.decode() if isinstance(text, bytes) else text
    return {
        tuple(value for value in sample.labels.values() if value): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    }


def check_metrics(text) -> str:
    """Return what the real ``promtool check metrics`` says of a text: nothing, at best."""
    command = [require("promtool"), "check", "metrics"]
    text = text.encode() if isinstance(text, str) else text
    done = subprocess.run(command, input=text, capture_output=True, check=False, timeout=60)
    said = (done.stdout + done.stderr).decode()
    return said if done.returncode == 0 else f"status {done.returncode}\n{said}"


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(port, path, method="GET", headers=None) -> Response:
    """Send a real request to the loopback address."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, headers=headers or {})
        answer = connection.getresponse()
        return Response(answer.status, dict(answer.getheaders()), answer.read())
    finally:
        connection.close()


def until(condition, seconds=30.0):
    """Wait until the condition holds and return what it gave."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


@contextmanager
def served(app, **config):
    """Serve an application with a real uvicorn, in a thread; gives its port."""
    config = {"port": free_port(), "log_level": "critical", **config}
    server = uvicorn.Server(uvicorn.Config(app, **config))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until(lambda: server.started or not thread.is_alive())
        assert server.started, "the server did not start"
        yield server.config.port
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()
