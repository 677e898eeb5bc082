"""What the golden signals cost per request, beside a middleware written by hand.

Runs the same null application bare, under ``GoldenSignals``, and under a minimal pure-ASGI
middleware that counts the same three metrics with prometheus_client, interleaved, and prints
the median cost added per request and the ratio::

    python benchmarks/middleware.py [--requests 20000] [--repeats 15]
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from modelmeter import names
from modelmeter.serving.asgi import GoldenSignals

BUDGET = 3.0  # microseconds


class Route:
    """What Starlette leaves in the scope."""

    path = "/predict/{id}"


async def application(scope, receive, send):
    """Answer as a Starlette route does: the route in the scope, then two messages."""
    scope["route"] = ROUTE
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


class ByHand:
    """The three metrics with prometheus_client, children cached, written for speed."""

    def __init__(self, app):
        self.app = app
        registry = CollectorRegistry()
        labels = ["method", "route", "status"]
        self.requests = Counter("http_requests_total", "Requests.", labels, registry=registry)
        self.seconds = Histogram(
            "http_request_duration_seconds",
            "Latency.",
            labels,
            registry=registry,
            buckets=names.HTTP_DURATION.buckets,
        )
        self.in_progress = Gauge("http_requests_in_progress", "Now.", registry=registry)
        self.children = {}

    async def __call__(self, scope, receive, send):
        """Answer a request, and count it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        self.in_progress.inc()
        status = 500

        async def forward(message):
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, forward)
        finally:
            self.in_progress.dec()
            route = scope.get("route")
            key = (scope["method"], route.path if route else "", status)
            children = self.children.get(key)
            if children is None:
                children = (self.requests.labels(*key), self.seconds.labels(*key))
                self.children[key] = children
            children[0].inc()
            children[1].observe(time.perf_counter() - started)


ROUTE = Route()


async def receive():
    """Receive nothing."""
    return {"type": "http.request", "body": b"", "more_body": False}


async def send(message):
    """Send nowhere."""


async def measure(app, requests):
    """Return the microseconds per request."""
    template = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 40000),
        "scheme": "http",
        "method": "POST",
        "root_path": "",
        "path": "/predict/7",
        "raw_path": b"/predict/7",
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1:8000")],
        "state": {},
    }
    started = time.perf_counter()
    for _ in range(requests):
        await app(template.copy(), receive, send)
    return (time.perf_counter() - started) / requests * 1e6


async def compare(requests, repeats):
    """Return the cost added per request by each middleware, medians of interleaved runs."""
    apps = {
        "bare": application,
        "modelmeter": GoldenSignals(application),
        "prometheus_client by hand": ByHand(application),
    }
    costs = {name: [] for name in apps}
    for app in apps.values():
        await measure(app, 1_000)
    for _ in range(repeats):
        for name, app in apps.items():
            costs[name].append(await measure(app, requests))
    bare = statistics.median(costs.pop("bare"))
    return bare, {name: statistics.median(values) - bare for name, values in costs.items()}


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    bare, added = asyncio.run(compare(options.requests, options.repeats))
    print(f"{'the application itself':<28}{bare:6.2f} us per request")
    for name, cost in added.items():
        print(f"{name:<28}{cost:+6.2f} us")
    ours, theirs = added.values()
    print(
        f"ratio {theirs / ours:.1f}; budget {BUDGET} us: {'kept' if ours <= BUDGET else 'MISSED'}"
    )


if __name__ == "__main__":
    main()
