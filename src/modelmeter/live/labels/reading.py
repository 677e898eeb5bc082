"""What the store says to whoever exports it, and how old things leave it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, case, delete, func, literal, select, tuple_

from modelmeter.live.labels.database import Database
from modelmeter.live.labels.ledger import HOUR
from modelmeter.live.labels.records import OUTCOMES, OutcomeKind
from modelmeter.live.labels.schema import hours, models, predictions, totals, waiting
from modelmeter.live.labels.session import STEP, Session

_COUNTED_AT_MOST: Final = 100_000


class Total(NamedTuple):
    """One series: what all labels of the store have added to it since the store was made."""

    metric: str
    model: str
    version: str
    labels: tuple[str, ...]
    value: float


class Coverage(NamedTuple):
    """Predictions of an age, and how many of them have a label.

    Parameters
    ----------
    model, version
        Who predicted.
    age
        Upper bound of the age in seconds, infinite for the oldest; the lower bound is the
        next smaller one asked for. Good to an hour.
    predictions, labels
        Numbers of rows.
    """

    model: str
    version: str
    age: float
    predictions: int
    labels: int


class Progress(NamedTuple):
    """How labelling of a model stands.

    Parameters
    ----------
    model, version
        Who predicted.
    pending
        Predictions without a label.
    oldest_pending
        Unix time of the hour of the oldest of them, None where there is none.
    last_label
        Unix time at which the last label was counted, None before the first.
    """

    model: str
    version: str
    pending: int
    oldest_pending: float | None
    last_label: float | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of the whole store at one moment, the same whoever reads it.

    Parameters
    ----------
    store
        Id of the store.
    totals
        Every series that was ever declared or added to, `OUTCOMES` among them.
    coverage
        By age, for every model with predictions that still wait or have waited.
    progress
        One for every model of the store.
    waiting
        Labels whose prediction is not there yet; counted up to 100,000.
    """

    store: str
    totals: tuple[Total, ...]
    coverage: tuple[Coverage, ...]
    progress: tuple[Progress, ...]
    waiting: int


def read_snapshot(
    connection: Connection, store: str, *, now: float, oldest: float, ages: Sequence[float]
) -> Snapshot:
    """Read everything that is exported.

    Parameters
    ----------
    connection
        Within a transaction.
    store
        Id of the store.
    now
        Unix time.
    oldest
        Unix time before which predictions no longer wait.
    ages
        Upper bounds of ages in seconds.
    """
    names = {
        key: (model, version)
        for key, model, version in connection.execute(select(models).order_by(models.c.model_key))
    }
    series, last_labels = _read_totals(connection, names)
    coverage, pending = _read_hours(connection, names, now=now, oldest=oldest, ages=ages)
    progress = tuple(
        Progress(*name, *pending.get(key, (0, None)), last_labels.get(key))
        for key, name in names.items()
    )
    some = select(literal(1)).select_from(waiting).limit(_COUNTED_AT_MOST).subquery()
    number = connection.execute(select(func.count()).select_from(some)).scalar_one()
    return Snapshot(store, series, coverage, progress, number)


def declare(
    connection: Connection,
    database: Database,
    session: Session,
    series: Mapping[tuple[str, str], Sequence[tuple[str, tuple[str, ...]]]],
) -> None:
    """Add series at zero, by model and version, where they are not there yet.

    A counter that appears with its first count is one that Prometheus never sees rise.
    """
    rows = [
        {
            **{"shard": 0, "model_key": session.key(*name), "metric": metric},
            **{"labels": json.dumps(labels), "value": 0.0, "updated": 0.0},
        }
        for name, declared in sorted(series.items())
        for metric, labels in sorted(set(declared))
    ]
    if rows:
        connection.execute(database.insert(totals).on_conflict_do_nothing(), rows)


