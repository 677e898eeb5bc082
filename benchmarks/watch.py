"""What watching a scikit-learn model costs per prediction, beside the plain model.

Predicts one row, and many, with a pipeline of imputer, scaler, encoder and logistic
regression: plain, watched by a monitor that counts at the boundaries but observes nothing
(what ``serving/watched.py`` and ``serving/boundaries.py`` cost), and watched by a full
monitor. Each has processes of its own, because Python adapts its code to the classes that run
through it; they take turns. Printed is CPU time per call (the lowest decile of a process, the
median over processes) and its ratio to the plain model's. A pickled copy of the plain model
shows how large a difference means nothing::

    python benchmarks/watch.py [--repeats 150] [--rounds 3]
"""

from __future__ import annotations

import argparse
import json
import pickle
import statistics
import subprocess
import sys
import time

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import modelmeter as mm
from modelmeter.sklearn import OneHotEncoder as CountingEncoder
from modelmeter.sklearn import SimpleImputer as CountingImputer

KINDS = ("plain", "its copy", "boundaries", "drop-ins", "full monitor")
BUDGET = 1.01  # of the plain model's time, for one row, boundaries alone


class Blind(mm.Monitor):
    """Counts what happens inside the model, and nothing else."""

    def observe(self, *args, **kwargs):
        """Do nothing."""

    observe_outputs = observe


def training(rows=2000):
    """Return eight numbers and four categories, some missing, and a target."""
    generator = np.random.default_rng(0)
    X = pd.DataFrame({f"n{i}": generator.normal(size=rows) for i in range(8)})
    for i in range(4):
        X[f"c{i}"] = generator.choice(list("abcdef"), rows)
    X.loc[::7, "n0"] = np.nan
    return X, (X["n1"] + generator.normal(size=rows) > 0).astype(int)


def pipeline(imputer, encoder):
    """Return the pipeline of these two transformers."""
    numbers = Pipeline([("imputer", imputer), ("scaler", StandardScaler())])
    columns = ColumnTransformer(
        [
            ("numbers", numbers, [f"n{i}" for i in range(8)]),
            ("words", encoder, [f"c{i}" for i in range(4)]),
        ]
    )
    return Pipeline([("columns", columns), ("model", LogisticRegression())])


def measure(kind, repeats):
    """Return one model's seconds per predict, by what it is given."""
    X, y = training()
    plain = pipeline(SimpleImputer(), OneHotEncoder(handle_unknown="ignore")).fit(X, y)
    drop_in = pipeline(CountingImputer(), CountingEncoder(handle_unknown="ignore")).fit(X, y)
    profile = mm.Profile.build(plain, X, y, name="benchmark", version="1")
    make = {
        "plain": lambda: plain,
        "its copy": lambda: pickle.loads(pickle.dumps(plain)),
        "boundaries": lambda: Blind(profile).watch(plain),
        "drop-ins": lambda: Blind(profile).watch(drop_in),
        "full monitor": lambda: mm.Monitor(profile).watch(plain),
    }
    model = make[kind]()
    given = {"1 row": X.iloc[[1]], "1 strange row": X.iloc[[0]].assign(c0="new"), "2,000 rows": X}
    return {title: lowest_decile(model, rows, repeats) for title, rows in given.items()}


def lowest_decile(model, X, repeats):
    """Return the CPU seconds that nine in ten calls take longer than."""
    times = []
    for _ in range(repeats):
        started = time.thread_time()
        model.predict(X)
        times.append(time.thread_time() - started)
    return statistics.quantiles(times, n=10)[0]


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", choices=KINDS, help="measure one kind, print JSON")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options.repeats)))
        return
    found = {kind: [] for kind in KINDS}
    for _ in range(options.rounds):
        for kind in KINDS:
            command = [sys.executable, __file__, "--one", kind, "--repeats", str(options.repeats)]
            result = subprocess.run(command, check=True, capture_output=True, text=True)
            found[kind].append(json.loads(result.stdout))
    for title in found["plain"][0]:
        print(title)
        medians = {k: statistics.median(one[title] for one in found[k]) for k in KINDS}
        for kind, seconds in medians.items():
            added = (seconds - medians["plain"]) * 1e6
            ratio = seconds / medians["plain"]
            print(f"  {kind:14}{seconds * 1e6:9.1f} us  {added:+8.1f} us  x {ratio:.3f}")
    print(f"budget: boundaries at most x {BUDGET} for 1 row")


if __name__ == "__main__":
    main()
