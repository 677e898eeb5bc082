"""Profiling and drift by other libraries; runs in their environments, without modelmeter.

``profiling.py WHAT DIRECTORY`` reads ``training.parquet`` (and ``live.parquet``) there, does
what `WAYS` says once, and prints JSON: the version, the seconds of CPU and of the clock.
"""

import importlib.metadata
import json
import os
import sys
import time
from pathlib import Path

import pandas as pd


def whylogs_profile(training, live):
    """Profile a frame."""
    import whylogs

    return lambda: whylogs.log(pandas=training).view()


def evidently_profile(training, live):
    """Summarise a frame."""
    from evidently import Report
    from evidently.presets import DataSummaryPreset

    return lambda: Report([DataSummaryPreset()]).run(training, None).dict()


def evidently_drift(training, live):
    """Compare two frames, column by column."""
    from evidently import Report
    from evidently.presets import DataDriftPreset

    return lambda: Report([DataDriftPreset()]).run(live, training).dict()


def nannyml_profile(training, live):
    """Fit the univariate drift calculator on training rows."""
    import nannyml

    def fit():
        columns = list(training.columns)
        calculator = nannyml.UnivariateDriftCalculator(column_names=columns, chunk_number=10)
        return calculator.fit(training)

    return fit


WAYS = {
    "whylogs profile": whylogs_profile,
    "evidently profile": evidently_profile,
    "evidently drift": evidently_drift,
    "nannyml profile": nannyml_profile,
}


def main():
    """Do it once, and print how long it took."""
    os.environ |= {"NML_DISABLE_USAGE_LOGGING": "1", "DO_NOT_TRACK": "1"}
    what, directory = sys.argv[1], Path(sys.argv[2])
    training, live = (
        pd.read_parquet(path) if path.exists() else None
        for path in (directory / "training.parquet", directory / "live.parquet")
    )
    run = WAYS[what](training, live)
    cpu, clock = time.process_time(), time.perf_counter()
    run()
    seconds = {"cpu": time.process_time() - cpu, "clock": time.perf_counter() - clock}
    print(json.dumps({"version": importlib.metadata.version(what.split()[0]), **seconds}))


if __name__ == "__main__":
    main()
