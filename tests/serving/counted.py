"""What a monitor counted, for tests: series by metric and labels."""

from __future__ import annotations

import pandas as pd
import polars as pl
from sklearn.compose import ColumnTransformer

import modelmeter as mm
from modelmeter.live.counts import merged


def frames():
    """Return the data frames whose columns this scikit-learn can select by name."""
    try:
        ColumnTransformer([("x", "passthrough", ["x"])]).fit(pl.DataFrame({"x": [1.0]}))
    except AttributeError:  # scikit-learn before 1.6 with a current polars
        return [pd.DataFrame]
    return [pd.DataFrame, pl.DataFrame]


FRAMES = frames()


def series(monitor, metric, **labels):
    """Return the values of a metric's series by the labels beyond model and version."""
    found = {}
    for family in merged([monitor.counts]):
        if family.metric is not metric:
            continue
        for row, value in zip(family.rows, family.values.tolist(), strict=True):
            named = dict(zip(metric.labels, row, strict=True))
            if all(named[name] == wanted for name, wanted in labels.items()):
                key = tuple(v for n, v in named.items() if n not in ("model", "version", *labels))
                found[key] = value
    return found


def total(monitor, metric, **labels):
    """Return the sum over the series of a metric, None when it has none."""
    found = series(monitor, metric, **labels)
    return sum(found.values()) if found else None


def monitor_of(X, model=None, y=None, *, name="model", **options):
    """Return a monitor for a model trained on these data."""
    return mm.Monitor(mm.Profile.build(model, X, y, name=name, version="1", **options))
