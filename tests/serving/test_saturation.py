"""How full a process is, and each worker's figures apart from those of the others."""

import asyncio
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import anyio.to_thread
import pytest

from modelmeter import names
from modelmeter.live.counts import Counts
from modelmeter.live.exposition import render
from modelmeter.serving.failures import Failures
from modelmeter.serving.saturation import Saturation
from real.web import free_port, get, samples, until

INTERVAL = 0.01


def measured(counts, metric):
    """Return the values of a metric by worker."""
    return samples(render([counts]), metric.name)


def saturation(counts):
    """Return a measurement that looks a hundred times a second."""
    return Saturation(counts, Failures(counts), interval=INTERVAL)


async def eventually(condition):
    """Wait, without holding up the loop, until the condition holds."""
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(INTERVAL)


def test_lag_is_what_the_loop_waited():
    """A function that holds up the event loop shows as lag, for the length of the window."""
    counts = Counts()
    measuring = saturation(counts)

    async def main():
        measuring.start()
        await asyncio.sleep(2 * INTERVAL)
        assert measured(counts, names.EVENT_LOOP_LAG)[()] < 0.15
        time.sleep(0.2)  # what must not be done
        await eventually(lambda: measured(counts, names.EVENT_LOOP_LAG)[()] >= 0.15)
        measuring.stop()

    asyncio.run(main(), debug=False)


def test_counts_come_to_their_file_though_nobody_scrapes(tmp_path):
    """A worker brings to its file what is not there by itself, not only when it is scraped."""
    counts = Counts(tmp_path)
    block = counts.block(names.FAILURES, [("a",)])
    block.cells[0] = 3
    for path in tmp_path.glob("*.counts"):
        path.unlink()
    measuring = saturation(counts)

    async def main():
        measuring.start()
        await eventually(lambda: list(tmp_path.glob("*.counts")))
        measuring.stop()

    asyncio.run(main(), debug=False)
    assert samples(render([Counts(tmp_path)]), names.FAILURES.name)["a",] == 3


def test_busy_threads():
    """Worker threads in use are a share of all that synchronous routes may have."""
    counts = Counts()
    measuring = saturation(counts)
    release = threading.Event()

    async def main():
        measuring.start()
        assert measured(counts, names.THREADPOOL_BUSY) == {(): 0}
        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(anyio.to_thread.run_sync, release.wait)
            await eventually(lambda: measured(counts, names.THREADPOOL_BUSY)[()] > 0)
            assert measured(counts, names.THREADPOOL_BUSY)[()] <= 10 / 40
            release.set()
        measuring.stop()

    asyncio.run(main())


def test_process_figures_are_the_operating_systems():
    """CPU, memory, files and threads are what the operating system says of the process."""
    counts = Counts()
    asyncio.run(_start(saturation(counts)))
    status = Path("/proc/self/status").read_text()
    resident, threads = (
        int(line.split()[1])
        for line in status.splitlines()
        if line.startswith(("VmRSS:", "Threads:"))
    )
    times, files = os.times(), len(list(Path("/proc/self/fd").iterdir()))
    assert measured(counts, names.PROCESS_CPU)[()] == pytest.approx(
        times.user + times.system, abs=0.5
    )
    assert measured(counts, names.PROCESS_RESIDENT)[()] == pytest.approx(1024 * resident, 0.2)
    assert measured(counts, names.PROCESS_OPEN_FDS)[()] == pytest.approx(files, abs=5)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert measured(counts, names.PROCESS_MAX_FDS)[()] == limit
    assert measured(counts, names.PROCESS_THREADS)[()] == threads
    assert 0 < measured(counts, names.PROCESS_START)[()] < time.time()
    assert measured(counts, names.PROCESS_VIRTUAL)[()] > 0


async def _start(measuring):
    measuring.start()
    await asyncio.sleep(0)


def test_figures_are_renewed():
    """The figures of the process follow it while the loop runs."""
    counts = Counts()
    measuring = saturation(counts)

    async def main():
        measuring.start()
        before = measured(counts, names.PROCESS_THREADS)[()]
        release = threading.Event()
        threads = [threading.Thread(target=release.wait) for _ in range(3)]
        for thread in threads:
            thread.start()
        await eventually(lambda: measured(counts, names.PROCESS_THREADS)[()] == before + 3)
        release.set()
        for thread in threads:
            thread.join()

    asyncio.run(main())


def test_it_stops():
    """After stop no further look is taken."""
    counts = Counts()
    measuring = saturation(counts)
    looks = []

    async def main():
        measuring.start()
        measuring.stop()
        measuring._measure_process = lambda: looks.append(1)
        await asyncio.sleep(10 * INTERVAL)

    asyncio.run(main())
    assert looks == []


