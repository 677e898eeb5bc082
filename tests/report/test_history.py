"""A process's own memory of its last minutes, hours and day."""

from __future__ import annotations

import threading

import numpy as np

from modelmeter import names
from modelmeter.live.merge import Family
from modelmeter.report.history import KEPT, TICK_SECONDS, History
from real.server import wait_for
from report.example import family


class Process:
    """Counters that rise by one a second, a histogram, a gauge; and a clock to turn."""

    def __init__(self):
        self.now = 1_000_000.0
        self.start = self.now
        self.more = False

    def clock(self):
        return self.now

    def read(self):
        n = self.now - self.start
        rows = {("m", "1", "ok"): n, ("m", "1", "error"): 0.0}
        if self.more:
            rows = {("m", "2", "ok"): 5.0, **rows}
        buckets = np.zeros((1, len(names.PREDICTION_SECONDS.buckets) + 2))
        buckets[0, 0], buckets[0, -1] = n, n / 1000
        return [
            family(names.PREDICTIONS, rows),
            Family(names.PREDICTION_SECONDS, (("m", "1"),), buckets),
            family(names.HTTP_IN_PROGRESS, {(): n}),
        ]

    def run(self, history, seconds):
        for _ in range(int(seconds // TICK_SECONDS)):
            self.now += TICK_SECONDS
            history.tick()


def rows(window, row=("m", "1", "ok"), metric=names.PREDICTIONS):
    found = next(f for f in window.families if f.metric is metric)
    return found.values[found.rows.index(row)]


def test_windows_are_differences():
    """Each window holds what was counted in it, to within the distance of two copies."""
    process = Process()
    history = History(process.read, clock=process.clock)
    process.run(history, 2 * 86_400)
    for seconds, within in ((300, 30), (3_600, 300), (86_400, 3_600)):
        window = history.window(seconds)
        assert abs(rows(window) - seconds) <= within
        assert window.until - window.since == rows(window)
        assert rows(window, ("m", "1", "error")) == 0
        buckets = rows(window, ("m", "1"), names.PREDICTION_SECONDS)
        assert buckets[0] == rows(window)
        assert abs(buckets[-1] - rows(window) / 1000) < 1e-9
    assert history.window(300).text == "last 5 min"


def test_since_start_is_everything_and_gauges_are_as_they_are():
    """The whole life is not a difference, and a gauge never is."""
    process = Process()
    history = History(process.read, clock=process.clock)
    process.run(history, 7_200)
    window = history.window()
    assert (rows(window), window.since, window.text) == (7_200, process.start, "since start")
    assert rows(history.window(300), (), names.HTTP_IN_PROGRESS) == 7_200


def test_a_young_process_has_what_it_has():
    """A window longer than the process's life is its life."""
    process = Process()
    history = History(process.read, clock=process.clock)
    process.now += 40
    window = history.window(3_600)
    assert (rows(window), window.text) == (40, "since start")


def test_copies_are_few_however_long_it_runs():
    """Memory does not grow with time."""
    process = Process()
    history = History(process.read, clock=process.clock)
    most = sum(age / step for age, step in KEPT) + len(KEPT)
    for _ in range(4):
        process.run(history, 40_000)
        assert history.copies <= most


def test_series_that_came_later_count_from_zero():
    """A series without an earlier value, wherever it stands, is counted as a whole."""
    process = Process()
    history = History(process.read, clock=process.clock)
    process.run(history, 7_200)
    process.more = True
    process.run(history, 30)
    window = history.window(300)
    assert rows(window, ("m", "2", "ok")) == 5
    assert abs(rows(window) - 300) <= 30


def test_a_counter_that_fell_has_started_anew():
    """After a fall, what was counted since is what there is now."""
    process = Process()
    history = History(process.read, clock=process.clock)
    process.run(history, 7_200)
    process.start = process.now - 10
    assert rows(history.window(3_600)) == 10


def test_copies_are_made_on_a_thread(monkeypatch):
    """Between start and stop counters are read without anybody asking, and not after."""
    monkeypatch.setattr("modelmeter.report.history.TICK_SECONDS", 0.01)
    threads = threading.active_count()
    reads = []
    history = History(lambda: reads.append(1) or [])
    history.start()
    history.start()
    wait_for(lambda: len(reads) > 2, seconds=30, what="copies")
    history.stop()
    assert threading.active_count() == threads


def test_counts_that_are_older_than_the_process_say_so():
    """Counts kept over a restart began earlier; a window reaches back to the process's first."""
    process = Process()

    def read():
        kept = process.read()
        kept[0] = kept[0]._replace(values=kept[0].values + 500, created=np.full(2, 5_000.0))
        return kept

    history = History(read, clock=process.clock)
    process.run(history, 60)
    whole, hour = history.window(), history.window(3_600)
    assert (rows(whole), whole.since) == (560, 5_000.0)
    assert rows(hour) == hour.until - hour.since == 30
    assert hour.text == "last 30 s"
