"""What counting a model's inputs costs, beside prometheus_client used by hand.

Observes the same rows of 20 numbers and 5 texts, 12 bins each, with a ``Monitor`` and with a
bare prometheus_client counter: for single rows with children looked up beforehand, for frames
both so and with ``labels()`` for every cell. The repeats are interleaved, because the machine
is not equally fast at all times; medians, and the ratio of the two, are printed::

    python benchmarks/observe.py [--repeats 15] [--large 1000000]
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from bisect import bisect_right

import numpy as np
import pandas as pd
from prometheus_client import CollectorRegistry, Counter

import modelmeter as mm

BUDGETS = {"dict": 5.0, "tuple": 6.0, "frame of 1": 35.0, "frame of 1,000": 500.0}  # microseconds


def make_frame(rows):
    """Return rows of 20 numbers and 5 texts of 12 categories."""
    random = np.random.default_rng(0)
    numbers = {f"n{i:02d}": random.normal(size=rows) for i in range(20)}
    categories = np.asarray([f"category {i:02d}" for i in range(12)], dtype=object)
    texts = {f"s{i}": categories[random.integers(12, size=rows)] for i in range(5)}
    return pd.DataFrame(numbers | texts)


class ByHand:
    """The same counts with prometheus_client."""

    def __init__(self, profile):
        labels = ["feature", "bin"]
        self.counter = Counter("bin_total", "Rows.", labels, registry=CollectorRegistry())
        self.plans = [self._plan(feature) for feature in profile.features]

    def _plan(self, feature):
        bins = feature.bins
        labels = [b.label for b in bins.bins]
        children = [self.counter.labels(feature.name, label) for label in labels]
        return (
            feature.name,
            getattr(bins, "edges", None),
            getattr(bins, "table", None),
            labels,
            children,
        )

    def row(self, row):
        """Count a row given as a dict."""
        for name, edges, table, _, children in self.plans:
            value = row[name]
            children[bisect_right(edges, value) if table is None else table[value]].inc()

    def sequence(self, row):
        """Count a row given as a tuple."""
        for (_, edges, table, _, children), value in zip(self.plans, row, strict=True):
            children[bisect_right(edges, value) if table is None else table[value]].inc()

    def frame(self, frame):
        """Count a frame, cell by cell."""
        for name, edges, table, _, children in self.plans:
            for value in frame[name].tolist():
                children[bisect_right(edges, value) if table is None else table[value]].inc()

    def frame_by_labels(self, frame):
        """Count a frame as most would write it."""
        for name, edges, table, labels, _ in self.plans:
            for value in frame[name].tolist():
                place = bisect_right(edges, value) if table is None else table[value]
                self.counter.labels(name, labels[place]).inc()


def seconds_per_call(function, inputs, calls):
    """Return the mean time of a call, over different inputs."""
    given = list(itertools.islice(itertools.cycle(inputs), calls))
    start = time.thread_time()  # the machine may be busy
    for value in given:
        function(value)
    return (time.thread_time() - start) / calls


def compare(name, ways, inputs, calls, repeats):
    """Measure several ways to count the same, in turns, and print a line."""
    times = {way: [] for way in ways}
    for _ in range(repeats):
        for way, function in ways.items():
            times[way].append(seconds_per_call(function, inputs, calls) * 1e6)
    medians = {way: statistics.median(values) for way, values in times.items()}
    own = medians.pop("modelmeter")
    budget = f"{BUDGETS[name]:8,.0f}" if name in BUDGETS else " " * 8
    others = "".join(f"{value:14,.1f}  ({value / own:5.1f}x)" for value in medians.values())
    print(f"{name:18}{own:14,.1f}{budget}{others}")


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--large", type=int, default=1_000_000, help="rows of the large frame")
    arguments = parser.parse_args()
    train = make_frame(20_000)
    binning = mm.Binning(bins=12)
    profile = mm.Profile.build(None, train, name="benchmark", version="1", binning=binning)
    monitor, hand = mm.Monitor(profile), ByHand(profile)
    dicts = train.head(2_000).to_dict("records")
    tuples = [tuple(row.values()) for row in dicts]
    frames = [train.iloc[[i]] for i in range(500)]
    print("microseconds per call, median")
    print(f"{'':18}{'modelmeter':>14}{'budget':>8}{'children kept':>14}{'':10}{'labels()':>14}")
    repeats = arguments.repeats
    own = {"modelmeter": monitor.observe}
    by_frame = {**own, "children": hand.frame, "labels": hand.frame_by_labels}
    compare("dict", {**own, "children": hand.row}, dicts, 2_000, repeats * 3)
    compare("tuple", {**own, "children": hand.sequence}, tuples, 2_000, repeats * 3)
    compare("frame of 1", by_frame, frames, 200, repeats)
    compare("frame of 1,000", by_frame, [train.head(1_000)], 5, repeats)
    large = make_frame(arguments.large)
    ways = {**own, "children": hand.frame}
    compare(f"frame of {arguments.large:,}", ways, [large], 1, min(repeats, 3))


if __name__ == "__main__":
    main()
