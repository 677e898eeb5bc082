"""What counting a model's inputs costs, beside prometheus_client used by hand.

Observes the same rows of 20 numbers and 5 texts, 12 bins each, with a ``Monitor`` and with a
bare prometheus_client counter: with children looked up beforehand, and with ``labels()`` for
every cell. Beside them stands what nobody gets below: the row out of its frame, or all numbers
read once. The ways take turns, because the machine is not equally fast at all times; medians
of CPU time are printed, and their ratio to ours::

    python benchmarks/observe.py [--repeats 15] [--large 1000000]

`measured` returns the same for a program.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from prometheus_client import CollectorRegistry, Counter

import modelmeter as mm

OURS, KEPT, LABELS, LIMIT = "modelmeter", "children kept", "labels()", "limit"


class Case(NamedTuple):
    """What is observed, and in which ways.

    Parameters
    ----------
    name
        What is observed.
    ways
        Functions by who counts; `LIMIT` counts nothing.
    inputs
        Given to them in turn.
    calls
        How many make a measurement.
    cells
        How many values an input has.
    """

    name: str
    ways: dict[str, Callable[[Any], object]]
    inputs: Sequence[Any]
    calls: int
    cells: int = 25


class Figure(NamedTuple):
    """What a case costs: microseconds a call, the median of its repeats, by who counts."""

    name: str
    cells: int
    microseconds: dict[str, float]


def make_frame(rows, dtype="str"):
    """Return rows of 20 numbers and 5 texts of 12 categories; as objects, one for each."""
    random = np.random.default_rng(0)
    numbers = {f"n{i:02d}": random.normal(size=rows) for i in range(20)}
    categories = np.asarray([f"category {i:02d}" for i in range(12)], dtype=object)
    chosen = [categories[random.integers(12, size=rows)] for _ in range(5)]
    texts = {f"s{i}": pd.Series(column, dtype=dtype) for i, column in enumerate(chosen)}
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


def read_once(frame):
    """Read every number of a frame, and do nothing with it."""
    for name in frame.columns[:20]:
        frame[name].to_numpy().max()


def cases(large=1_000_000) -> Iterator[Case]:
    """Make what is measured, one after another, with as many rows in the largest frame."""
    train = make_frame(20_000)
    binning = mm.Binning(bins=12)
    profile = mm.Profile.build(None, train, name="benchmark", version="1", binning=binning)
    monitor, hand = mm.Monitor(profile), ByHand(profile)
    own = {OURS: monitor.observe}
    dicts = train.head(2_000).to_dict("records")
    yield Case("one row, a dict", {**own, KEPT: hand.row}, dicts, 2_000)
    tuples = [tuple(row.values()) for row in dicts]
    yield Case("one row, a tuple", {**own, KEPT: hand.sequence}, tuples, 2_000)
    by_frame = {**own, KEPT: hand.frame, LABELS: hand.frame_by_labels}
    reading = {LIMIT: lambda frame: frame.iloc[0].tolist()}
    frames = [train.iloc[[i]] for i in range(500)]
    yield Case("one row, a frame", {**by_frame, **reading}, frames, 200)
    frames = [train[start : start + 1_000].copy() for start in range(0, 20_000, 1_000)]
    reading = {LIMIT: read_once}
    yield Case("1,000 rows", {**by_frame, **reading}, frames, 20, 25_000)
    many = make_frame(large)
    name = f"{large:,} rows"
    yield Case(name, {**own, KEPT: hand.frame, **reading}, [many], 1, 25 * large)
    objects = make_frame(large, object)
    yield Case(f"{name}, texts as objects", own, [objects], 1, 25 * large)
    del objects
    yield Case(f"{name}, polars", own, [pl.from_pandas(many)], 1, 25 * large)
    yield Case(f"{name}, Arrow", own, [pa.Table.from_pandas(many)], 1, 25 * large)


def seconds_per_call(function, inputs, calls):
    """Return the mean time of a call, over different inputs."""
    given = list(itertools.islice(itertools.cycle(inputs), calls))
    start = time.thread_time()  # the machine may be busy
    for value in given:
        function(value)
    return (time.thread_time() - start) / calls


def measure(case, repeats) -> Figure:
    """Measure the ways of a case in turns."""
    times: dict[str, list[float]] = {way: [] for way in case.ways}
    for _ in range(repeats):
        for way, function in case.ways.items():
            times[way].append(seconds_per_call(function, case.inputs, case.calls) * 1e6)
    medians = {way: statistics.median(values) for way, values in times.items()}
    return Figure(case.name, case.cells, medians)


def measured(repeats=15, large=1_000_000) -> Iterator[Figure]:
    """Yield the figures of every case, large frames in fewer repeats."""
    for case in cases(large):
        yield measure(case, repeats if case.cells <= 25_000 else min(repeats, 3))


def line_of(figure):
    """Return a figure as a line of a Markdown table."""
    found = dict(figure.microseconds)
    own = found.pop(OURS)
    others = (
        f"{found[way]:,.1f} us ({found[way] / own:.1f}x)" if way in found else "-"
        for way in (KEPT, LABELS, LIMIT)
    )
    cells = f"{own / figure.cells * 1e3:.1f} ns"
    return " | ".join(["", figure.name, f"{own:,.1f} us", cells, *others, ""]).strip()


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--large", type=int, default=1_000_000, help="rows of the large frame")
    options = parser.parse_args()
    print("| observed | modelmeter | a cell | children kept | `labels()` | limit |")
    print("|---|---|---|---|---|---|")
    for figure in measured(options.repeats, options.large):
        print(line_of(figure), flush=True)


if __name__ == "__main__":
    main()