def oldest_kept(connection: Connection, *, oldest: float, most: int) -> float:
    """Return from when on predictions are kept, so that there are not too many of them.

    Parameters
    ----------
    connection
        Within a transaction.
    oldest
        Unix time before which none is kept anyway.
    most
        How many are kept; those of the hour in which there would be more stay too.

    Returns
    -------
    float
        Unix time: `oldest`, or the beginning of an hour after it.
    """
    made = func.sum(hours.c.predictions)
    by_hour = select(hours.c.hour, made).group_by(hours.c.hour).order_by(hours.c.hour.desc())
    total = 0
    for hour, rows in connection.execute(by_hour):
        total += rows
        if total > most:
            return max(oldest, float(hour * HOUR))
    return oldest


def prune(connection: Connection, *, oldest: float) -> int:
    """Delete at most 1,000 predictions from before a time; return how many.

    Rows that somebody else is about to delete or to label are left for the next time.
    """
    key = (predictions.c.id, predictions.c.model_key)
    old = (
        select(*key)
        .where(predictions.c.time < oldest)
        .order_by(predictions.c.time)
        .limit(STEP)
        .with_for_update(skip_locked=True)
    )
    gone = connection.execute(delete(predictions).where(tuple_(*key).in_(old))).rowcount
    connection.execute(delete(hours).where((hours.c.hour + 1) * HOUR <= oldest))
    return gone


def _read_totals(
    connection: Connection, names: Mapping[int, tuple[str, str]]
) -> tuple[tuple[Total, ...], dict[int, float]]:
    series = (totals.c.model_key, totals.c.metric, totals.c.labels)
    statement = select(*series, func.sum(totals.c.value), func.max(totals.c.updated))
    found, last_labels = [], {}
    counted = json.dumps([str(OutcomeKind.COUNTED)])
    for key, metric, labels, value, updated in connection.execute(
        statement.group_by(*series).order_by(*series)
    ):
        found.append(Total(metric, *names[key], tuple(json.loads(labels)), value))
        if metric == OUTCOMES and labels == counted and updated:
            last_labels[key] = updated
    return tuple(found), last_labels


def _read_hours(
    connection: Connection,
    names: Mapping[int, tuple[str, str]],
    *,
    now: float,
    oldest: float,
    ages: Sequence[float],
) -> tuple[tuple[Coverage, ...], dict[int, tuple[int, float | None]]]:
    bounds = [*sorted(set(ages)), math.inf]
    hourly = (
        select(
            hours.c.model_key,
            hours.c.hour,
            func.sum(hours.c.predictions).label("predictions"),
            func.sum(hours.c.labels).label("labels"),
        )
        .where((hours.c.hour + 1) * HOUR > oldest)
        .group_by(hours.c.model_key, hours.c.hour)
        .subquery()
    )
    # The age of an hour's middle: as often too old as too young.
    limits = [
        (hourly.c.hour * HOUR >= now - age - HOUR / 2, i) for i, age in enumerate(bounds[:-1])
    ]
    bucket: Any = case(*limits, else_=len(limits)) if limits else literal(0)
    open_hour = case((hourly.c.predictions > hourly.c.labels, hourly.c.hour))
    statement = select(
        hourly.c.model_key,
        bucket.label("bucket"),
        func.sum(hourly.c.predictions),
        func.sum(hourly.c.labels),
        func.min(open_hour),
    ).group_by(hourly.c.model_key, "bucket")
    coverage: dict[tuple[int, int], tuple[int, int]] = {}
    pending: dict[int, tuple[int, float | None]] = {}
    for key, i, rows, labelled, first_open in connection.execute(statement):
        coverage[key, i] = (int(rows), int(labelled))
        sofar, oldest_open = pending.get(key, (0, None))
        if first_open is not None:
            start = float(first_open * HOUR)
            oldest_open = start if oldest_open is None else min(oldest_open, start)
        pending[key] = (sofar + int(rows) - int(labelled), oldest_open)
    return (
        tuple(
            Coverage(*names[key], age, *coverage.get((key, i), (0, 0)))
            for key in sorted(pending)
            for i, age in enumerate(bounds)
        ),
        pending,
    )