def test_started_again_it_looks_once():
    """Starting anew, in the same or another loop, does not double the looks."""
    counts = Counts()
    measuring = saturation(counts)
    looks = []

    async def main():
        look = measuring._look

        def count(loop, chain, *rest):
            looks.append(chain)
            look(loop, chain, *rest)

        measuring._look = count
        measuring.start()
        measuring.start()
        await asyncio.sleep(10 * INTERVAL)
        measuring._look = look

    asyncio.run(main(), debug=True)
    asyncio.run(main(), debug=True)
    assert looks.count(1) <= 2
    assert looks.count(3) <= 2
    assert looks.count(4) > 2


def test_a_failing_look_is_counted_and_the_next_comes(monkeypatch):
    """When a figure cannot be read, that is counted, and measuring goes on."""
    counts = Counts()
    measuring = saturation(counts)

    async def main():
        measuring.start()
        failing = measuring._measure_process

        def fail():
            measuring._measure_process = failing
            raise OSError("no /proc")

        measuring._measure_process = fail
        await eventually(lambda: measured(counts, names.FAILURES).get(("saturation",)) == 1)
        lag = len(measuring._lags)
        await eventually(lambda: len(measuring._lags) > lag)

    asyncio.run(main())


def test_outside_of_asyncio_the_process_is_measured_once():
    """Without an asyncio loop there is no lag, but there are the figures of the process."""
    counts = Counts()
    saturation(counts).start()
    assert measured(counts, names.EVENT_LOOP_LAG) == {}
    assert measured(counts, names.PROCESS_THREADS)[()] >= 1


def test_workers_have_numbers_of_their_own(tmp_path):
    """Living workers have different numbers, and a dead one's is taken by the next."""
    first, second = Counts(tmp_path), Counts(tmp_path)
    for counts in (first, second):
        asyncio.run(_start(saturation(counts)))
    # The first measurement is gone with its number here, as a dead worker's is.
    held = [saturation(first), saturation(second)]
    for measuring in held:
        asyncio.run(_start(measuring))
    assert {measuring._worker for measuring in held} == {"0", "1"}
    del held[0], measuring
    successor = saturation(Counts(tmp_path))
    asyncio.run(_start(successor))
    assert successor._worker == "0"


APP = """
import os
from fastapi import FastAPI
from modelmeter.live.counts import Counts
from modelmeter.serving.routes import instrument

app = FastAPI()
instrument(app, [Counts(os.environ["COUNTS"])])

@app.get("/pid")
def pid():
    return os.getpid()
"""


def test_two_real_workers(tmp_path):
    """Whichever worker answers, a scrape has each worker's figures, and counters only grow."""
    (tmp_path / "twoworkers.py").write_text(APP)
    port = free_port()
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "uvicorn", "twoworkers:app"),
            *("--workers", "2", "--port", str(port), "--log-level", "warning"),
        ],
        cwd=tmp_path,
        env=os.environ | {"COUNTS": str(tmp_path / "counts")},
        start_new_session=True,
    )
    try:
        text = until(lambda: _scrape(port, workers=2))
        assert {labels[0] for labels in samples(text, "process_cpu_seconds_total")} == {"0", "1"}
        started = samples(text, "process_start_time_seconds")
        last, pids, asked = {}, set(), 0
        for _ in range(60):
            pids.add(int(get(port, "/pid").body))
            asked += 1
            text = _scrape(port)
            now = samples(text, "process_cpu_seconds_total")
            assert set(now) == {("0",), ("1",)}
            assert all(now[worker] >= last.get(worker, 0) for worker in now)
            last = now
            assert samples(text, "http_requests_total")["GET", "/pid", "200"] == asked
            assert samples(text, "process_start_time_seconds") == started
        assert len(pids) == 2
        _the_dead_leave(port, pids, started, asked)
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _the_dead_leave(port, pids, started, asked):
    os.kill(pids.pop(), signal.SIGKILL)
    # uvicorn starts another worker, which takes over the number.
    text = until(lambda: _scrape(port, workers=2, instead_of=started))
    assert set(samples(text, "process_resident_memory_bytes")) == {("0",), ("1",)}
    assert samples(text, "http_requests_total")["GET", "/pid", "200"] == asked


def _scrape(port, workers=0, instead_of=None):
    """Return a scrape, or None while it is not what is waited for."""
    try:
        text = get(port, "/metrics").body.decode()
    except OSError:
        return None
    found = samples(text, "process_start_time_seconds")
    return text if len(found) >= workers and found != instead_of else None


def test_no_registry_of_proc_is_no_failure(monkeypatch):
    """Where there is no /proc, threads are counted by Python and the rest is left out."""
    read = Path.read_bytes

    def missing(path):
        if str(path) == "/proc/self/stat":
            raise FileNotFoundError(path)
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", missing)
    counts = Counts()
    saturation(counts).start()
    assert measured(counts, names.PROCESS_THREADS)[()] == threading.active_count()
