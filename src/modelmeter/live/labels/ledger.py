"""What a transaction adds to the totals: gathered in memory, written at its end."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from functools import cache
from typing import Final

from sqlalchemy import Connection, Executable, case

from modelmeter.live.labels.bulk import insert_into
from modelmeter.live.labels.database import Database
from modelmeter.live.labels.records import OUTCOMES, OutcomeKind, Tally
from modelmeter.live.labels.schema import hours, totals

HOUR: Final = 3600


class Ledger:
    """Amounts to add to the totals, by model.

    Writers of the same total would wait for one another's commit, so every total is split
    into a few shards, of which a transaction takes one at random; what is read is their sum.
    """

    def __init__(self) -> None:
        self._amounts: dict[tuple[int, str, tuple[str, ...]], float] = {}
        self._hours: dict[tuple[int, int], list[int]] = {}

    def add(self, model_key: int, tallies: Iterable[Tally]) -> None:
        """Add amounts to series of a model."""
        amounts = self._amounts
        for metric, labels, amount in tallies:
            series = (model_key, metric, labels)
            amounts[series] = amounts.get(series, 0.0) + amount

    def add_outcome(self, model_key: int, kind: OutcomeKind, number: int = 1) -> None:
        """Count labels by what became of them."""
        self.add(model_key, [Tally(OUTCOMES, (str(kind),), number)])

    def add_to_hour(
        self, model_key: int, time: float, *, predictions: int = 0, labels: int = 0
    ) -> None:
        """Count predictions, or labels of predictions, made at a time."""
        sums = self._hours.setdefault((model_key, int(time // HOUR)), [0, 0])
        sums[0] += predictions
        sums[1] += labels

    def write(self, connection: Connection, database: Database, now: float) -> None:
        """Write it all, in an order that all writers share, so that none deadlock."""
        shard = random.randrange(database.shards)
        if self._hours:
            connection.execute(
                _adding_hours(is_sqlite=database.is_sqlite),
                [
                    {"shard": shard, "model_key": k, "hour": h, "predictions": p, "labels": n}
                    for (k, h), (p, n) in sorted(self._hours.items())
                ],
            )
        if self._amounts:
            connection.execute(
                _adding_totals(is_sqlite=database.is_sqlite),
                [
                    {
                        "shard": shard,
                        "model_key": key,
                        "metric": metric,
                        "labels": json.dumps(labels),
                        "value": amount,
                        "updated": now,
                    }
                    for (key, metric, labels), amount in sorted(self._amounts.items())
                ],
            )


@cache
def _adding_totals(*, is_sqlite: bool) -> Executable:
    insert = insert_into(totals, is_sqlite=is_sqlite)
    new = insert.excluded
    latest = case((new.updated > totals.c.updated, new.updated), else_=totals.c.updated)
    return insert.on_conflict_do_update(
        index_elements=totals.primary_key.columns.keys(),
        set_={"value": totals.c.value + new.value, "updated": latest},
    )


@cache
def _adding_hours(*, is_sqlite: bool) -> Executable:
    insert = insert_into(hours, is_sqlite=is_sqlite)
    new = insert.excluded
    return insert.on_conflict_do_update(
        index_elements=hours.primary_key.columns.keys(),
        set_={
            "predictions": hours.c.predictions + new.predictions,
            "labels": hours.c.labels + new.labels,
        },
    )
