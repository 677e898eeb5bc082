"""What prometheus-fastapi-instrumentator and BaseHTTPMiddleware add per request.

Runs in an environment with the first, without modelmeter; prints JSON: microseconds added.
"""

import asyncio
import importlib.metadata
import json
import statistics
import sys
import time

from fastapi import FastAPI
from prometheus_fastapi_instrumentator import Instrumentator
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import Response


def application():
    """Return an application of one route that does nothing."""
    app = FastAPI()

    async def predict(request):
        return Response(b"{}")

    app.router.add_route("/predict/{id}", predict, methods=["POST"])
    return app


class Nothing(BaseHTTPMiddleware):
    """Does nothing."""

    async def dispatch(self, request, call_next):
        """Answer."""
        return await call_next(request)


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
    }
    started = time.perf_counter()
    for _ in range(requests):
        await app({**template, "state": {}}, receive, send)
    return (time.perf_counter() - started) / requests * 1e6


async def compare(requests, repeats):
    """Return the microseconds added by each, medians of interleaved repeats."""
    instrumented, based = application(), application()
    Instrumentator().instrument(instrumented)
    based.add_middleware(Nothing)
    apps = {
        "bare": application(),
        "prometheus-fastapi-instrumentator": instrumented,
        "BaseHTTPMiddleware": based,
    }
    times = {name: [] for name in apps}
    for _ in range(repeats):
        for name, app in apps.items():
            times[name].append(await measure(app, requests))
    medians = {name: statistics.median(values) for name, values in times.items()}
    bare = medians.pop("bare")
    return {name: value - bare for name, value in medians.items()}


if __name__ == "__main__":
    added = asyncio.run(compare(int(sys.argv[1]), int(sys.argv[2])))
    version = importlib.metadata.version("prometheus-fastapi-instrumentator")
    print(json.dumps({"version": version, "added": added}))
