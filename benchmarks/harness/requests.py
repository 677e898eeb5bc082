"""On the request path: observing, the middleware, watching a model, scraping, importing."""

from __future__ import annotations

import asyncio
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import middleware
import observe
import watch
import workers
from peers.environment import instrumentator  # noqa: F401 - what `install` is asked for
from peers.talk import CountingStep

import modelmeter as mm
from harness.elsewhere import run, versions
from harness.figures import Figure, Goal, of_peer

CLIENT = "prometheus_client"
TALK = "the talk's transformers"
NAMES = {
    observe.KEPT: f"{CLIENT}, children kept",
    observe.LABELS: f"{CLIENT}, labels()",
}
PEERS = Path(__file__).parents[1] / "peers"


def observing(*, repeats, large):
    """Measure rows of 20 numbers and 5 texts, by the talk's transformers too."""
    training = observe.make_frame(20_000)
    talk = CountingStep().fit(training)
    by_talk = {
        "one row, a frame": ([training.iloc[[i]] for i in range(200)], 50),
        "1,000 rows": ([training[i : i + 1_000].copy() for i in range(0, 9_000, 1_000)], 3),
    }
    for case in observe.cases(large):
        if case.name in by_talk:
            inputs, calls = by_talk[case.name]
            case.ways[TALK] = talk.transform
            case = case._replace(inputs=inputs, calls=calls)
        few = repeats if case.cells <= 25_000 else min(repeats, 3)
        yield _observed(observe.measure(case, few))


def _observed(figure):
    found = dict(figure.microseconds)
    ours, limit = found.pop(observe.OURS), found.pop(observe.LIMIT, None)
    others = {NAMES.get(name, name): value for name, value in found.items()}
    goals: tuple[Goal, ...] = ()
    if figure.cells > 25_000:
        nanoseconds = ours / figure.cells * 1e3
        goals = (Goal(f"at most 5 ns a cell (is {nanoseconds:.2g})", nanoseconds, 5),)
    elif figure.cells > 25:
        goals = of_peer(1 / 50, TALK, ours, others)
    elif "frame" in figure.name:
        goals = of_peer(1 / 10, NAMES[observe.LABELS], ours, others)
    else:
        goals = of_peer(1 / 4, NAMES[observe.KEPT], ours, others)
    return Figure(f"observe {figure.name}", "us", ours, others, limit, goals)


def added_per_request(interpreters, *, repeats, requests):
    """Measure what middleware adds to a request."""
    _, added = asyncio.run(middleware.compare(requests, repeats))
    ours = added.pop("modelmeter")
    if "instrumentator" in interpreters:
        script = PEERS / "instrumented.py"
        said = run(interpreters["instrumentator"], script, requests // 4, repeats)
        versions["prometheus-fastapi-instrumentator"] = said["version"]
        added |= said["added"]
    goals = (Goal("at most 3 us", ours, 3),)
    yield Figure("middleware, added per request", "us", ours, added, None, goals)


def watching(*, repeats):
    """Measure one-row predictions of a pipeline: plain, watched, and by the talk's step."""
    X, y = watch.training()
    plain = watch.pipeline(watch.SimpleImputer(), watch.OneHotEncoder(handle_unknown="ignore")).fit(
        X, y
    )
    profile = mm.Profile.build(plain, X, y, name="benchmark", version="1")
    monitor = mm.Monitor(profile, store=None)
    watched, talk = monitor.watch(plain), CountingStep().fit(X)
    one = X.iloc[[1]]
    row = one.to_dict("records")[0]
    ways = {
        "plain": lambda: plain.predict(one),
        "again": lambda: plain.predict(one),
        "frame": lambda: watched.predict(one),
        "dict": lambda: monitor.observe(row, plain.predict(one)),
        "talk": lambda: plain.predict(talk.transform(one)),
    }
    medians = _in_turns(ways, repeats)
    base = medians["plain"]
    share = {name: (value / base - 1) * 100 for name, value in medians.items()}
    noise = abs(share["again"])
    others = {TALK: share["talk"], "the plain model again": share["again"]}
    for kind, most in (("dict", 0.5), ("frame", 1.0)):
        goals = (Goal(f"at most +{most} %", share[kind], most, noise),)
        what = f"one-row predict, observed from a {kind}, added"
        yield Figure(what, "%", share[kind], others, None, goals)


def _in_turns(ways, repeats, calls=20):
    times = {name: [] for name in ways}
    for _ in range(repeats):
        for name, function in ways.items():
            started = time.thread_time()
            for _ in range(calls):
                function()
            times[name].append((time.thread_time() - started) / calls)
    return {name: statistics.median(values) for name, values in times.items()}


def scraping(*, repeats, seconds):
    """Measure scrapes of 10,000 series, and other requests meanwhile."""
    with tempfile.TemporaryDirectory() as name:
        took = workers.scrapes(repeats, Path(name))
        meanwhile = workers.latencies(1 if seconds < 4 else 3, seconds, Path(name))
    for theirs, ours in (
        ("generate_latest", "modelmeter"),
        ("generate_latest, 4 processes", "modelmeter, 4 workers"),
    ):
        others = {theirs: took[theirs] * 1e3}
        goals = of_peer(1 / workers.RATIO, theirs, took[ours] * 1e3, others)
        what = f"scrape 10,000 series, {theirs.partition(', ')[2] or 'one process'}"
        yield Figure(what, "ms", took[ours] * 1e3, others, None, goals)
    without = meanwhile.pop("no scrape")
    own = meanwhile.pop("modelmeter")
    goals = (Goal("as without scrapes (at most 1.5 times)", own, 1.5 * without),)
    yield Figure("p99 of other requests, scraped", "ms", own, meanwhile, without, goals)


def importing(*, repeats):
    """Measure what `import modelmeter` takes, Python's own start taken off."""
    ways = {"modelmeter": "import modelmeter", "nothing": "", CLIENT: "import prometheus_client"}
    times = {name: [] for name in ways}
    for _ in range(repeats):
        for name, code in ways.items():
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([sys.executable, "-c", code], check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            times[name].append(used * 1e3)
    medians = {name: statistics.median(values) for name, values in times.items()}
    ours = medians["modelmeter"] - medians["nothing"]
    others = {CLIENT: medians[CLIENT] - medians["nothing"]}
    goals = (Goal("under 150 ms", ours, 150),)
    yield Figure("import modelmeter", "ms", ours, others, None, goals)
