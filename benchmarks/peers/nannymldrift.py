"""Ask NannyML which columns drift; run by the Python of its own environment.

Reads ``reference.parquet`` and ``live.parquet`` (column ``window``) in a directory and prints
one line of JSON. Everything is left at its default: univariate drift (Jensen-Shannon) and
shares of missing and of unseen values, each beyond three standard deviations of what chunks
of the reference show. These hold as many rows as a window does, at most a tenth of them.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path

import nannyml
import pandas as pd
from nannyml.chunk import Chunk, Chunker, SizeBasedChunker


class ByWindow(Chunker):
    """The windows of the live rows; chunks of a number of rows of the reference."""

    def __init__(self, rows):
        super().__init__()
        self.rows = rows

    def _split(self, data):
        if "window" not in data or data["window"].isna().all():
            return SizeBasedChunker(chunk_size=self.rows)._split(data)
        return [Chunk(key=str(int(key)), data=part) for key, part in data.groupby("window")]


def main(directory):
    """Judge every window."""
    reference = pd.read_parquet(Path(directory, "reference.parquet")).assign(window=float("nan"))
    live = pd.read_parquet(Path(directory, "live.parquet"))
    columns = [c for c in reference.columns if c not in ("when", "window")]
    names = [c for c in columns if not pd.api.types.is_numeric_dtype(reference[c])]
    rows = min(len(live) // live["window"].nunique(), len(reference) // 10)
    calculators = {
        "drift": nannyml.UnivariateDriftCalculator(column_names=columns, chunker=ByWindow(rows)),
        "missing": nannyml.MissingValuesCalculator(column_names=columns, chunker=ByWindow(rows)),
    }
    if names:
        calculators["unseen"] = nannyml.UnseenValuesCalculator(
            column_names=names, chunker=ByWindow(rows)
        )
    flags, start = {}, time.perf_counter()
    for what, calculator in calculators.items():
        result = calculator.fit(reference).calculate(live).filter(period="analysis").to_df()
        keys = result.iloc[:, [c[-1] == "key" for c in result.columns]].iloc[:, 0]
        for column in result.columns:
            if column[-1] != "alert":
                continue
            for key in keys[result[column].astype(bool)]:
                flags.setdefault(key, set()).add(f"{column[0]}:{what}")
    seconds = (time.perf_counter() - start) / live["window"].nunique()
    about = {"version": version("nannyml"), "seconds": seconds}
    print(json.dumps({"flags": {k: sorted(v) for k, v in flags.items()}, **about}))


if __name__ == "__main__":
    main(sys.argv[1])
