"""Counts the labels of a history by step, as the label store would have counted them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np

from modelmeter import names
from modelmeter.live.kept import Form, Kept
from modelmeter.live.label_families import label_families
from modelmeter.live.labels.reading import Coverage, Snapshot, Total
from modelmeter.live.labels.records import OUTCOMES, OutcomeKind
from modelmeter.live.labels.store import AGES
from modelmeter.live.outputs import Answer
from modelmeter.live.tallies import check_of, series_of, tally_of
from modelmeter.profile.columns import Array
from modelmeter.profile.profile import Profile
from modelmeter.rehearsal.counting import is_whole
from modelmeter.rehearsal.history import Part, missing_in
from modelmeter.rehearsal.table import Family, Places, Table
from modelmeter.stats.values import Floats

Clock = Callable[[Floats], Places]
"""Turns times into numbers of steps."""

_STORE: Final = "history"
_RETENTION: Final = 90 * 86_400.0
_NEVER: Final = np.iinfo(np.intp).max // 2


class LabelCounter:
    """Counts labels when they come, and how many predictions of an age have one.

    Parameters
    ----------
    profile
        Of the model.
    form
        What is kept of its predictions.
    step
        Seconds.
    """

    def __init__(self, profile: Profile, form: Form, step: float) -> None:
        self._form = form
        self._check, self._tally = check_of(profile), tally_of(profile)
        self._labels = (profile.name, profile.version)
        bounds = (0.0, *AGES, _RETENTION)
        self._ages = [math.ceil(age / step) for age in bounds]
        self._found = label_families(self._empty(profile), profile.name)

    def families(self) -> list[Family]:
        """Return the series that it counts."""
        return [
            Family(
                family.metric.name,
                family.metric.labels,
                [row for row in family.rows if is_whole(family.metric, row)],
            )
            for family in self._found
            if family.metric is not names.LABEL_LAG
        ]

    def count(
        self, part: Part, answer: Answer, steps: Places, clock: Clock, table: Table
    ) -> tuple[int, int]:
        """Count the labels of some rows.

        Parameters
        ----------
        part, answer
            The rows, and what the model said of them.
        steps
            In which step each was predicted.
        clock
            Tells in which step a label comes.
        table
            Made with `families`, among others.

        Returns
        -------
        tuple of int
            How many labels came in time, and how many can be no label of this model.
        """
        if part.target is None or part.label_times is None:
            return 0, 0
        comes = np.full(len(steps), _NEVER, dtype=np.intp)
        known = np.flatnonzero(~missing_in(part.target) & ~np.isnan(part.label_times))
        comes[known] = clock(part.label_times[known])
        invalid = self._count_totals(part.target, answer, known, comes, table)
        self._count_coverage(steps, comes, table)
        return int((comes < table.steps).sum()), invalid

    def _count_totals(
        self, target: Array, answer: Answer, known: Places, comes: Places, table: Table
    ) -> int:
        cells = self._cells(table)
        kept = Kept(self._form, answer)
        where: list[int] = []
        amounts: list[float] = []
        when: list[int] = []
        invalid = 0
        for row, value, step in zip(
            known.tolist(), target[known].tolist(), comes[known].tolist(), strict=True
        ):
            try:
                y_true = self._check(value)
            except ValueError:
                invalid += 1
                comes[row] = _NEVER
                continue
            for tally in self._tally(kept[row], y_true, 0.0):
                cell = cells.get((tally.metric, tally.labels))
                if cell is not None:
                    where.append(cell)
                    amounts.append(tally.amount)
                    when.append(step)
        table.add(
            np.asarray(when, dtype=np.intp), np.asarray(where, dtype=np.intp), np.asarray(amounts)
        )
        counted = cells[OUTCOMES, (str(OutcomeKind.COUNTED),)]
        table.add(comes[known][comes[known] < _NEVER], counted)
        return invalid

    def _cells(self, table: Table) -> dict[tuple[str, tuple[str, ...]], int]:
        found = {}
        for family in self.families():
            metric = OUTCOMES if family.name == names.LABELS.name else family.name
            for i, row in enumerate(family.rows):
                # After model, version and store come what the tallies name.
                found[metric, row[3:]] = table.starts[family.name] + i
        return found

    def _count_coverage(self, steps: Places, comes: Places, table: Table) -> None:
        """Let every prediction enter and leave each span of ages, without and with its label."""
        predictions = table.starts[names.COVERAGE_PREDICTIONS.name]
        labels = table.starts[names.COVERAGE_LABELS.name]
        for i, (low, high) in enumerate(zip(self._ages, self._ages[1:], strict=False)):
            enters, leaves = steps + low, steps + high
            table.add(enters, predictions + i)
            table.add(leaves, predictions + i, -1.0)
            labelled = np.maximum(comes, enters)
            there = labelled < leaves
            table.add(labelled[there], labels + i)
            table.add(leaves[there], labels + i, -1.0)

    def _empty(self, profile: Profile) -> Snapshot:
        """Return the state of a store in which nothing is, with all its series."""
        totals = (Total(metric, *self._labels, one, 0.0) for metric, one in series_of(profile))
        ages = (Coverage(*self._labels, age, 0, 0) for age in (*AGES, math.inf))
        return Snapshot(_STORE, tuple(totals), tuple(ages), (), 0)
