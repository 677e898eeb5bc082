"""False alarms and time to detection, beside Evidently's and NannyML's defaults.

Simulates a model of 25 features: without drift (rows alike at all hours; and a stream whose
traffic and values follow the hour, the weekend and the day), and with a change. Ours sees
counts per minute as the recording rules do and is evaluated every minute; a change alarms
when it has held for ten. Evidently and NannyML are asked about raw rows of the same
processes, by the hour and by the day, in environments of their own, made at the first run::

    python benchmarks/alarms.py [--quick] [--looks] [--output benchmarks/results/alarms.md]

``--quick`` takes about a minute: fewer months, fewer repeats, fewer windows. ``--looks``
measures how often a window says something new, the constant behind the thresholds, and
whether the thresholds on z keep the budget by themselves.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections import Counter
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from peers.driftpeers import flagged, pythons
from peers.looks import looks
from peers.ownalarms import LONG, QUICK, WARM_UP, chance, firing, limits, states
from peers.streams import (
    DAY,
    NO_CHANGE,
    TRAINING_ROWS,
    Change,
    Cycle,
    Feature,
    make_features,
    traffic,
)
from peers.tables import Table

RESULTS = Path(__file__).parent / "results" / "alarms.md"
MODELS = 900
"""Seed of the first model. What the rule was made on (its constants `DAYS` and `SUDDEN`, and how
natural variation is measured) were models 0 to 307 of the same generator."""
RATES = (100, 1_000, 10_000)
MONTH = 30 * DAY
LENGTHS = {QUICK: "hourly", LONG: "daily"}
FRIDAY = 4 * DAY
HORIZON = 7 * DAY
GENTLE = Cycle(hour=0.3, phase=0.2, weekend=0.1, day=0.05)


@dataclass(frozen=True)
class Size:
    """How much is simulated."""

    months: int
    days: int
    repeats: int
    hourly: int
    daily: int
    rates: tuple = RATES
    columns: int = 5


FULL = Size(months=8, days=30, repeats=25, hourly=8, daily=4)
QUICK_SIZE = Size(months=1, days=10, repeats=3, hourly=2, daily=0, rates=(1_000,), columns=1)


@dataclass(frozen=True)
class Fault:
    """A change, and the feature that it happens to."""

    title: str
    change: Change
    categories: int = 0
    missing: float = 0.0

    def feature(self, cycle, seed):
        """Return a feature before the change."""
        return Feature(
            self.title, categories=self.categories, missing=self.missing, cycle=cycle, seed=seed
        )


FAULTS = (
    Fault("mean +0.1 sd", Change(shift=0.1)),
    Fault("mean +0.25 sd", Change(shift=0.25)),
    Fault("mean +0.5 sd", Change(shift=0.5)),
    Fault("unit error x10", Change(scale=10.0)),
    Fault("missing +5 points", Change(missing=0.05), missing=0.02),
    Fault("new category 5 %", Change(unseen=0.05), categories=8),
)


def false_alarms(rate, *, cyclic, size, known=True):
    """Return alarms per month and model, of ours, by window."""
    found, months = {QUICK: 0, LONG: 0}, size.months * size.days / 30
    minutes = np.arange(-WARM_UP, size.days * DAY)
    busy = traffic(minutes, cyclic=cyclic) * rate / 60
    for model in range(size.months):
        features = make_features(cyclic=cyclic, seed=MODELS + model, known=known)
        thresholds = limits(features)
        for feature in features:
            counts = feature.counts(minutes, busy)
            for (_, window), state in states(feature, counts, thresholds).items():
                found[window] += len(firing(state))
    return {window: number / months for window, number in found.items()}


def detection(fault, rate, *, cycle, size):
    """Return how long ours takes, in minutes: the median; infinite where it is not seen."""
    thresholds = limits(make_features(cyclic=False, seed=0))
    taken = []
    for seed in range(size.repeats):
        feature = fault.feature(cycle, 1_000 + seed)
        start = int(feature.random.integers(7 * DAY))
        minutes = np.arange(start - WARM_UP, start + HORIZON)
        busy = traffic(minutes, cyclic=cycle != Cycle()) * rate / 60
        counts = feature.counts(minutes, busy, fault.change, WARM_UP)
        fires = [firing(state) for state in states(feature, counts, thresholds).values()]
        # A state that was already on fires from the start; there is no drift before it.
        taken.append(min((times[0] for times in fires if len(times)), default=np.inf))
    return float(np.median(taken))


def frames(features, rate, starts, length, *, cyclic, change=None):
    """Return training rows, and raw rows of windows, as data frames."""
    training = pd.DataFrame({f.name: f.training for f in features})
    windows = []
    for start in starts:
        minutes = np.arange(start, start + length)
        random = np.random.default_rng(start)
        rows = random.poisson(traffic(minutes, cyclic=cyclic) * rate / 60)
        drawn = np.repeat(minutes, rows)
        columns = {f.name: f.draw(drawn, change[f.name] if change else NO_CHANGE) for f in features}
        windows.append(pd.DataFrame(columns).assign(when=drawn))
    return training.assign(when=np.arange(len(training))), windows


def peer_false_alarms(name, python, rate, *, cyclic, window, number):
    """Return alarms per month of a peer, each beginning counted once, and its answer."""
    features = make_features(cyclic=cyclic, seed=MODELS)
    # Over the turn of a Friday, so that a weekend is in it.
    starts = FRIDAY + DAY // 2 + window * np.arange(number)
    flags, about = flagged(name, python, *frames(features, rate, starts, window, cyclic=cyclic))
    begun, before = 0, set()
    for now in flags:
        columns = {flag.partition(":")[0] for flag in now}
        begun += len(columns - before)
        before = columns
    return begun * MONTH / (window * number), about


def peer_detection(name, python, rate, *, window, number, size):
    """Return how many minutes a peer takes for every fault: the median over columns."""
    faults = [(fault, i) for fault in FAULTS for i in range(size.columns)]
    features, change = [], {}
    for fault, i in faults:
        feature = fault.feature(Cycle(), 2_000 + i)
        feature.name = f"{fault.title} {i}"
        change[feature.name] = fault.change
        features.append(feature)
    starts = window * np.arange(number)
    flags, _ = flagged(
        name, python, *frames(features, rate, starts, window, cyclic=False, change=change)
    )
    first = {feature.name: np.inf for feature in features}
    for i, now in reversed(list(enumerate(flags))):
        first |= {flag.partition(":")[0]: (i + 1) * window for flag in now}
    return [
        float(np.median([first[f"{fault.title} {i}"] for i in range(size.columns)]))
        for fault in FAULTS
    ]


def peer_windows(rate, size):
    """Return the windows that peers are asked about: length in minutes, how many."""
    # A day of 10,000 rows an hour takes them minutes each.
    daily = size.daily if rate < 10_000 else min(size.daily, 2)
    return [(QUICK, size.hourly)] + ([(LONG, daily)] if daily else [])


def alarm_table(size, found):
    """Return false alarms per month and model."""
    rows = []
    for cyclic in (False, True):
        for rate in size.rates:
            ours = false_alarms(rate, cyclic=cyclic, size=size)
            blind = false_alarms(rate, cyclic=True, size=size, known=False) if cyclic else None
            cells = [
                f"{'cyclic' if cyclic else 'independent'}, {rate:,} rows an hour",
                f"{sum(ours.values()):.1f}",
                f"{sum(blind.values()):.1f}" if blind else "",
            ]
            for name, python in found.items():
                for window, number in peer_windows(rate, size):
                    alarms, about = peer_false_alarms(
                        name, python, rate, cyclic=cyclic, window=window, number=number
                    )
                    found_versions[name] = about["version"]
                    cells.append(f"{alarms:,.0f} ({number})")
            rows.append(tuple(cells))
            print("  ".join(cells), file=sys.stderr)
    header = ["stream without drift", "modelmeter", "without time stamps"]
    lengths = [LENGTHS[window] for window, _ in peer_windows(size.rates[0], size)]
    header += [f"{name}, {length}" for name in found for length in lengths]
    title = "False alarms per month and model of 25 features (in brackets: windows asked)"
    return Table(title, tuple(header), tuple(rows))


found_versions = {}


def duration(minutes):
    """Write how long something took."""
    if np.isinf(minutes):
        return "not seen"
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"


def detection_table(size):
    """Return the median time that ours takes to see each fault."""
    columns = {
        f"{rate:,} rows an hour": [detection(f, rate, cycle=Cycle(), size=size) for f in FAULTS]
        for rate in size.rates
    }
    gentle = [detection(f, 1_000, cycle=GENTLE, size=size) for f in FAULTS]
    columns["1,000 rows an hour, cyclic"] = gentle
    return _by_fault("Median time to detection, modelmeter", columns)


def peer_detection_table(name, python, size):
    """Return the median time that a peer takes to see each fault."""
    columns = {}
    for rate in size.rates:
        for window, number in peer_windows(rate, size):
            columns[f"{LENGTHS[window]}, {rate:,} rows an hour"] = peer_detection(
                name, python, rate, window=window, number=number, size=size
            )
    return _by_fault(f"Median time to detection, {name}", columns)


def _by_fault(title, columns):
    rows = [
        (fault.title, *(duration(column[i]) for column in columns.values()))
        for i, fault in enumerate(FAULTS)
    ]
    return Table(title, ("change", *columns), tuple(rows))


def looks_table(windows):
    """Return how often windows say something new."""
    rows = []
    for title, window, step in (
        ("1 h", 60, 1),
        ("4 h", 240, 2),
        ("24 h", 1440, 5),
        ("7 d", 10080, 10),
    ):
        cells = [title]
        for df in (1, 5, 11):
            number = windows * (4 if window == 60 else 1) // (8 if window == 10080 else 1)
            found = looks(df=df, window=window, step=step, windows=number)
            cells.append(" / ".join(f"{value:.1f}" for value in found))
        rows.append((*cells, f"{2 * np.sqrt(window / 60):.1f}"))
    title = "Alarm episodes per window length over the nominal chance, at z = 3 / 3.5"
    return Table(title, ("window", "df 1", "df 5", "df 11", "constant used"), tuple(rows))


def chance_table(size):
    """Return false alarms per month where only z is asked, not whether it matters."""
    rows = []
    minutes = np.arange(-WARM_UP, size.days * DAY)
    for rate in size.rates:
        begun = Counter()
        for model in range(size.months):
            features = make_features(cyclic=False, seed=MODELS + model)
            thresholds, busy = limits(features), np.full(len(minutes), rate / 60)
            for feature in features:
                begun += chance(feature, feature.counts(minutes, busy), thresholds)
        months = size.months * size.days / 30
        parts = begun["out_of_range"], begun.total() - begun["out_of_range"]
        cells = (f"{number / months:.1f}" for number in (sum(parts), *parts))
        rows.append((f"independent, {rate:,} rows an hour", *cells))
    title = "False alarms per month and model by z alone, whatever the size (budget: 1)"
    header = ("stream without drift", "all", "out of range", "all else")
    return Table(title, header, tuple(rows))


def conditions(*, quick, seconds):
    """Return what ran where."""
    here = ", ".join(f"{name} {version(name)}" for name in ("modelmeter", "numpy", "scipy"))
    there = ", ".join(f"{name} {number}" for name, number in found_versions.items()) or "none"
    cores = f"{platform.machine()}, {os.cpu_count()} cores"
    kind = "Quick run" if quick else "Full run"
    return (
        f"{kind}, {seconds:.0f} s. {here}; peers: {there}; Python {platform.python_version()}, "
        f"{cores}. Reference of {TRAINING_ROWS:,} rows from eight weeks."
    )


def main():
    """Run and print; keep the results of a full run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="about a minute")
    parser.add_argument("--looks", action="store_true", help="looks per window, and z alone")
    parser.add_argument("--output", type=Path, help=f"Markdown; of a full run {RESULTS}")
    arguments = parser.parse_args()
    start = time.perf_counter()
    size = QUICK_SIZE if arguments.quick else FULL
    if arguments.looks:
        print(looks_table(5_000 if arguments.quick else 20_000).text())
        print(chance_table(size).text())
        return
    found = pythons()
    tables = []
    for make in (
        lambda: alarm_table(size, found),
        lambda: detection_table(size),
        *(partial(peer_detection_table, name, python, size) for name, python in found.items()),
        *(() if arguments.quick else (lambda: looks_table(20_000), lambda: chance_table(size))),
    ):
        tables.append(make())
        print(tables[-1].text())
    about = conditions(quick=arguments.quick, seconds=time.perf_counter() - start)
    print(about)
    output = arguments.output
    if output is None and not arguments.quick and len(found) == 2:
        output = RESULTS
    if output:
        parts = ["# Alarms", "Written by `benchmarks/alarms.py`.", about]
        parts += [table.markdown().rstrip() for table in tables]
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text("\n\n".join(parts) + "\n")


if __name__ == "__main__":
    main()
