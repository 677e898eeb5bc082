"""Real services of several workers, under real load, for test_workers.py."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from real.prometheus import require
from real.web import free_port, get, samples, until

APP = """
import os

from fastapi import FastAPI, Request
from prometheus_client import REGISTRY, Counter, Gauge, Info
from prometheus_client.core import GaugeMetricFamily

import modelmeter as mm


class Sizes:
    def collect(self):
        yield GaugeMetricFamily("of_the_user", "A custom collector.", value=7)


if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
    ASKED = Counter("asked", "Of the user's.")
    ALIVE = Gauge("alive", "Of the user's.", multiprocess_mode="livesum")
    MOST = Gauge("most", "Of the user's.", multiprocess_mode="max")
    Info("build", "Of the user's.").info({"commit": "abc"})
    REGISTRY.register(Sizes())

app = FastAPI()
monitor = mm.Monitor(mm.Profile.load("profile.json"))
monitor.instrument(app, created_series=True, prediction_routes=["/predict"])


@app.post("/predict")
async def predict(request: Request):
    row = await request.json()
    monitor.observe(row, y_pred=["late" if (row["hour"] or 0) > 12 else "punctual"])
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        ASKED.inc()
        ALIVE.set(1)
        MOST.set(99)
    return os.getpid()


@app.get("/pid")
async def pid():
    return os.getpid()
"""

ROWS = (
    {"hour": 7, "origin": "JFK"},
    {"hour": 20, "origin": "LGA"},
    {"hour": 99, "origin": "EWR"},
    {"hour": None, "origin": "XXX"},
    {"origin": "JFK", "hour": 13},
)

# Stops asking after so many requests, so that every one of them is answered; a connection
# that breaks asks again.
LUA = """
local bodies = { %s }
local sent, asked, got, answered = 0, 0, 0, {}
function delay()
  sent = sent + 1
  if sent > %d then return 1000000 end
  return 0
end
function request()
  asked = asked + 1
  local headers = { ["X-Prediction-ID"] = "wrk-" .. asked }
  return wrk.format("POST", "/predict", headers, bodies[(asked - 1) %% #bodies + 1])
end
function response(status, headers, body)
  got = got + 1
  answered[status] = (answered[status] or 0) + 1
  if got %% 50 == 0 or got == %d then
    for code, number in pairs(answered) do io.write(code, "=", number, " ") end
    io.write("\\n")
    io.flush()
  end
end
"""


class Service(NamedTuple):
    """A running service."""

    port: int
    process: subprocess.Popen
    folder: Path

    @property
    def directory(self) -> Path:
        """Where its workers count."""
        return self.folder / "counts"

    def scrape(self) -> str:
        """Return what whichever worker answers says; one that is just ending says nothing."""
        answer = until(self._scraped)
        assert answer.status == 200
        return answer.body.decode()

    def _scraped(self) -> Any:
        try:
            return get(self.port, "/metrics")
        except ConnectionError:
            assert self.process.poll() is None, "the service ended"
            return None

    def workers(self) -> set[int]:
        """Return the numbers of the processes that have answered a few requests."""
        return {int(get(self.port, "/pid").body) for _ in range(12)}

    def up(self) -> bool:
        """Tell whether requests are answered."""
        assert self.process.poll() is None, "the service ended"
        try:
            return get(self.port, "/metrics").status == 200
        except OSError:
            return False


def command(kind: str, port: int, *options: str) -> list[str]:
    """Return how to run the app with two workers."""
    if kind == "uvicorn":
        return [
            *(sys.executable, "-m", "uvicorn", "served:app", "--workers", "2"),
            *("--port", str(port), "--log-level", "warning", *options),
        ]
    return [
        *(sys.executable, "-m", "gunicorn", "served:app", "--workers", "2", "--bind"),
        *(f"127.0.0.1:{port}", "--worker-class", "uvicorn_worker.UvicornWorker"),
        *("--log-level", "warning", *options),
    ]


@contextmanager
def service(folder: Path, kind: str, *options: str, **environment: str):
    """Run the app with two workers in a folder."""
    (folder / "served.py").write_text(APP)
    port = free_port()
    where = {"MODELMETER_DIRECTORY": "counts"}
    with running_in(folder, command(kind, port, *options), port, where | environment) as running:
        yield running


@contextmanager
def running_in(folder: Path, words: list[str], port: int, environment: dict[str, str]):
    """Run a service in a folder until it is used no more."""
    with (folder / "log.txt").open("ab") as log:
        process = subprocess.Popen(
            words, cwd=folder, env=os.environ | environment, stdout=log, stderr=log
        )
    running = Service(port, process, folder)
    try:
        until(running.up, 60)
        yield running
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)


@contextmanager
def load(running: Service, requests: int, connections: int = 8):
    """Send so many requests with wrk; gives a function that tells how many were answered."""
    bodies = ", ".join(f"'{json.dumps(row)}'" for row in ROWS)
    script = running.folder / "load.lua"
    script.write_text(LUA % (bodies, requests, requests))
    process = subprocess.Popen(
        [
            *(require("wrk"), "-t1", f"-c{connections}", "-d100s", "--timeout", "60s"),
            *("-s", str(script), f"http://127.0.0.1:{running.port}/"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process.stdout
    finally:
        process.kill()
        process.communicate(timeout=20)


def answers(output) -> Any:
    """Yield the responses by status, as wrk tells of them, until it has all."""
    for line in output:
        if "=" in line:
            yield {int(k): int(v) for k, v in (pair.split("=") for pair in line.split())}


def total(text: str, name: str, *containing: str) -> float:
    """Return the sum of the samples of a name that have all of these label values."""
    found = samples(text, name)
    return sum(value for key, value in found.items() if set(containing) <= set(key))


def by_feature(text: str) -> dict[str, float]:
    """Return the rows counted in the bins of each feature, and of the prediction."""
    found: dict[str, float] = {}
    for key, value in samples(text, "model_feature_bin_total").items():
        name = "prediction" if "prediction" in key else "hour" if "hour" in key else "origin"
        found[name] = found.get(name, 0) + value
    return found
