"""Ask NannyML; run by the Python of its own environment (see `environment.py`).

``cbpe.py load NAME DIRECTORY`` writes a data set that NannyML ships; ``cbpe.py estimate
DIRECTORY`` reads ``request.json``, ``reference.parquet`` and ``analysis.parquet`` and prints
the estimates by chunk. Either prints one line of JSON.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path

import nannyml
import numpy as np
import pandas as pd
from nannyml.chunk import Chunk, Chunker


class ByColumn(Chunker):
    """Chunks as the column ``chunk`` says, so that both sides look at the same rows."""

    def _split(self, data):
        return [Chunk(key=key, data=part) for key, part in data.groupby("chunk", sort=False)]


def load(name, directory):
    """Write reference, analysis and targets of a data set."""
    frames = getattr(nannyml, f"load_{name}")()
    for part, frame in zip(("reference", "analysis", "targets"), frames, strict=True):
        frame.to_parquet(directory / f"{part}.parquet", index=False)
    return {}


def estimate(directory):
    """Fit on the reference, estimate the analysis."""
    request = json.loads((directory / "request.json").read_text())
    reference = pd.read_parquet(directory / "reference.parquet")
    analysis = pd.read_parquet(directory / "analysis.parquet")
    np.random.seed(0)  # it splits the reference at random to see whether calibration pays
    metrics = request["metrics"]
    estimator = _estimator(request)
    started = time.process_time()
    estimator.fit(reference)
    fitted = time.process_time()
    table = estimator.estimate(analysis).filter(period="analysis").to_df()
    ended = time.process_time()
    keys = table["chunk"]["key"].tolist()
    return {
        "values": {name: dict(zip(keys, table[name]["value"], strict=True)) for name in metrics},
        "calibrate": fitted - started,
        "estimate": ended - fitted,
        "versions": {name: version(name) for name in ("nannyml", "pandas", "scikit-learn")},
    }


def _estimator(request):
    names = {"y_true": "y_true", "y_pred": "y_pred", "metrics": request["metrics"]}
    if request["task"] == "regression":
        features = request["features"]
        return nannyml.DLE(feature_column_names=features, chunker=ByColumn(), **names)
    problem = f"classification_{request['task']}"
    scores = request["scores"]
    return nannyml.CBPE(y_pred_proba=scores, problem_type=problem, chunker=ByColumn(), **names)


def main(arguments):
    """Do what the arguments say."""
    what, *rest = arguments
    found = load(rest[0], Path(rest[1])) if what == "load" else estimate(Path(rest[0]))
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
