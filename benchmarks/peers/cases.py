"""The data: the demo's flights, and what NannyML ships."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pandas as pd

import modelmeter as mm
from modelmeter.demo import flights
from modelmeter.demo.model import fit
from modelmeter.profile.baseline import measure
from modelmeter.profile.outofsample import cross_validate
from modelmeter.profile.sources import open_source
from peers.own import Case, recorded

CHUNKS = 10

CARDS = ("highstreet_card", "prepaid_card", "upmarket_card")
CAR = ("car_age", "km_driven", "price_new", "accident_count", "door_count", "fuel", "transmission")

SHIPPED = (
    {
        "name": "synthetic_car_loan_dataset",
        "title": "Car loan (synthetic)",
        "task": "binary",
        "columns": {"repaid": "y_true"},
        "scores": "y_pred_proba",
        "threshold": 0.65,
        "when": "timestamp",
    },
    {
        "name": "synthetic_multiclass_classification_dataset",
        "title": "Credit cards (synthetic, three classes)",
        "task": "multiclass",
        "scores": {card: f"y_pred_proba_{card}" for card in CARDS},
        "when": "timestamp",
    },
    {
        "name": "synthetic_car_price_dataset",
        "title": "Car prices (synthetic, regression)",
        "task": "regression",
        "features": CAR,
        "when": "timestamp",
    },
    {
        "name": "modified_california_housing_dataset",
        "title": "California housing (modified)",
        "task": "binary",
        "columns": {"clf_target": "y_true"},
        "scores": "y_pred_proba",
        "threshold": 0.8,
        "when": "timestamp",
    },
    {
        "name": "us_census_ma_employment_data",
        "title": "Employment in Massachusetts (US census)",
        "task": "binary",
        "columns": {
            "employed": "y_true",
            "prediction": "y_pred",
            "predicted_probability": "y_pred_proba",
        },
        "scores": "y_pred_proba",
        "threshold": 0.5,
        "when": "year",
    },
)
"""The synthetic binary classification is the car loan with another threshold, and so is the
car loan with bad data quality; the Titanic comes without a model."""


def flight_cases(*, folds, max_rows):
    """Return the flights calibrated by folds of whole days, and by a random split."""
    known, later = (part.with_outcome() for part in (flights.training(), flights.production()))
    y = known.late.astype("int64")
    model = fit(known)
    profile = mm.Profile.build(model, known.X, name="flights", version="1")
    scores = model.predict_proba(later.X)[:, 1]
    analysis = _frame(later.late.astype("int64"), scores, _local(later, "%b"))
    features = [feature.name for feature in profile.features]
    for title, groups in (
        ("Flights, calibrated on whole days held out", _local(known, "%Y-%m-%d")),
        ("Flights, calibrated on flights held out at random", None),
    ):
        found = cross_validate(
            model,
            profile.model,
            open_source(known.X, None),
            features,
            y=y,
            groups=groups,
            folds=folds,
            max_rows=max_rows,
        )
        started = time.process_time()
        baseline, calibration = measure(profile.model, profile.predictions, found)
        seconds = time.process_time() - started
        months = _local(known, "%b").iloc[found.numbers]
        yield Case(
            title=title,
            task="binary",
            reference=_frame(found.y_true, found.y_score, months),
            analysis=analysis,
            scores="y_score",
            features=(),
            profile=replace(profile, baseline=baseline, calibration=calibration),
            calibrate=seconds,
        )


def shipped_cases(peer, names=None):
    """Return NannyML's own data sets, its reference period as the calibration."""
    for one in SHIPPED:
        if names is not None and one["name"] not in names:
            continue
        reference, analysis, targets = peer.data_set(one["name"])
        analysis = analysis.merge(targets, on="id", validate="1:1")
        parts = []
        for frame in (reference, analysis):
            named = frame.rename(columns=one.get("columns", {})).reset_index(drop=True)
            parts.append(named.assign(chunk=_tenths(named[one["when"]])))
        more = {what: one[what] for what in ("scores", "threshold", "features") if what in one}
        yield recorded(one["title"], one["task"], *parts, **more)


def _frame(y_true, y_score, chunk):
    y_score = np.asarray(y_score)
    return pd.DataFrame(
        {
            "y_true": np.asarray(y_true),
            "y_pred": (y_score > 0.5).astype("int64"),
            "y_score": y_score,
            "chunk": np.asarray(chunk),
        }
    )


def _local(known, form):
    return known.departure.dt.tz_convert(flights.ZONE).dt.strftime(form)


def _tenths(when):
    """Name the tenth that a row is in, in the order of the rows, and where it begins."""
    which = np.arange(len(when)) * CHUNKS // len(when)
    first = np.searchsorted(which, np.arange(CHUNKS))
    names = [f"{i}, from {str(when.iloc[row])[:10]}" for i, row in enumerate(first, 1)]
    return np.asarray(names, dtype=object)[which]
