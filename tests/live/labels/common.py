"""What the tests of the label store share."""

from __future__ import annotations

import time
from collections import Counter

from sqlalchemy import create_engine, func, select

from modelmeter.live.labels import OUTCOMES, LabelStore, Prediction, Tally, class_check
from modelmeter.live.labels.schema import hours, predictions, totals
from modelmeter.live.labels.urls import parse_url

CHECK = class_check([0, 1])
MODEL = {"model": "late", "version": "1"}


def tally(prediction, y_true, lag):
    """Count the truth by score bin, in all rows and in each segment, and the lag's sum."""
    found = [Tally("bin", (s, prediction.ord, y_true)) for s in ("", *prediction.segments)]
    return [*found, Tally("lag", (), lag)]


def made(*ids, time=None, **kept):
    """Make predictions of the model late/1."""
    given = {"model": "late", "version": "1", "y_pred": "1", "ord": "03", **kept}
    moment = now() if time is None else time
    return [Prediction(id=id_, time=moment, **given) for id_ in ids]


def now():
    return time.time()


def item(id_, y_true=1, **more):
    return {"prediction_id": id_, "y_true": y_true, **more}


def label(store, *items, model="late", version="1", check=CHECK, **more):
    """Label, and return what became of it, as text."""
    found = store.label(items, model=model, version=version, check=check, **more)
    return [str(outcome.kind) for outcome in found]


def outcomes(store):
    """Return how many labels ended how."""
    return values(store, OUTCOMES)


def values(store, metric):
    """Return the totals of a metric by their labels, one label bare, those at zero left out."""
    sums = Counter()
    for total in store.snapshot().totals:
        if total.metric == metric and total.value:
            labels = total.labels[0] if len(total.labels) == 1 else total.labels
            sums[labels] += total.value
    return dict(sums)


def read(url, statement):
    """Return the rows of a query, over a connection of its own."""
    engine = create_engine(parse_url(url))
    try:
        with engine.connect() as connection:
            return connection.execute(statement).all()
    finally:
        engine.dispose()


def check_books(url):
    """See that the totals are what the rows say; return how many labels there are."""
    [(rows, labelled)] = read(url, select(func.count(), func.count(predictions.c.y_true)))
    counted = totals.c.labels == '["counted"]'
    [(total,)] = read(url, select(func.sum(totals.c.value)).where(counted))
    [(booked, booked_labels)] = read(
        url, select(func.sum(hours.c.predictions), func.sum(hours.c.labels))
    )
    bins = select(predictions.c.y_true, func.count()).group_by(predictions.c.y_true)
    by_truth = {y: float(n) for y, n in read(url, bins) if y is not None}
    sums = select(totals.c.labels, func.sum(totals.c.value)).where(totals.c.metric == "bin")
    by_total = {row[0]: row[1] for row in read(url, sums.group_by(totals.c.labels))}
    assert by_total == {f'["", "03", "{y}"]': n for y, n in by_truth.items()}
    assert (booked or 0, booked_labels or 0) == (rows, labelled)
    assert (total or 0) == labelled
    return labelled


def open_store(url, **more):
    return LabelStore(url, tally=tally, **more)
