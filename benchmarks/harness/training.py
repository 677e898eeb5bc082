"""Beside the request path: building a profile, and drift of all features."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import observe
import polars as pl
import pyarrow as pa
import pyarrow.parquet as parquet

import modelmeter as mm
from harness.elsewhere import run, versions
from harness.figures import Figure, Goal
from modelmeter.stats.drift import TrainedFeature, Training

SCRIPT = Path(__file__).parents[1] / "peers" / "profiling.py"
FROM_PARQUET = """
import re, sys, time
import modelmeter as mm
started = time.process_time()
mm.Profile.build(None, sys.argv[1], name="benchmark", version="1", canary_rows=0)
# Not getrusage's maximum: that begins with what the parent had when it forked.
peak = re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]
print(time.process_time() - started, int(peak) / 1024)
"""


def building(interpreters, *, rows, repeats):
    """Measure profiles of as many rows in memory."""
    X = observe.make_frame(rows)
    with tempfile.TemporaryDirectory() as name:
        X.to_parquet(Path(name, "training.parquet"), index=False)
        ways = {
            "modelmeter": lambda: _cpu(lambda: _profile(X)),
            "polars": lambda: _cpu(lambda: _polars(pl.from_pandas(X))),
            **{
                what.partition(" ")[0]: _asking(python, what, name)
                for what, python in _askable(interpreters, "profile")
            },
        }
        times = {way: [] for way in ways}
        for _ in range(repeats):
            for way, measure in ways.items():
                times[way].append(measure())
    found = {way: statistics.median(values) for way, values in times.items()}
    limit = _cpu(lambda: observe.read_once(X))
    ours = found.pop("modelmeter")
    most = 0.5 * rows / 1_000_000
    goals = (Goal(f"at most {most:g} s", ours, most),)
    yield Figure(f"build a profile, {rows:,} x 25", "s of CPU", ours, found, limit, goals)


def from_parquet(*, millions):
    """Measure profiles of Parquet files of two sizes: the rate, and whether memory is flat."""
    rates, peaks = [], []
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "rows.parquet")
        for size in (millions / 2, millions):
            _write(path, round(size * 1_000_000))
            said = subprocess.run(
                [sys.executable, "-c", FROM_PARQUET, str(path)],
                check=True,
                capture_output=True,
                text=True,
            ).stdout.split()
            rates.append(float(said[0]) / size)
            peaks.append(float(said[1]))
    goals = (Goal(f"steady: half of the rows takes {rates[0]:.3g} s a million", *_near(rates)),)
    what = f"build a profile, Parquet, {millions:g} million rows, for each million"
    yield Figure(what, "s of CPU", rates[1], {}, None, goals)
    goals = (
        Goal("under 500 MB", peaks[1], 500),
        Goal(f"flat: half of the rows takes {peaks[0]:.0f} MB", peaks[1], 1.2 * peaks[0]),
    )
    yield Figure(f"its peak memory at {millions:g} million rows", "MB", peaks[1], {}, None, goals)


def _near(rates):
    return rates[1], 1.3 * rates[0]


def drifting(interpreters, *, rows, repeats):
    """Measure all statistics of 25 features from live counts; peers start from raw rows."""
    training, live = observe.make_frame(rows), observe.make_frame(1_000)
    profile = _profile(training)
    compared = Training([_trained(feature) for feature in profile.features])
    counts = np.concatenate([feature.counts for feature in _profile(live).features])
    counts = np.resize(counts, sum(len(feature.counts) for feature in profile.features))
    times, peers = [], {}
    with tempfile.TemporaryDirectory() as name:
        training.to_parquet(Path(name, "training.parquet"), index=False)
        live.to_parquet(Path(name, "live.parquet"), index=False)
        asked = list(_askable(interpreters, "drift"))
        for _ in range(repeats):
            times += [_cpu(lambda: [compared.compare(counts) for _ in range(500)]) / 500 * 1e6]
        for what, python in asked:
            peers[f"{what.partition(' ')[0]}, raw rows"] = _asking(python, what, name)() * 1e6
    ours = statistics.median(times)
    goals = (Goal("under 100 us", ours, 100),)
    yield Figure("drift of 25 features, all statistics", "us", ours, peers, None, goals)


def _trained(feature):
    bins = feature.bins.bins
    gaps = feature.gaps or None
    order = [bool(one.ord) for one in bins]
    return TrainedFeature(feature.counts, [one.kind for one in bins], order, gaps)


def _profile(X):
    binning = mm.Binning(bins=12)
    return mm.Profile.build(None, X, name="benchmark", version="1", binning=binning, canary_rows=0)


def _polars(frame):
    """Take quantiles, moments and counts by quantile, or by text, of every column."""
    for name, dtype in frame.schema.items():
        column = frame[name]
        if dtype.is_numeric():
            edges = [column.quantile(i / 12) for i in range(1, 12)]
            pl.Series(edges).search_sorted(column).value_counts()
            column.mean(), column.std(), column.min(), column.max(), column.null_count()
        else:
            column.value_counts()


def _askable(interpreters, what):
    known = {"profile": ("whylogs", "evidently", "nannyml"), "drift": ("evidently",)}
    return [(f"{name} {what}", interpreters[name]) for name in known[what] if name in interpreters]


def _asking(python, what, directory):
    def ask():
        said = run(python, SCRIPT, what, directory)
        versions[what.partition(" ")[0]] = said["version"]
        return said["cpu"]

    return ask


def _cpu(function):
    """Return the CPU seconds of all threads."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    function()
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _write(path, rows, group=250_000):
    """Write a file of as many rows, a group of them at a time."""
    writer = None
    for start in range(0, rows, group):
        part = pa.Table.from_pandas(observe.make_frame(min(group, rows - start)))
        writer = writer or parquet.ParquetWriter(path, part.schema)
        writer.write_table(part)
    writer.close()
