"""Several real workers under load: every count is what was sent, whoever is killed."""

import os
import random
import re
import signal
import sys
from pathlib import Path

import httpx2
import numpy as np
import pandas as pd
import pytest

import modelmeter as mm
from real.web import free_port, samples, until
from serving.workers import ROWS, answers, by_feature, load, running_in, service, total

REQUESTS = 600


@pytest.fixture(scope="module")
def small():
    """A profile of two features, of a model without a library."""
    random = np.random.default_rng(3)
    X = pd.DataFrame(
        {
            "hour": random.integers(5, 23, 500).astype(float),
            "origin": random.choice(["JFK", "LGA", "EWR"], 500),
        }
    )
    late = np.where(X["hour"] > 12, "late", "punctual")
    return mm.Profile.build(
        lambda X: np.where(X["hour"] > 12, "late", "punctual"), X, late, name="m", version="1"
    )


@pytest.fixture
def folder(tmp_path, small):
    """A folder with the profile."""
    small.save(tmp_path / "profile.json")
    return tmp_path


def check_exactly(text, requests, *, mixed):
    """Every count equals what was sent; that of each kind of row only if they are mixed so."""
    assert total(text, "http_requests_total", "POST", "/predict", "200") == requests
    assert total(text, "http_requests_total", "POST") == requests
    assert total(text, "http_request_duration_seconds_count", "POST") == requests
    assert total(text, "model_predictions_total") == requests
    assert by_feature(text) == {"hour": requests, "origin": requests, "prediction": requests}
    assert total(text, "modelmeter_failures_total") == 0
    assert total(text, "modelmeter_dropped_total") == 0
    if not mixed:  # a connection was closed before its request, and another came first
        return
    each = requests // len(ROWS)
    assert total(text, "model_feature_bin_total", "origin", "JFK") == 2 * each
    assert total(text, "model_feature_bin_total", "origin", "unseen") == each
    assert total(text, "model_feature_bin_total", "hour", "missing") == each
    assert total(text, "model_feature_bin_total", "hour", "above") == each
    assert total(text, "model_feature_bin_total", "prediction", "late") == 3 * each


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("uvicorn", ()),
        ("gunicorn", ("--max-requests", "150", "--max-requests-jitter", "30")),
        ("gunicorn", ("--preload",)),
    ],
    ids=["uvicorn", "gunicorn-recycled", "gunicorn-preload"],
)
def test_every_count_is_what_was_sent(folder, kind, options):
    """Under load by wrk, any worker's answer is the exact sum over all, those that ended too."""
    with service(folder, kind, *options) as running:
        with load(running, REQUESTS) as output:
            for answered in answers(output):
                running.scrape()
                if sum(answered.values()) == REQUESTS:
                    break
        assert answered == {200: REQUESTS}
        texts = until(lambda: _settled(running))
        for text in texts:
            check_exactly(text, REQUESTS, mixed="--max-requests" not in options)
        _label(running, 40)
        files = {path.suffix for path in running.directory.iterdir()}
        assert files <= {".counts", ".series", ".json", ".lock"}
        # Two workers' at most, one that is being replaced, and the master's.
        assert len(list(running.directory.glob("*.counts"))) <= 4


def _settled(running):
    """Return some scrapes once the last response is counted: its bytes leave before that."""
    texts = [running.scrape() for _ in range(5)]
    done = {total(text, "http_requests_total", "POST") for text in texts}
    return texts if done == {REQUESTS} else None


def _label(running, number):
    """Labels are counted exactly, twice sent or not, whoever takes them."""
    base = f"http://127.0.0.1:{running.port}"
    # wrk makes one request only to try the script, and throws it away.
    items = [{"prediction_id": f"wrk-{i}", "y_true": "late"} for i in range(2, number + 2)]

    def counted():
        try:
            assert httpx2.post(f"{base}/feedback", json=items, timeout=60).status_code == 200
        except httpx2.TransportError:  # its worker was just ending: sent again below
            return False
        found = total(running.scrape(), "model_labels_total", "counted")
        assert found <= number
        return found == number

    until(counted)  # some predictions are in the other worker's queue still
    assert counted()


@pytest.mark.parametrize(
    ("kind", "options"),
    [("uvicorn", ()), ("gunicorn", ("--preload",))],
    ids=["uvicorn", "gunicorn-preload"],
)
def test_kill_9_of_workers_under_load(folder, kind, options):
    """Of predictions that were answered at most one is missing for each worker killed."""
    (folder / "users").mkdir()
    kills, chosen = 0, random.Random(4)
    with service(folder, kind, *options, PROMETHEUS_MULTIPROC_DIR="users") as running:
        known = until(lambda: _two(running))
        with load(running, 2 * REQUESTS) as output:
            for answered in answers(output):
                done = sum(answered.values())
                if done == 2 * REQUESTS:
                    break
                if kills < 3 and done > 200 * (kills + 1):
                    victim = chosen.choice(sorted(_alive(known)))
                    os.kill(victim, signal.SIGKILL)
                    kills += 1
                    known |= until(lambda: _two(running))
        assert kills == 3
        assert answered == {200: 2 * REQUESTS}
        living = until(lambda: _two(running))
        until(lambda: len(_numbers(running) - living) <= 1)  # gunicorn's master has one too
        text = running.scrape()
        # Answered predictions are counted; so are those whose answer was cut off by a kill.
        predicted = total(text, "model_predictions_total", "ok")
        assert 2 * REQUESTS <= predicted <= 2 * REQUESTS + 8 * kills
        for rows in by_feature(text).values():
            assert abs(rows - predicted) <= kills  # the row that was just being counted
        counted = total(text, "http_requests_total", "POST", "200")
        assert 2 * REQUESTS - kills <= counted <= predicted + kills
        assert total(text, "http_requests_in_progress") == 0
        _check_the_users(running, text, predicted, kills, living)


