"""Ask Evidently which columns drift; run by the Python of its own environment.

Reads ``reference.parquet`` and ``live.parquet`` (column ``window``) in a directory and prints
one line of JSON. Everything is left at its default: `DataDriftPreset`, which chooses a test
for each column by its type and the size of the reference.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset


def drifted(result):
    """Return the columns that a report says have drifted."""
    found = []
    for metric in result.dict()["metrics"]:
        config = metric["config"]
        if "column" not in config:
            continue
        value, threshold = metric["value"], config["threshold"]
        # p-values fall with drift, distances rise.
        is_p_value = config["method"].endswith("p_value")
        if value < threshold if is_p_value else value >= threshold:
            found.append(config["column"])
    return found


def main(directory):
    """Judge every window."""
    reference = pd.read_parquet(Path(directory, "reference.parquet")).drop(columns="when")
    live = pd.read_parquet(Path(directory, "live.parquet")).drop(columns="when")
    numbers = list(reference.select_dtypes("number").columns)
    names = [column for column in reference.columns if column not in numbers]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=names)
    before = Dataset.from_pandas(reference, data_definition=definition)
    flags, start = {}, time.perf_counter()
    for window, frame in live.groupby("window"):
        now = Dataset.from_pandas(
            frame.drop(columns="window").reset_index(drop=True), data_definition=definition
        )
        flags[str(window)] = drifted(Report([DataDriftPreset()]).run(now, before))
    seconds = (time.perf_counter() - start) / max(len(flags), 1)
    about = {"version": version("evidently"), "seconds": seconds}
    print(json.dumps({"flags": flags, **about}))


if __name__ == "__main__":
    main(sys.argv[1])
