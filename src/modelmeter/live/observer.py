"""One model's counting: from rows and predictions to bins."""

from __future__ import annotations

import logging
import math
import time
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from modelmeter import names
from modelmeter.live.counts import Block, Counts
from modelmeter.live.freshness import Freshness
from modelmeter.live.placing import Part, Plan, RowPlacer, count_column, count_columns, plans_of
from modelmeter.live.reference import export_reference
from modelmeter.live.request import current_request
from modelmeter.live.rows import Columns, Rows, split
from modelmeter.profile.columns import Array
from modelmeter.profile.facts import Y_PRED, Y_SCORE, as_labels, as_scores, classes_of_scores
from modelmeter.profile.profile import Profile

logger = logging.getLogger("modelmeter")


# The rows that a service holds, for the frame that it builds of them.
_observed_instead: ContextVar[Mapping[Observer, Any] | None] = ContextVar(
    "modelmeter_observed_instead", default=None
)


class Observer:
    """Counts what one model is given and what it answers.

    Parameters
    ----------
    profile
        What training looked like: it fixes the bins.
    directory
        Where the workers of one service keep their counts, None for a single process.
    """

    def __init__(self, profile: Profile, *, directory: str | Path | None = None) -> None:
        self.profile = profile
        self.labels = (profile.name, profile.version)
        self.counts = Counts(directory)
        self._features = [f.name for f in profile.features]
        self._block = self.counts.block(names.FEATURE_BIN, export_reference(profile, self.counts))
        plans = plans_of(profile)
        self._plans = plans[: len(self._features)]
        self._place = RowPlacer(self._plans).place
        self._outputs = {plan.name: plan for plan in plans[len(self._features) :]}
        self._absent = self.counts.block(
            names.FEATURE_ABSENT, [(*self.labels, name) for name in self._features]
        ).cells
        self._freshness = Freshness(self.counts, self.labels, self._features)
        outcomes = [(*self.labels, "ok"), (*self.labels, "error")]
        self._predictions = self.counts.block(names.PREDICTIONS, outcomes).cells
        self._seconds = self.counts.block(names.PREDICTION_SECONDS, [self.labels]).cells
        self._rows = self.counts.block(names.PREDICTION_ROWS, [self.labels]).cells
        self._last_prediction = self.counts.block(names.LAST_PREDICTION, [self.labels]).cells
        self._failures: dict[str, Block] = {}
        self._failure_block("observe")

    def observe(
        self, X: Any, y_pred: Any = None, y_score: Any = None, *, seconds: float | None = None
    ) -> None:
        """Count rows and the answers to them; never raises.

        Parameters
        ----------
        X
            One row as a dict, rows as a list of dicts, a data frame, or an array of shape
            (n_rows, n_features) in the order of the profile's features; None to count
            answers only.
        y_pred
            Predicted classes or values, shape (n_rows,). Derived from `y_score` where it
            is not given and the scores say it.
        y_score
            Scores of the positive class, shape (n_rows,), or what ``predict_proba`` or
            ``decision_function`` gave.
        seconds
            Time spent in the model for these rows.
        """
        try:
            self._observe(X, y_pred, y_score, seconds)
        except Exception as error:  # noqa: BLE001 - monitoring never breaks a prediction
            self._fail("observe", error)

    def observe_outputs(
        self, y_pred: Any = None, y_score: Any = None, *, derive: bool = True
    ) -> None:
        """Count more answers to rows that were counted before; never raises.

        Parameters
        ----------
        y_pred, y_score
            As in `observe`.
        derive
            Whether classes are derived from scores where `y_pred` is not given.
        """
        try:
            cells, parts = self._count_outputs(self._outputs_of(y_pred, y_score, derive=derive))
            self._add(cells, parts)
        except Exception as error:  # noqa: BLE001 - monitoring never breaks a prediction
            self._fail("observe", error)

    @contextmanager
    def observing(self, rows: Any) -> Iterator[None]:
        """Count these rows instead of the frame that the model is given meanwhile.

        A service that builds a frame from a request observes the request itself: it is
        cheaper, and tells a field that was absent from one that was null.

        Parameters
        ----------
        rows
            What `observe` takes, with as many rows as the frame.
        """
        token = _observed_instead.set({**(_observed_instead.get() or {}), self: rows})
        try:
            yield
        finally:
            _observed_instead.reset(token)

    def failed(self, rows: int) -> None:
        """Count rows for which the model raised."""
        self._mark_request()
        with self.counts.lock:
            self._predictions[1] += rows

    @contextmanager
    def guard(self, where: str) -> Iterator[None]:
        """Swallow, count and log once any failure of monitoring code."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - monitoring never breaks a prediction
            self._fail(where, error)

    def _observe(self, X: Any, y_pred: Any, y_score: Any, seconds: float | None) -> None:
        self._mark_request()
        now = time.time()
        instead = _observed_instead.get()
        if instead is not None:
            X = instead.get(self, X)
        rows: Rows = [X] if type(X) is dict else [] if X is None else split(X, self._features)
        outputs = self._outputs_of(y_pred, y_score)
        size = rows.rows if isinstance(rows, Columns) else len(rows)
        if X is None and outputs:
            size = len(outputs[0][1])
        for plan, values in outputs:
            if len(values) != size:
                raise ValueError(f"{plan.name} has {len(values)} values for {size} rows")
        if not size:
            return
        if seconds is not None and not 0 <= seconds < math.inf:
            seconds = None  # the clock was set back
        cells, parts = self._count_outputs(outputs) if outputs else ([], [])
        absent: list[tuple[int, int]] = []
        if isinstance(rows, Columns):
            counted, absent = count_columns(self._plans, rows)
            parts += counted
        else:
            for row in rows:
                self._place(row, cells, absent)
        self._add(cells, parts, absent, rows=size, seconds=seconds, now=now)
        self._freshness.look(now, rows)

    @staticmethod
    def _count_outputs(outputs: Sequence[tuple[Plan, Array]]) -> tuple[list[int], list[Part]]:
        """Return the cells of a single answer, or the counts of several."""
        cells = [p.start + p.bins.index(values[0]) for p, values in outputs if len(values) == 1]
        return cells, [count_column(p, values) for p, values in outputs if len(values) > 1]

    def _outputs_of(
        self, y_pred: Any, y_score: Any, *, derive: bool = True
    ) -> Sequence[tuple[Plan, Array]]:
        """Return the outputs that the profile knows, each of shape (n_rows,)."""
        if y_pred is None and y_score is None:
            return ()
        found: list[tuple[Plan, Array]] = []
        if y_pred is None and y_score is not None and derive:
            y_pred = classes_of_scores(self.profile.model, y_score)
        if y_pred is not None and (plan := self._outputs.get(Y_PRED)):
            found.append((plan, as_labels(y_pred)))
        if y_score is not None and (plan := self._outputs.get(Y_SCORE)):
            found.append((plan, as_scores(y_score)))
        return found

    def _add(
        self,
        cells: Sequence[int],
        parts: Sequence[Part],
        absent: Sequence[tuple[int, int]] = (),
        *,
        rows: int = 0,
        seconds: float | None = None,
        now: float = 0.0,
    ) -> None:
        """Add to the counts, all at once."""
        counts, values = self._block.cells, self._block.values
        with self.counts.lock:
            for cell in cells:
                counts[cell] += 1.0
            for where, part in parts:
                values[where] += part
            for i, lacking in absent:
                self._absent[i] += lacking
            if rows:
                self._predictions[0] += rows
                self._last_prediction[0] = now
                # A histogram of one series: its buckets, and last the sum.
                self._rows[bisect_left(names.PREDICTION_ROWS.buckets, rows)] += 1.0
                self._rows[-1] += rows
                if seconds is not None:
                    self._seconds[bisect_left(names.PREDICTION_SECONDS.buckets, seconds)] += 1.0
                    self._seconds[-1] += seconds

    def _mark_request(self) -> None:
        record = current_request.get()
        if record is not None and record.model is None:
            record.model = self.labels

    def _failure_block(self, where: str) -> Block:
        if where not in self._failures:
            self._failures[where] = self.counts.block(names.FAILURES, [(where,)])
        return self._failures[where]

    def _fail(self, where: str, error: Exception) -> None:
        try:
            block = self._failure_block(where)
        except OSError:  # no space left for a new series
            block = self._failures["observe"]
        with self.counts.lock:
            block.cells[0] += 1
            first = block.cells[0] == 1
        if first:
            logger.warning(
                "monitoring of %s failed in %s (logged once, counted in %s): %r",
                "/".join(self.labels),
                where,
                names.FAILURES.name,
                error,
                exc_info=error,
            )
