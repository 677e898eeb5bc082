"""How good performance estimated without labels is, beside NannyML on the same rows.

Takes models whose true outcomes are known after all: the demo's flights, by month, and the
data sets that NannyML ships, in ten parts. Each is calibrated on rows that the model had
not seen; then accuracy and the like are estimated from the answers alone, by modelmeter
(live rows by score bin times what was true per bin) and by NannyML (CBPE; DLE for the
regression), and compared with what came out. NannyML runs in an environment of its own in
``~/.cache/modelmeter/peers``, made at the first run; where it cannot be had, only the
flights are estimated, by modelmeter alone::

    python benchmarks/estimate.py [--quick] [--output benchmarks/results/estimate.md]

``--quick`` takes less than a minute: less calibration of the flights, three data sets.
"""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from peers.cases import flight_cases, shipped_cases
from peers.environment import NotInstalledError, nannyml
from peers.own import Case, estimates
from peers.tables import Table, number
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    mean_absolute_error,
    roc_auc_score,
    root_mean_squared_error,
)

RESULTS = Path(__file__).parent / "results" / "estimate.md"
FEWEST = 50  # rows that a share is worth printing for
QUICK = ("synthetic_car_loan_dataset", "synthetic_car_price_dataset")


@dataclass(frozen=True)
class Metric:
    """A figure: as either side calls it, how it is computed from the truth, its decimals."""

    title: str
    ours: str
    theirs: str
    realised: Callable
    decimals: int = 3


def _accuracy(rows, _):
    return accuracy_score(rows["y_true"], rows["y_pred"])


def _auc(rows, score):
    return roc_auc_score(rows["y_true"], rows[score])


def _macro_f1(rows, _):
    return f1_score(rows["y_true"], rows["y_pred"], average="macro")


def _mae(rows, _):
    return mean_absolute_error(rows["y_true"], rows["y_pred"])


def _rmse(rows, _):
    return root_mean_squared_error(rows["y_true"], rows["y_pred"])


ACCURACY = Metric("accuracy", "accuracy", "accuracy", _accuracy)
METRICS = {
    "binary": (ACCURACY, Metric("AUC", "roc_auc", "roc_auc", _auc)),
    "multiclass": (ACCURACY, Metric("macro F1", "macro_f1", "f1", _macro_f1)),
    "regression": (Metric("MAE", "mae", "mae", _mae, 0), Metric("RMSE", "rmse", "rmse", _rmse, 0)),
}


@dataclass(frozen=True)
class Series:
    """One figure of a case, chunk by chunk.

    Parameters
    ----------
    metric
        Which.
    before
        The figure on the rows calibrated on.
    realised, ours, theirs
        What came out, and what either side estimated; `theirs` is None without NannyML.
    chance
        By how much, as our estimate says itself, chance alone moves `realised` from `ours`.
    """

    metric: Metric
    before: float
    realised: list[float]
    ours: list[float]
    theirs: list[float] | None
    chance: list[float]

    def errors(self):
        """Return how far each way was off on average: ours, theirs, as if nothing changed."""
        constant = [self.before] * len(self.realised)
        return [
            None if way is None else float(np.mean(np.abs(np.subtract(way, self.realised))))
            for way in (self.ours, self.theirs, constant)
        ]

    def surprises(self):
        """Return how many times chance explains what came out, by chunk."""
        return np.subtract(self.realised, self.ours) / self.chance


@dataclass(frozen=True)
class Compared:
    """A case with all its figures, and the CPU seconds to calibrate and to estimate."""

    case: Case
    series: list[Series]
    ours: tuple[float, float]
    theirs: tuple[float, float] | None
    versions: dict[str, str]


def compare(case, peer=None):
    """Estimate a case both ways, and look at what came out."""
    started = time.process_time()
    own = estimates(case)
    seconds = time.process_time() - started
    theirs = _ask(case, peer) if peer else None
    series = [
        Series(
            metric=metric,
            before=metric.realised(case.reference, case.scores),
            realised=[metric.realised(rows, case.scores) for rows in case.chunks.values()],
            ours=[float(found.metrics[metric.ours].value) for found in own.values()],
            theirs=theirs and [theirs["values"][metric.theirs][name] for name in own],
            chance=[float(found.label_error[metric.ours]) for found in own.values()],
        )
        for metric in METRICS[case.task]
    ]
    return Compared(
        case=case,
        series=series,
        ours=(case.calibrate, seconds),
        theirs=theirs and (theirs["calibrate"], theirs["estimate"]),
        versions=theirs["versions"] if theirs else {},
    )


def _ask(case, peer):
    request = {
        "task": case.task,
        "scores": case.scores,
        "features": list(case.features),
        "metrics": [metric.theirs for metric in METRICS[case.task]],
    }
    scores = case.scores if isinstance(case.scores, dict) else {"": case.scores}
    columns = ["y_pred", "chunk", *filter(None, scores.values()), *case.features]
    # It never gets the truth that it is to estimate.
    return peer.estimate(case.reference[["y_true", *columns]], case.analysis[columns], request)


