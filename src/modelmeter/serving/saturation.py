"""How full the process is: event loop, worker threads, CPU, memory, files, threads.

Every worker measures itself twice a second and writes the figures beside its counts, so
whichever worker answers a scrape gives those of all. Each has series of its own, by the
label ``worker``: one series that showed another process at each scrape would jump, and a
counter such as ``process_cpu_seconds_total`` would seem to restart all the time. The label
is a small number that a dead worker leaves to its successor, so that workers which come and
go do not leave ever more series behind; it is empty in a service of one process.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import threading
import weakref
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from prometheus_client import ProcessCollector

from modelmeter import names
from modelmeter.live.counts import Block, Counts, settle_all
from modelmeter.names import Metric
from modelmeter.serving.failures import Failures

INTERVAL: Final = 0.5
"""Seconds between two looks at the event loop."""

WINDOW: Final = 15.0
"""Seconds that a figure is about: no longer than between two scrapes, mostly."""

_PROCESS_EVERY: Final = 4  # looks; reading /proc takes ten times as long as the rest
_PROCESS: Final = (
    names.PROCESS_CPU,
    names.PROCESS_START,
    names.PROCESS_RESIDENT,
    names.PROCESS_VIRTUAL,
    names.PROCESS_OPEN_FDS,
    names.PROCESS_MAX_FDS,
    names.PROCESS_THREADS,
)


class Saturation:
    """Measures the process that runs the event loop in which it is started.

    Parameters
    ----------
    counts
        Where to write the figures.
    failures
        Where to count failures of measuring.
    interval
        Seconds between two looks.
    """

    def __init__(self, counts: Counts, failures: Failures, *, interval: float = INTERVAL) -> None:
        self._counts = counts
        self._failures = failures
        failures.expect("saturation")
        self._interval = interval
        self._chain = 0  # only the looks of the last start go on
        self._blocks: dict[str, Block] = {}
        self._pid = 0
        self._worker = ""

    def start(self) -> None:
        """Measure from now on until ``stop``, or until the event loop ends."""
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._blocks.clear()
            if self._counts.directory is not None:
                self._worker = self._take_number(self._counts.directory)
        self._chain += 1
        self._measure_process()
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # under trio
            return
        self._lags: deque[float] = deque([0.0], maxlen=round(WINDOW / self._interval))
        self._shares: deque[float] = deque(maxlen=self._lags.maxlen)
        # Found here, where a task is running: a callback of the loop has no current task,
        # and anyio would not know which loop it is in.
        self._look(loop, self._chain, 0, loop.time(), _thread_limiter())

    def stop(self) -> None:
        """Stop measuring."""
        self._chain += 1

    def _look(
        self, loop: asyncio.AbstractEventLoop, chain: int, number: int, due: float, limiter: Any
    ) -> None:
        """Take one look and plan the next."""
        if chain != self._chain:
            return
        try:
            self._lags.append(max(0.0, loop.time() - due))
            self._write(names.EVENT_LOOP_LAG, max(self._lags))
            if limiter is not None:
                share = limiter.borrowed_tokens / limiter.total_tokens
                self._shares.append(share)
                self._write(names.THREADPOOL_BUSY, sum(self._shares) / len(self._shares))
            if number % _PROCESS_EVERY == 0 and number:
                self._measure_process()
                settle_all()  # the next scrape that needs it may be another worker's
        except Exception as error:  # noqa: BLE001 - monitoring never breaks the event loop
            self._failures.count("saturation", error)
        # A handle, not a task: nothing is pending when the loop closes.
        due = loop.time() + self._interval
        loop.call_at(due, self._look, loop, chain, number + 1, due, limiter)

    def _measure_process(self) -> None:
        found = dict(_process_figures())
        for metric in _PROCESS:
            if metric.name in found:
                self._write(metric, found[metric.name])

    def _write(self, metric: Metric, value: float) -> None:
        block = self._blocks.get(metric.name)
        if block is None:
            block = self._counts.block(metric, [(self._worker,)])
            self._blocks[metric.name] = block
        with self._counts.lock:
            block.cells[0] = value

    def _take_number(self, directory: Path) -> str:
        """Return the smallest number that no living worker of the service has."""
        import fcntl

        for number in itertools.count():
            lock = os.open(directory / f"worker-{number}.lock", os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(lock)
            else:
                weakref.finalize(self, os.close, lock)
                return str(number)
        raise AssertionError("there is always another number")


def _thread_limiter() -> Any:
    """Return what limits the threads of synchronous routes; None where there is no anyio."""
    try:
        from anyio.to_thread import current_default_thread_limiter
    except ImportError:
        return None
    return current_default_thread_limiter()


def _process_figures() -> Iterator[tuple[str, float]]:
    """Yield what the operating system says of this process; less where it has no /proc."""
    for family in ProcessCollector(registry=None).collect():
        for sample in family.samples:
            yield sample.name, sample.value
    try:
        # The name of the program, in brackets, may hold anything.
        fields = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()
        yield names.PROCESS_THREADS.name, float(fields[17])
    except OSError:
        yield names.PROCESS_THREADS.name, float(threading.active_count())
