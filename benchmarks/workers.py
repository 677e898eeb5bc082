"""What many workers cost: counting in a file, scraping 10,000 series, requests meanwhile.

Prints medians of interleaved repeats, beside prometheus_client in the same run:

- one row of 25 values observed with counts on the heap, and in a worker's file;
- a scrape of 10,000 series: ``generate_latest`` of one process and in multiprocess mode of four,
  ours of one process and of four workers, and with 20 dead workers folded;
- the 99th percentile of other requests (wrk, one worker) without scrapes, with one of ours
  every second, and with one of ``generate_latest`` every second::

    python benchmarks/workers.py [--repeats 9] [--seconds 4]
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

import numpy as np
import pandas as pd

SERIES = 10_000
LABELS = ("model", "version", "role", "feature", "kind", "ord", "bin", "segment")
RATIO = 60

APP = """
import sys
from pathlib import Path
sys.path.insert(0, {here!r})
import workers
from prometheus_client import generate_latest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
from modelmeter.serving.routes import instrument

async def nothing(request):
    return Response(b"ok")

def theirs(request):
    return Response(generate_latest(registry))

counts, registry = workers.ours(), workers.theirs()
app = Starlette(routes=[Route("/", nothing), Route("/theirs", theirs)])
instrument(app, [counts], registry=None)
"""


def rows():
    """Return label values of 10,000 series."""
    return [
        (
            "m",
            "1",
            "feature",
            f"feature {i // 12}",
            "interval",
            f"{i % 12:02}",
            f"[{i}, {i + 1})",
            "",
        )
        for i in range(SERIES)
    ]


def ours(directory=None):
    """Return a table of 10,000 series."""
    from modelmeter import names
    from modelmeter.live.counts import Counts

    counts = Counts(directory)
    counts.block(names.FEATURE_BIN, rows()).values[:] = np.arange(SERIES) * 7
    return counts


def theirs():
    """Return a registry of 10,000 series."""
    from prometheus_client import CollectorRegistry, Counter

    registry = CollectorRegistry()
    counter = Counter("model_feature_bin", "Rows.", LABELS, registry=registry)
    for number, row in enumerate(rows()):
        counter.labels(*row).inc(7 * number)
    return registry


def timed(functions, repeats):
    """Return the median seconds of each function, called in turn."""
    taken = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            started = time.perf_counter()
            function()
            taken[name].append(time.perf_counter() - started)
    return {name: statistics.median(times) for name, times in taken.items()}


def scrapes(repeats, directory):
    """Time scrapes of 10,000 series."""
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.multiprocess import MultiProcessCollector

    from modelmeter.live.exposition import Exposition

    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import workers; "
    users = directory / "users"
    users.mkdir()
    for _ in range(4):
        environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(users)}
        subprocess.run(
            [sys.executable, "-c", code + "workers.theirs()"], env=environment, check=True
        )
    for _ in range(20):
        subprocess.run(
            [sys.executable, "-c", code + f"workers.ours({str(directory / 'dead')!r})"], check=True
        )
    tables = [ours(directory / "four") for _ in range(4)]
    registry, several = theirs(), CollectorRegistry()
    MultiProcessCollector(several, str(users))
    one, four = Exposition([ours()]), Exposition(tables[:1])
    dead = Exposition([ours(directory / "dead")])
    return timed(
        {
            "generate_latest": lambda: generate_latest(registry),
            "modelmeter": one.render,
            "generate_latest, 4 processes": lambda: generate_latest(several),
            "modelmeter, 4 workers": four.render,
            "modelmeter, 20 dead workers": dead.render,
        },
        repeats,
    )


def observing(repeats, directory):
    """Time one row of 20 numbers and 5 texts, on the heap and in a file."""
    import modelmeter as mm

    random = np.random.default_rng(0)
    frame = pd.DataFrame({f"n{i:02}": random.normal(size=2_000) for i in range(20)})
    for i in range(5):
        frame[f"s{i}"] = random.choice([f"category {j:02}" for j in range(12)], 2_000)
    profile = mm.Profile.build(None, frame, name="bench", version="1")
    row = frame.iloc[0].to_dict()
    monitors = {
        "heap": mm.Monitor(profile, store=None),
        "file": mm.Monitor(profile, store=None, directory=directory / "rows"),
    }
    number = 2_000

    def observe(monitor):
        return lambda: [monitor.observe(row) for _ in range(number)]

    found = timed({name: observe(monitor) for name, monitor in monitors.items()}, repeats)
    return {name: seconds / number for name, seconds in found.items()}


def latencies(repeats, seconds, directory):
    """Measure the 99th percentile of requests with and without scrapes."""
    from real.web import free_port

    (directory / "benched.py").write_text(APP.format(here=str(Path(__file__).parent)))
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "uvicorn", "benched:app", "--port", str(port)),
            *("--log-level", "error", "--no-access-log"),
        ],
        cwd=directory,
    )
    found = {"no scrape": [], "modelmeter": [], "generate_latest": []}
    paths = {"modelmeter": "/metrics", "generate_latest": "/theirs"}
    try:
        _wait(base)
        for _ in range(repeats):
            for name, taken in found.items():
                taken.append(_load(base, seconds, paths.get(name)))
    finally:
        server.terminate()
        server.wait()
    return {name: statistics.median(taken) for name, taken in found.items()}


def _wait(base):
    for _ in range(600):
        try:
            urllib.request.urlopen(base + "/", timeout=5).read()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the application did not start")


def _load(base, seconds, path):
    """Return the 99th percentile in milliseconds while a path is asked for every second."""
    stop = threading.Event()

    def ask():
        while path and not stop.wait(1.0):
            urllib.request.urlopen(base + path, timeout=30).read()

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        said = subprocess.run(
            ["wrk", "-t1", "-c4", f"-d{seconds}s", "--latency", base + "/"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    finally:
        stop.set()
        asking.join()
    number, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", said).groups()
    return float(number) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[unit]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=4)
    arguments = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        rows_ = observing(3 * arguments.repeats, directory)
        print(f"one row: heap {rows_['heap'] * 1e6:.2f} us, file {rows_['file'] * 1e6:.2f} us")
        took = scrapes(arguments.repeats, directory)
        for kind, base in (
            ("generate_latest", "modelmeter"),
            ("generate_latest, 4 processes", "modelmeter, 4 workers"),
        ):
            ratio = took[kind] / took[base]
            kept = "kept" if ratio >= RATIO else "MISSED"
            print(
                f"{SERIES} series: {kind} {took[kind] * 1e3:.1f} ms, {base} "
                f"{took[base] * 1e3:.2f} ms, ratio {ratio:.0f}; goal {RATIO}: {kept}"
            )
        print(f"with 20 dead workers {took['modelmeter, 20 dead workers'] * 1e3:.2f} ms")
        for name_, p99 in latencies(3, arguments.seconds, directory).items():
            print(f"p99 of other requests, scraped every second by {name_}: {p99:.2f} ms")


if __name__ == "__main__":
    main()
