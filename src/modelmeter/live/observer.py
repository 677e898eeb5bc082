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
from typing import TYPE_CHECKING, Any

from modelmeter import names
from modelmeter.live.counts import Block, Counts, OnRestart
from modelmeter.live.freshness import Freshness
from modelmeter.live.ids import Ids, next_ids, note_ids, settled_ids
from modelmeter.live.outputs import OutputCounter, Outputs, Places
from modelmeter.live.placing import Part, RowPlacer, count_columns, plans_of
from modelmeter.live.reference import export_reference
from modelmeter.live.request import current_request
from modelmeter.live.rows import Columns, Rows, split
from modelmeter.live.schema_check import SchemaCheck
from modelmeter.profile.profile import Profile

if TYPE_CHECKING:
    from modelmeter.live.feedback import Feedback

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
    on_restart
        As of `Counts`.
    """

    def __init__(
        self,
        profile: Profile,
        *,
        directory: str | Path | None = None,
        on_restart: OnRestart = "keep",
    ) -> None:
        self.profile = profile
        self.labels = (profile.name, profile.version)
        self.counts = Counts(directory, on_restart=on_restart)
        self._features = [f.name for f in profile.features]
        self._block = self.counts.block(names.FEATURE_BIN, export_reference(profile, self.counts))
        plans = plans_of(profile)
        self._plans = plans[: len(self._features)]
        self._place = RowPlacer(self._plans).place
        self._outputs = OutputCounter(profile, plans[len(self._features) :], self.counts)
        self._feedback: Feedback | None = None
        self._absent = self.counts.block(
            names.FEATURE_ABSENT, [(*self.labels, name) for name in self._features]
        ).cells
        self._freshness = Freshness(self.counts, self.labels, self._features)
        self._schema = SchemaCheck(profile, self.counts)
        outcomes = [(*self.labels, "ok"), (*self.labels, "error")]
        self._predictions = self.counts.block(names.PREDICTIONS, outcomes).cells
        self._seconds = self.counts.block(names.PREDICTION_SECONDS, [self.labels]).cells
        self._rows = self.counts.block(names.PREDICTION_ROWS, [self.labels]).cells
        self._last_prediction = self.counts.block(names.LAST_PREDICTION, [self.labels]).cells
        canary = ("equal", "different", "failed") if profile.canary is not None else ()
        self._canary = self.counts.block(
            names.CANARY_ROWS, [(*self.labels, outcome) for outcome in canary]
        )
        self._failures: dict[str, Block] = {}
        self._failure_block("observe")

    def observe(
        self,
        X: Any,
        y_pred: Any = None,
        y_score: Any = None,
        *,
        seconds: float | None = None,
        prediction_id: Ids | None = None,
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
        prediction_id
            Id by which a label will name the prediction, or one for every row; made where
            it is not given (see `prediction_ids`).
        """
        try:
            self._observe(X, y_pred, y_score, seconds, prediction_id)
        except Exception as error:  # noqa: BLE001 - monitoring never breaks a prediction
            self._fail("observe", error)

    def observe_outputs(
        self,
        X: Any,
        y_pred: Any = None,
        y_score: Any = None,
        *,
        derive: bool = True,
        prediction_id: Ids | None = None,
    ) -> None:
        """Count more answers to rows that were counted before; never raises.

        Parameters
        ----------
        X, y_pred, y_score
            As in `observe`; the rows only say to which segments the answers belong.
        derive
            Whether classes are derived from scores where `y_pred` is not given.
        prediction_id
            Under which the first answer was kept; this one completes it.
        """
        try:
            outputs = self._outputs.bring(y_pred, y_score, derive=derive)
            if outputs is None:
                return
            X = self._instead_of(X)
            segments: Sequence[Places] = ()
            if X is not None and self._outputs.segmented:
                segments = self._outputs.segment_places(split(X, self._features), outputs.rows)
            cells, parts = self._outputs.count(outputs, segments)
            self._add(cells, parts, outputs=outputs, segments=segments)
            if prediction_id is not None:
                self._keep(prediction_id, time.time(), outputs, segments, completes=True)
        except Exception as error:  # noqa: BLE001 - monitoring never breaks a prediction
            self._fail("observe", error)

    def keep_for_labels(self, url: str | Path, *, retention_days: float = 90.0) -> Feedback:
        """Keep every prediction from now on until its label comes.

        Parameters
        ----------
        url
            ``sqlite:///labels.db``, ``postgresql://user@host/database``, or the path of an
            SQLite file: the same for all workers and replicas of a service.
        retention_days
            How long a prediction waits for its label.

        Returns
        -------
        Feedback
            Takes the labels; the same object when it is asked for again.

        Raises
        ------
        ConfigurationError
            The database cannot be used, or the model does not predict.
        MissingExtraError
            SQLAlchemy, or the database's driver, is not installed.
        """
        from modelmeter.live.feedback import Feedback

        if self._feedback is None:
            self._feedback = Feedback(
                self.profile,
                url,
                counts=self.counts,
                on_failure=lambda error: self._fail("labels", error),
                retention_days=retention_days,
            )
        return self._feedback

    @property
    def feedback_store(self) -> Feedback | None:
        """Who takes the labels; None while predictions are not kept."""
        return self._feedback

    def next_ids(self) -> Ids | None:
        """Return the ids of the predictions about to be made; None while none are kept."""
        return None if self._feedback is None else next_ids(self.labels)

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

    def note_canary(self, *, equal: int = 0, different: int = 0, failed: int = 0) -> None:
        """Set how the profile's canary rows, all of them, were answered when asked again."""
        with self.counts.lock:
            self._canary.values[:] = equal, different, failed

    @contextmanager
    def guard(self, where: str) -> Iterator[None]:
        """Swallow, count and log once any failure of monitoring code."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - monitoring never breaks a prediction
            self._fail(where, error)

    def _observe(
        self, X: Any, y_pred: Any, y_score: Any, seconds: float | None, ids: Ids | None
    ) -> None:
        self._mark_request()
        now = time.time()
        X = self._instead_of(X)
        rows: Rows = [X] if type(X) is dict else [] if X is None else split(X, self._features)
        outputs = self._outputs.bring(y_pred, y_score)
        size = rows.rows if isinstance(rows, Columns) else len(rows)
        if outputs is not None:
            if X is None:
                size = outputs.rows
            elif outputs.rows != size:
                raise ValueError(f"there are {outputs.rows} predictions for {size} rows")
        if not size:
            return
        if seconds is not None and not 0 <= seconds < math.inf:
            seconds = None  # the clock was set back
        cells: list[int] = []
        parts: list[Part] = []
        segments: Sequence[Places] = ()
        if outputs is not None:
            if X is not None and self._outputs.segmented:
                segments = self._outputs.segment_places(rows, size)
            kept = self._feedback is not None
            cells, parts = self._outputs.count(outputs, segments, keep=kept)
        absent: list[tuple[int, int]] = []
        if isinstance(rows, Columns):
            counted, absent = count_columns(self._plans, rows)
            parts += counted
        else:
            for row in rows:
                self._place(row, cells, absent)
        self._add(cells, parts, absent, size, seconds, now, outputs, segments)
        if X is not None and self._freshness.look(now, rows):
            with self.guard("schema"):
                self._schema.check(X, rows)
        if outputs is not None and self._feedback is not None:
            self._keep(next_ids(self.labels) if ids is None else ids, now, outputs, segments)

    def _keep(
        self,
        ids: Ids,
        now: float,
        outputs: Outputs,
        segments: Sequence[Places],
        *,
        completes: bool = False,
    ) -> None:
        """Let predictions wait for their labels, or complete those that wait."""
        if self._feedback is None:
            return
        ids = settled_ids(ids, outputs.rows)
        answer = self._outputs.answer(ids, now, outputs, segments)
        if completes:
            self._feedback.complete(answer)
        else:
            self._feedback.remember(answer)
        note_ids(ids, outputs.rows, self.labels)

    def _instead_of(self, X: Any) -> Any:
        instead = _observed_instead.get()
        return X if instead is None else instead.get(self, X)

    def _add(
        self,
        cells: Sequence[int],
        parts: Sequence[Part],
        absent: Sequence[tuple[int, int]] = (),
        rows: int = 0,
        seconds: float | None = None,
        now: float = 0.0,
        outputs: Outputs | None = None,
        segments: Sequence[Places] = (),
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
            if outputs is not None and outputs.leading is not None:
                self._outputs.add_confidences(outputs, segments)
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
