"""The label store: predictions that wait for their label, and labels counted once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Self

from modelmeter._errors import ConfigurationError, StoreUnavailableError
from modelmeter.live.ids import time_of_id
from modelmeter.live.labels.checks import CheckValue, check_label, is_storable
from modelmeter.live.labels.database import Database
from modelmeter.live.labels.forks import survive_forks
from modelmeter.live.labels.reading import Snapshot, declare, oldest_kept, prune, read_snapshot
from modelmeter.live.labels.records import Label, Outcome, OutcomeKind, Prediction, TallyLabel
from modelmeter.live.labels.session import STEP, CollisionError, Policy, Session
from modelmeter.live.labels.writer import Writer

AGES: Final = (3_600.0, 86_400.0, 7 * 86_400.0, 30 * 86_400.0)
"""Upper bounds of the ages that coverage is told by, in seconds."""

_CHUNK: Final = 5_000  # labels in one transaction: SQLite's lock is held for 0.2 s at most
_TIDY_SECONDS: Final = 5.0
_PRUNE_SECONDS: Final = 60.0
_NEW_SECONDS: Final = 60.0
_PATIENCE_SECONDS: Final = 1.0  # with the queue, before a label counts what there is
_STEP_SECONDS: Final = 0.05  # between two steps of upkeep, so that others get their turn


class LabelStore:
    """Keeps predictions until their label comes, and counts every label once.

    How, and why it is exact, is told in the package's docstring. Reading the constructor's
    arguments and opening the database is all that happens at first: the thread that writes
    is started by the first prediction or label, in the process where that comes.

    Parameters
    ----------
    url
        ``sqlite:///labels.db``, ``postgresql://user@host/database``, or the path of an
        SQLite file. All workers and replicas of a service give the same.
    tally
        Says what a label adds to the totals, given the prediction, the checked truth and the
        lag in seconds. Called within a transaction, on any thread: it must be quick, depend
        on nothing but its arguments, and not raise.
    retention_days
        How long a prediction waits for its label. The shortest of all who share the store
        wins.
    grace_seconds
        How long a label waits for its prediction.
    max_predictions
        How many predictions wait for their labels, counted in whole hours: of more the oldest
        go, so that the database does not fill the disk (a million take some 150 MB).
    capacity
        Predictions that wait in memory when the database is slow; more are dropped.
    timeout_seconds
        How long to wait for the database to connect or to give a lock.
    on_drop
        Called with a reason and a number whenever predictions are dropped.
    on_failure
        Called with each failure that the writing thread survived.
    clock
        Tells the Unix time that ages are measured by.

    Raises
    ------
    ConfigurationError
        The database cannot be used: a bad URL, no permission, read-only, disk full, a newer
        schema. One that just does not answer is no error: it is tried again.
    MissingExtraError
        The driver is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from modelmeter.live.labels import LabelStore, Prediction, Tally, class_check, new_id
    >>> def tally(prediction, y_true, lag):
    ...     return [Tally("confusion", (y_true, prediction.y_pred))]
    >>> store = LabelStore(f"{tempfile.mkdtemp()}/labels.db", tally=tally)
    >>> id = new_id()
    >>> store.remember([Prediction(id, 1_700_000_000.0, "late", "1", y_pred="1")])
    0
    >>> store.close()
    True
    """

    def __init__(
        self,
        url: str | Path,
        *,
        tally: TallyLabel,
        retention_days: float = 90.0,
        grace_seconds: float = 600.0,
        max_predictions: int = 10_000_000,
        capacity: int = 100_000,
        timeout_seconds: float = 5.0,
        on_drop: Callable[[str, int], None] | None = None,
        on_failure: Callable[[Exception], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        for name, value in {
            "retention_days": retention_days,
            "grace_seconds": grace_seconds,
            "max_predictions": max_predictions,
            "capacity": capacity,
            "timeout_seconds": timeout_seconds,
        }.items():
            if not value > 0:
                raise ConfigurationError(f"{name} must be above 0, not {value!r}")
        self._database = Database(url, timeout_seconds=timeout_seconds)
        self._policy = Policy(tally, retention_days * 86_400.0, grace_seconds)
        self._most = max_predictions
        self._timeout = timeout_seconds
        self._now = clock
        self._writer = Writer(
            self._write, self._tidy, capacity=capacity, on_drop=on_drop, on_failure=on_failure
        )
        self._declared: dict[tuple[str, str], list[tuple[str, tuple[str, ...]]]] = {}
        self._declarations = (0, 0)  # made, written
        self._next_prune = 0.0
        survive_forks(self)
        self._database.open()

    @property
    def name(self) -> str:
        """The URL without its password."""
        return self._database.name

    @property
    def id(self) -> str:
        """Id of the store, the same for all who share it; empty until it was reached."""
        return self._database.store

    @property
    def dropped(self) -> Mapping[str, int]:
        """Predictions of this process that were not written, by reason.

        ``full`` (the queue was), ``closed`` (the store was), ``invalid`` (an id or a text that
        no database holds), ``repeated`` (the id was there), ``refused`` (by the database).
        """
        return self._writer.dropped

    def declare(
        self, model: str, version: str, series: Sequence[tuple[str, tuple[str, ...]]]
    ) -> None:
        """Have series in the totals from now on, at zero until a label adds to them.

        Parameters
        ----------
        model, version
            Of the series.
        series
            Pairs of metric and label values, as in `Tally`.
        """
        self._declared.setdefault((model, version), []).extend(series)
        made, written = self._declarations
        self._declarations = (made + 1, written)
        # Where the database does not answer now, the next transaction declares them.
        with suppress(StoreUnavailableError), self._session():
            pass

    def remember(self, records: Sequence[Prediction]) -> int:
        """Let predictions wait for their labels; never blocks, never raises.

        Parameters
        ----------
        records
            At most 1,000 of one call are written in one transaction, so that a label finds
            all that have one id (several versions' answers to one request), or none.

        Returns
        -------
        int
            How many were dropped because the queue is full.
        """
        return self._writer.put(records)

    def label(
        self,
        items: Sequence[Mapping[str, Any]],
        *,
        model: str,
        version: str,
        check: CheckValue,
        predictions: Sequence[Prediction] = (),
    ) -> list[Outcome]:
        """Count labels; what is answered ``counted`` is on disk and counted exactly once.

        Parameters
        ----------
        items
            Each with ``prediction_id``, ``y_true`` and optionally ``time`` (now if it is not
            there): Unix time, a datetime or ISO text with a time zone. Any number: 5,000 go
            into a transaction.
        model
            Whose predictions they are for; of any version.
        version
            Under which to count those that are for no prediction.
        check
            Checks a ``y_true``: `class_check` of the model's classes, or `number_check`.
        predictions
            Predictions that the caller still holds and that were not remembered, written
            along with their labels.

        Returns
        -------
        list of Outcome
            In the order of the items.

        Raises
        ------
        ValueError
            One of `predictions` cannot be kept: its id, or a text in it.
        StoreUnavailableError
            The database cannot be used now. Some items may have been counted; the same call
            again answers ``duplicate`` to those.
        """
        self._writer.start()
        now = self._now()
        outcomes: list[Outcome | None] = []
        labels: list[tuple[int, Label]] = []
        for item in items:
            try:
                labels.append((len(outcomes), check_label(item, check, now)))
                outcomes.append(None)
            except ValueError as error:
                given = item.get("prediction_id") if isinstance(item, Mapping) else None
                outcomes.append(Outcome(given, OutcomeKind.INVALID, str(error)))
        if invalid := len(outcomes) - len(labels):
            with self._session() as session:
                session.count_invalid(invalid, model, version)
        for record in predictions:
            if not is_storable(record):
                raise ValueError(f"a prediction that cannot be kept: {record!r}")
        if predictions:
            self._write(predictions)
        for start in range(0, len(labels), _CHUNK):
            part = labels[start : start + _CHUNK]
            answers = self._label([label for _, label in part], model, version)
            for (i, _), answer in zip(part, answers, strict=True):
                outcomes[i] = answer
        return [outcome for outcome in outcomes if outcome is not None]

    def snapshot(self, ages: Sequence[float] = AGES) -> Snapshot:
        """Read totals, coverage and progress of the whole store, as they are now.

        Parameters
        ----------
        ages
            Upper bounds of ages in seconds, for coverage.

        Raises
        ------
        StoreUnavailableError
            The database does not answer in time. Export nothing then, rather than what was
            read before: a counter must not fall.
        """
        now = self._now()
        oldest = now - self._policy.retention_seconds
        with self._database.transaction(reading=True, limit_seconds=self._timeout) as connection:
            return read_snapshot(
                connection, self._database.store, now=now, oldest=oldest, ages=ages
            )

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until all that was remembered is written or dropped; tell whether it is."""
        return self._writer.flush(timeout)

    def close(self, timeout: float = 10.0) -> bool:
        """Write what waits, for so long at most, and stop; tell whether all was written.

        What is remembered later is dropped.
        """
        written = self._writer.close(timeout)
        self._database.close()
        return written

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def before_fork(self) -> None:
        """Come to rest before a fork."""
        self._database.before_fork()
        self._writer.before_fork()

    def after_fork(self) -> None:
        """Go on in the parent."""
        self._writer.after_fork()
        self._database.after_fork()

    def after_fork_in_child(self) -> None:
        """Begin anew in the child: no connection, no thread, an empty queue."""
        self._writer.after_fork_in_child()
        self._database.after_fork_in_child()

    def _label(self, labels: Sequence[Label], model: str, version: str) -> list[Outcome]:
        if not self._writer.idle and any(map(self._may_be_new, labels)):
            # The prediction's second part, its score, may be queued still.
            self._writer.flush(min(self._timeout, _PATIENCE_SECONDS))
        with self._session() as session:
            found = session.label(labels, model, version)
            if None not in found or self._writer.idle:
                return _filled(session, labels, found, model, version)
        # Perhaps in this process's own queue.
        self._writer.flush(self._timeout)
        unknown = [label for label, outcome in zip(labels, found, strict=True) if outcome is None]
        with self._session() as session:
            again = session.label(unknown, model, version)
            late = iter(_filled(session, unknown, again, model, version))
        return [outcome or next(late) for outcome in found]

    def _may_be_new(self, label: Label) -> bool:
        made = time_of_id(label.id)
        return made is None or made > self._now() - _NEW_SECONDS

    def _write(self, records: Sequence[Prediction]) -> int:
        with suppress(CollisionError), self._session() as session:
            return session.add(records)
        with self._session() as session:
            return session.add(records)

    def _tidy(self) -> float:
        """Do a step of upkeep; return the seconds until the next."""
        with self._session() as session:
            steps = [session.settle_overdue()]
        if time.monotonic() >= self._next_prune:
            oldest = self._now() - self._policy.retention_seconds
            with self._database.transaction() as connection:
                oldest = oldest_kept(connection, oldest=oldest, most=self._most)
                steps.append(prune(connection, oldest=oldest))
            if steps[-1] < STEP:
                self._next_prune = time.monotonic() + _PRUNE_SECONDS
        return _STEP_SECONDS if max(steps) == STEP else _TIDY_SECONDS

    @contextmanager
    def _session(self) -> Iterator[Session]:
        with self._database.transaction() as connection:
            session = Session(connection, self._database, self._policy, self._now())
            made, written = self._declarations
            if made > written:
                declare(connection, self._database, session, self._declared)
            yield session
            session.finish()
        if made > written:
            self._declarations = (self._declarations[0], made)


def _filled(
    session: Session,
    labels: Sequence[Label],
    outcomes: Sequence[Outcome | None],
    model: str,
    version: str,
) -> list[Outcome]:
    """Answer the labels whose prediction is not there."""
    answers = [
        outcome or session.answer_gone(label, model, version)
        for label, outcome in zip(labels, outcomes, strict=True)
    ]
    unknown = [label for label, answer in zip(labels, answers, strict=True) if answer is None]
    kept = iter(session.wait(unknown, model, version) if unknown else [])
    return [answer or next(kept) for answer in answers]