def _check_the_users(running, text, predicted, kills, living):
    """What the user counts with prometheus_client is there, as it is without us."""
    assert abs(total(text, "asked_total") - predicted) <= kills
    assert samples(text, "most") == {(): 99}
    assert samples(text, "of_the_user") == {(): 7}
    assert samples(text, "build_info") == {("abc",): 1}
    # Live gauges of the dead are gone, whoever died.
    living = living | {running.process.pid}  # gunicorn's master has loaded the app as well
    until(lambda: {int(path.stem.rpartition("_")[2]) for path in _gauges(running)} <= living)
    assert samples(running.scrape(), "alive")[()] <= len(living)
    workers = {key[0] for key in samples(text, "process_resident_memory_bytes")}
    assert workers == {"0", "1"}


def _gauges(running):
    return (running.folder / "users").glob("gauge_livesum_*.db")


def _two(running):
    """Return the process numbers of the workers, once there are two."""
    try:
        found = running.workers()
    except OSError:
        return None
    return found if len(found) == 2 else None


def _alive(pids):
    """Return those of the processes that live."""
    found = set()
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123
                if file.read().rpartition(b")")[2].split()[0] != b"Z":
                    found.add(pid)
        except FileNotFoundError:
            pass
    return found


def _numbers(running):
    """Return the process numbers in the names of files, after a scrape."""
    running.scrape()
    return {int(path.name.partition("-")[0]) for path in running.directory.glob("*.counts")}


DOCUMENT = Path(__file__).parents[2] / "docs" / "workers.md"
COMMANDS = [
    line
    for block in re.findall(r"```sh\n(.*?)```", DOCUMENT.read_text(), flags=re.DOTALL)
    for line in block.splitlines()
]


@pytest.mark.parametrize("command", COMMANDS, ids=range(len(COMMANDS)))
def test_documented_commands_run(folder, command):
    """Every command of docs/workers.md runs the application written there, with two workers."""
    app = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), flags=re.DOTALL)[1]
    (folder / "served.py").write_text(app)
    setting, program, *options = command.split()
    port = free_port()
    where = ["--bind", f"127.0.0.1:{port}"] if program == "gunicorn" else ["--port", str(port)]
    name, value = setting.split("=")
    with running_in(
        folder, [sys.executable, "-m", program, *options, *where], port, {name: value}
    ) as running:
        until(lambda: len(samples(running.scrape(), "process_start_time_seconds")) == 2)
        assert httpx2.post(f"http://127.0.0.1:{port}/predict", json=ROWS[0]).status_code == 200
        assert total(running.scrape(), "model_predictions_total", "ok") == 1


@pytest.mark.parametrize("on_restart", ["keep", "reset"])
def test_a_service_restarted_counts_on_or_starts_at_zero(folder, on_restart):
    """All workers restarted in their directory go on from, or forget, what was counted."""
    environment = {"MODELMETER_ON_RESTART": on_restart}
    created = []
    (folder / "counts").mkdir()
    (folder / "counts" / "of yours.counts").touch()
    for run in (1, 2):
        with service(folder, "uvicorn", **environment) as running:
            with load(running, 20) as output:
                answered = next(answers(output))
            assert answered == {200: 20}
            want = 20 * run if on_restart == "keep" else 20
            text = until(lambda want=want, running=running: _predicted(running, want))
            # A file that is not ours is left alone, said to be so, and counted.
            until(lambda r=running: total(r.scrape(), "modelmeter_failures_total", "counts") >= 1)
            assert "of yours.counts is left alone" in (folder / "log.txt").read_text()
            created.append(total(_openmetrics(running), "model_predictions_created", "ok"))
            assert by_feature(text) == {"hour": want, "origin": want, "prediction": want}
    assert (created[0] == created[1]) == (on_restart == "keep")
    assert created[0] <= created[1]


def _predicted(running, want):
    text = running.scrape()
    found = total(text, "model_predictions_total", "ok")
    assert found <= want
    return text if found == want else None


def _openmetrics(running):
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    text = httpx2.get(f"http://127.0.0.1:{running.port}/metrics", headers=accept).text
    lines = [line for line in text.splitlines() if line.startswith("model_predictions_created{")]
    return "\n".join(lines) + "\n"