def detail(found):
    """Return the table of one case: a row for every chunk, and the mean error below."""
    header, columns, last = ["", "rows"], [], ["mean absolute error", ""]
    rows = {name: f"{len(rows):,}" for name, rows in found.case.chunks.items()}
    for one in found.series:
        title, decimals = one.metric.title, one.metric.decimals
        header += [f"{title}: realised", "modelmeter", "NannyML"]
        theirs = one.theirs or [None] * len(one.realised)
        ways = (one.realised, one.ours, theirs)
        columns += [[number(value, decimals) for value in way] for way in ways]
        last += ["", *(number(off, decimals + 1) for off in one.errors()[:2])]
    body = [(*key, *line) for key, *line in zip(rows.items(), *columns, strict=True)]
    known = (f"{s.metric.title} {number(s.before, s.metric.decimals)}" for s in found.series)
    before = ", ".join(known)
    title = f"{found.case.title} ({len(found.case.reference):,} rows: {before})"
    return Table(title, tuple(header), (*body, tuple(last)))


def errors(results):
    """Return the table of mean absolute errors, with that of expecting no change."""
    rows = []
    for found in results:
        for one in found.series:
            off = (number(error, one.metric.decimals + 1) for error in one.errors())
            rows.append((found.case.title, one.metric.title, *off))
    header = ("", "metric", "modelmeter", "NannyML", "no change")
    return Table("Mean absolute error of the estimate", header, tuple(rows))


def surprises(results):
    """Return the table of how far beyond chance the truth was from our estimate."""
    rows = []
    for found in results:
        for one in found.series:
            z = np.abs(one.surprises())
            worst, beyond = int(z.argmax()), int((z > 3).sum())
            largest = f"{one.surprises()[worst]:+.1f}", list(found.case.chunks)[worst]
            rows.append((found.case.title, one.metric.title, str(len(z)), str(beyond), *largest))
    header = ("", "metric", "chunks", "beyond 3", "largest", "in")
    title = "Realised less estimated by modelmeter, in standard errors"
    return Table(title, header, tuple(rows))


def times(results):
    """Return the table of CPU seconds: the machine may be busy."""
    header = ("", "rows", "modelmeter: calibrate", "estimate", "NannyML: calibrate", "estimate")
    rows = []
    for found in results:
        both = len(found.case.reference) + len(found.case.analysis)
        seconds = (*found.ours, *(found.theirs or (None, None)))
        rows.append((found.case.title, f"{both:,}", *(number(s, 3) for s in seconds)))
    return Table("CPU seconds", header, tuple(rows))


def worth(found):
    """Return what a score was worth in a binary case: the share of class 1 by band of scores."""
    case = found.case
    parts = {"before": case.reference, **case.chunks}
    names = [f"{i / 10} to {(i + 1) / 10}" for i in range(10)]
    shares = []
    for rows in parts.values():
        band = np.minimum((rows[case.scores].to_numpy() * 10).astype(int), 9)
        by_band = rows["y_true"].groupby(band).agg(["mean", "size"])
        enough = by_band.loc[by_band["size"] >= FEWEST, "mean"]
        shares.append([number(enough.get(i), 3) for i in range(10)])
    body = tuple(row for row in zip(names, *shares, strict=True) if any(row[1:]))
    title = f"Share of class 1 by score, where there are {FEWEST} rows: {case.title}"
    return Table(title, ("score", *parts), body)


SUMMARIES = (errors, surprises, times)


def conditions(results, *, quick):
    """Say in a line what ran where."""
    names = ("modelmeter", "numpy", "pandas", "scikit-learn")
    here = ", ".join(f"{name} {version(name)}" for name in names)
    theirs = next((found.versions for found in results if found.versions), None)
    there = ", ".join(map(" ".join, theirs.items())) if theirs else "absent"
    machine = f"Python {platform.python_version()}, {_processor()}, {os.cpu_count()} cores"
    kind = "Quick run" if quick else "Full run"
    return f"{kind}. {here}. NannyML's environment: {there}. {machine}."


def _processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    model = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(model, platform.machine())


def document(results, *, quick):
    """Return everything as Markdown."""
    tables = [table(results) for table in SUMMARIES]
    tables += [detail(results[0]), worth(results[0]), *map(detail, results[1:])]
    parts = [
        "# Performance estimated without labels, beside NannyML",
        "Written by `benchmarks/estimate.py`. In brackets: the rows calibrated on, and the "
        "performance on them.",
        conditions(results, quick=quick),
        *(table.markdown().rstrip() for table in tables),
    ]
    return "\n\n".join(parts) + "\n"


def main(arguments=None):
    """Run and print; keep the results of a full run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="less than a minute")
    parser.add_argument("--output", type=Path, help=f"Markdown; of a full run {RESULTS}")
    arguments = parser.parse_args(arguments)
    try:
        peer = nannyml()
    except NotInstalledError as error:
        print(f"{error}\nIts columns stay empty, and the data sets that it ships are left out.\n")
        peer = None
    depth = {"folds": 3, "max_rows": 20_000} if arguments.quick else {"folds": 5, "max_rows": 10**6}
    shipped = shipped_cases(peer, QUICK if arguments.quick else None) if peer else ()
    results = []
    for case in itertools.chain(flight_cases(**depth), shipped):
        results.append(compare(case, peer))
        print(detail(results[-1]).text())
    for table in SUMMARIES:
        print(table(results).text())
    print(worth(results[0]).text())
    print(conditions(results, quick=arguments.quick))
    output = arguments.output
    if output is None and peer and not arguments.quick:
        output = RESULTS
    if output:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(document(results, quick=arguments.quick))


if __name__ == "__main__":
    if "OMP_WAIT_POLICY" not in os.environ:
        # On a busy machine OpenMP's threads wait for each other at full speed, and a fit takes
        # nine times as long. They read this when they are loaded, so it is too late here.
        environment = os.environ | {"OMP_WAIT_POLICY": "PASSIVE"}
        os.execve(sys.executable, sys.orig_argv, environment)
    main()
