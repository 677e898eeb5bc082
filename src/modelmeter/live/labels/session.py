"""One transaction's work: predictions that come in, labels that are matched to them.

Whoever counts a label holds the row of its prediction: SQLite has one writer at a time, on
PostgreSQL the rows are locked when they are read (in the order of their ids, so that two
transactions do not wait for each other). So of all who bring a label for a prediction, in
whatever process, exactly one finds it without a label, sets it, and adds to the totals, all in
one commit.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, select

from modelmeter._errors import StoreUnavailableError
from modelmeter.live.ids import time_of_id
from modelmeter.live.labels.bulk import insert_new, update_rows
from modelmeter.live.labels.checks import check_id
from modelmeter.live.labels.database import Database
from modelmeter.live.labels.ledger import Ledger
from modelmeter.live.labels.records import (
    Label,
    Outcome,
    OutcomeKind,
    Prediction,
    TallyLabel,
)
from modelmeter.live.labels.schema import models, predictions, waiting

STEP: Final = 1000
"""Rows that upkeep works on in one transaction."""

_DAY: Final = 86_400.0
_PARTS: Final = ("y_pred", "ord", "bin", "value")  # of a prediction, when they come apart


@dataclass(frozen=True, slots=True)
class Policy:
    """How labels are counted and how long things are kept.

    Parameters
    ----------
    tally
        Says what a label adds to.
    retention_seconds
        How long a prediction waits for its label.
    grace_seconds
        How long a label waits for its prediction.
    """

    tally: TallyLabel
    retention_seconds: float
    grace_seconds: float


class CollisionError(StoreUnavailableError):
    """Two transactions wrote the same ids at the same moment; the next try sees them."""


class Session:
    """Work within one transaction; `finish` it before the commit.

    Parameters
    ----------
    connection
        Within a transaction that may write.
    database
        Of the connection.
    policy
        Of the store.
    now
        Unix time.
    """

    def __init__(
        self, connection: Connection, database: Database, policy: Policy, now: float
    ) -> None:
        self._connection = connection
        self._database = database
        self._policy = policy
        self._now = now
        self._oldest = now - policy.retention_seconds
        self._ledger = Ledger()
        self._labelled: list[dict[str, Any]] = []
        self._keys: dict[tuple[str, str], int] = {}
        self._names: dict[int, tuple[str, str]] = {}
        self._read_models()

    def key(self, model: str, version: str) -> int:
        """Return the number that stands for a model and version, a new one if need be."""
        if (model, version) not in self._keys:
            new = self._database.insert(models).values(model=model, version=version)
            self._connection.execute(new.on_conflict_do_nothing())
            self._read_models()
        return self._keys[model, version]

    def add(self, records: Sequence[Prediction]) -> int:
        """Add predictions and count the labels that waited for them.

        A prediction may come in two parts, its class and its score from two calls of the
        model: a record whose id is there completes what is there, and changes nothing.

        Returns
        -------
        int
            How many had nothing to add, because their id was there already.

        Raises
        ------
        CollisionError
            Another transaction wrote one of the ids at the same moment; try again.
        """
        rows: dict[tuple[str, int], dict[str, Any]] = {}
        repeated = 0
        for record in records:
            row = self._row_of(record)
            first = rows.setdefault((row["id"], row["model_key"]), row)
            if first is not row and not _complete(first, row):
                repeated += 1
        repeated += self._insert(rows)
        by_model = defaultdict(set)
        for record in records:
            by_model[record.model].add(check_id(record.id))
        for model, ids in sorted(by_model.items()):
            self.settle(ids, model)
        return repeated

    def label(self, labels: Sequence[Label], model: str, version: str) -> list[Outcome | None]:
        """Match labels with predictions of a model, of any of its versions.

        Parameters
        ----------
        labels
            In the order in which they came.
        model, version
            Who was asked; `version` only says under which one a label is counted that is
            for no prediction.

        Returns
        -------
        list of Outcome or None
            In the order of the labels; None where there is no such prediction.
        """
        self.settle({label.id for label in labels}, model)
        found = self._find({label.id for label in labels}, model)
        outcomes: list[Outcome | None] = []
        for label in labels:
            rows = found.get(label.id)
            outcomes.append(self._apply(label, rows) if rows else None)
        self._save_labels()
        return outcomes

    def wait(self, labels: Sequence[Label], model: str, version: str) -> list[Outcome]:
        """Keep labels until their predictions come; the first of an id stays."""
        key = self.key(model, version)
        first = {label.id: label for label in reversed(labels)}
        rows = [
            {
                **{"id": id_, "model": model, "model_key": key, "y_true": first[id_].y_true},
                **{"time": first[id_].time, "received": self._now},
            }
            for id_ in sorted(first)
        ]
        insert_new(self._connection, waiting, rows)
        kept = {row.id: row.y_true for row in self._waiting_for(first, model)}
        minutes = self._policy.grace_seconds / 60
        outcomes = []
        for label in labels:
            if kept.get(label.id, label.y_true) == label.y_true:
                reason = (
                    "no prediction has this id so far; the label is kept, and counted if its "
                    f"prediction comes within {minutes:g} minutes"
                )
                outcomes.append(Outcome(label.id, OutcomeKind.WAITING, reason))
            else:
                outcomes.append(_contradiction(label, kept[label.id]))
                self._ledger.add_outcome(key, OutcomeKind.CONTRADICTION)
        return outcomes

    def answer_gone(self, label: Label, model: str, version: str) -> Outcome | None:
        """Answer a label whose prediction was surely there once, None if it may yet come."""
        made = time_of_id(label.id)
        if made is None or made >= self._oldest:
            return None
        self._ledger.add_outcome(self.key(model, version), OutcomeKind.EXPIRED)
        return self._expired(label)

    def count_invalid(self, number: int, model: str, version: str) -> None:
        """Count labels that were refused before they came here."""
        self._ledger.add_outcome(self.key(model, version), OutcomeKind.INVALID, number)

    def settle(self, ids: Collection[str], model: str) -> None:
        """Count the waiting labels of predictions that are there by now."""
        rows = self._waiting_for(ids, model)
        if rows:
            self._settle(rows, model, final=False)

    def settle_overdue(self) -> int:
        """Give up waiting labels whose time is over, after a last look; return how many.

        A label and its prediction that were written at the same moment by two transactions,
        neither of which saw the other, are found here.
        """
        overdue = (
            select(waiting)
            .where(waiting.c.received < self._now - self._policy.grace_seconds)
            .order_by(waiting.c.received)
            .limit(STEP)
            .with_for_update(skip_locked=True)
        )
        rows = self._connection.execute(overdue).all()
        by_model = defaultdict(list)
        for row in rows:
            by_model[row.model].append(row)
        for model, group in sorted(by_model.items()):
            self._settle(group, model, final=True)
        return len(rows)

    def finish(self) -> None:
        """Add what has been counted to the totals."""
        self._ledger.write(self._connection, self._database, self._now)

    def _settle(self, rows: Iterable[Row[Any]], model: str, *, final: bool) -> None:
        by_id = {row.id: row for row in rows}
        found = self._find(by_id, model)
        done = [id_ for id_ in by_id if id_ in found or final]
        for id_ in done:
            row = by_id[id_]
            if id_ in found:
                self._apply(Label(id_, row.y_true, row.time), found[id_], again=True)
            else:
                self._ledger.add_outcome(row.model_key, OutcomeKind.ORPHAN)
        self._save_labels()
        if done:
            mine = (waiting.c.model == model) & self._database.among(waiting.c.id, done)
            self._connection.execute(delete(waiting).where(mine))

    def _apply(self, label: Label, rows: list[dict[str, Any]], *, again: bool = False) -> Outcome:
        """Say what becomes of a label, and do it."""
        key = rows[0]["model_key"]
        known = next((row["y_true"] for row in rows if row["y_true"] is not None), None)
        fresh = [row for row in rows if row["time"] >= self._oldest]
        if not fresh:
            outcome = self._expired(label)
        elif known not in (None, label.y_true):
            outcome = _contradiction(label, known)
        elif all(row["y_true"] is not None for row in fresh):
            outcome = Outcome(label.id, OutcomeKind.DUPLICATE, "this label is known already")
            if again:
                return outcome
        else:
            for row in fresh:
                if row["y_true"] is None:
                    self._count(label, row)
            outcome = Outcome(label.id, OutcomeKind.COUNTED, "counted")
        self._ledger.add_outcome(key, outcome.kind)
        return outcome

    def _count(self, label: Label, row: dict[str, Any]) -> None:
        row["y_true"] = label.y_true
        key, made = row["model_key"], row["time"]
        self._labelled.append({"id": row["id"], "model_key": key, "y_true": label.y_true})
        segments = tuple(json.loads(row["segments"])) if row["segments"] else ()
        kept = (row["y_pred"], row["ord"], row["bin"], row["value"])
        record = Prediction(
            row["id"], made, *self._names[key], *kept, segments=segments, center=row["center"]
        )
        lag = max(0.0, label.time - made)
        self._ledger.add(key, self._policy.tally(record, label.y_true, lag))
        self._ledger.add_to_hour(key, made, labels=1)

    def _save_labels(self) -> None:
        """Set the labels in the rows, so that whoever reads these next sees them."""
        if self._labelled:
            update_rows(self._connection, predictions, self._labelled)
            self._labelled = []

    def _expired(self, label: Label) -> Outcome:
        days = self._policy.retention_seconds / _DAY
        return Outcome(
            label.id,
            OutcomeKind.EXPIRED,
            f"the prediction is more than {days:g} days old and no longer waits for a label",
        )

    def _find(self, ids: Collection[str], model: str) -> dict[str, list[dict[str, Any]]]:
        """Return the predictions of these ids, locked until the commit."""
        keys = [key for (name, _), key in self._keys.items() if name == model]
        if not ids or not keys:
            return {}
        statement = (
            select(predictions)
            .where(self._database.among(predictions.c.id, ids), predictions.c.model_key.in_(keys))
            .order_by(predictions.c.id, predictions.c.model_key)
            .with_for_update()
        )
        found = defaultdict(list)
        for row in self._connection.execute(statement).mappings():
            found[row["id"]].append(dict(row))
        return found

    def _waiting_for(self, ids: Collection[str], model: str) -> Sequence[Row[Any]]:
        mine = (waiting.c.model == model) & self._database.among(waiting.c.id, ids)
        statement = select(waiting).where(mine).order_by(waiting.c.id).with_for_update()
        return self._connection.execute(statement).all()

    def _insert(self, rows: dict[tuple[str, int], dict[str, Any]]) -> int:
        """Insert predictions, complete those that are there; return how many add nothing."""
        among = self._database.among(predictions.c.id, {id_ for id_, _ in rows})
        completed, repeated = [], 0
        there = select(predictions).where(among).with_for_update()
        there = there.order_by(predictions.c.id, predictions.c.model_key)
        for known in self._connection.execute(there).mappings():
            row = rows.pop((known["id"], known["model_key"]), None)
            if row is None:
                continue
            merged = dict(known)
            if known["y_true"] is None and _complete(merged, row):
                kept = ("id", "model_key", *_PARTS)
                completed.append({name: merged[name] for name in kept})
            else:
                repeated += 1
        if completed:
            update_rows(self._connection, predictions, completed)
        # In the order of the ids: next to each other in the index, and two processes that
        # write the same ids do not wait for each other.
        new = [rows[row] for row in sorted(rows)]
        if new and insert_new(self._connection, predictions, new) != len(new):
            raise CollisionError("another process is writing predictions with the same ids")
        for row in new:
            self._ledger.add_to_hour(row["model_key"], row["time"], predictions=1)
        return repeated

    def _row_of(self, record: Prediction) -> dict[str, Any]:
        # float(): numpy's numbers are not the drivers'.
        value = None if record.value is None else float(record.value)
        return {
            "id": check_id(record.id),
            "model_key": self.key(record.model, record.version),
            "time": float(record.time),
            "y_pred": record.y_pred,
            "ord": record.ord,
            "bin": record.bin,
            "value": value if value is not None and math.isfinite(value) else None,
            "segments": json.dumps(record.segments) if record.segments else None,
            "center": record.center,
        }

    def _read_models(self) -> None:
        for key, model, version in self._connection.execute(select(models)):
            self._keys[model, version] = key
            self._names[key] = (model, version)


def _complete(row: dict[str, Any], other: Mapping[str, Any]) -> bool:
    """Fill in what a row lacks and another record of the same prediction has."""
    lacking = [name for name in _PARTS if row[name] is None and other[name] is not None]
    row.update({name: other[name] for name in lacking})
    return bool(lacking)


def _contradiction(label: Label, known: Any) -> Outcome:
    return Outcome(
        label.id,
        OutcomeKind.CONTRADICTION,
        f"the label {label.y_true!r} contradicts the earlier one, {known!r}, which stays",
    )
