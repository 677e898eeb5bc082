"""Predictions on their way to the database: a bounded queue and one thread behind it."""

from __future__ import annotations

import atexit
import logging
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from sqlalchemy.exc import DataError, IntegrityError

from modelmeter._errors import StoreUnavailableError
from modelmeter.live.labels.checks import is_storable
from modelmeter.live.labels.records import Prediction

logger = logging.getLogger("modelmeter")

BATCH: Final = 1000
"""Predictions in one transaction, unless a single call brought more."""

_LINGER_SECONDS: Final = 0.2
_FIRST_RETRY_SECONDS: Final = 0.5
_LAST_RETRY_SECONDS: Final = 30.0
_PATIENCE: Final = 3  # tries with what fails for a reason that is not the database's


class Writer:
    """Write predictions behind the caller's back.

    Nothing is started before the first use. A forked child begins with an empty queue and
    no thread: what the parent has queued the parent writes.

    Parameters
    ----------
    write
        Writes predictions; returns how many ids were there already. Raises
        StoreUnavailableError to be tried again.
    tidy
        Does a little upkeep; returns the seconds until it wants to be called again. May
        raise StoreUnavailableError too.
    capacity
        Predictions that the queue holds.
    on_drop
        Called with a reason and a number of predictions that will not be written, on the
        thread that drops them.
    on_failure
        Called with what the thread survived.
    """

    def __init__(
        self,
        write: Callable[[Sequence[Prediction]], int],
        tidy: Callable[[], float],
        *,
        capacity: int,
        on_drop: Callable[[str, int], None] | None = None,
        on_failure: Callable[[Exception], None] | None = None,
    ) -> None:
        self._write = write
        self._tidy = tidy
        self._capacity = capacity
        self._on_drop = on_drop
        self._on_failure = on_failure
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._changed = threading.Condition(threading.Lock())
        self._calls: deque[Sequence[Prediction]] = deque()
        self._queued: int = 0  # in the queue; beside these, some are being written
        self._accepted: int = 0
        self._finished: int = 0
        self._urgent: int = 0
        self._closing: bool = False
        self._deadline: float = 0.0
        self._thread: threading.Thread | None = None
        self._counting = threading.Lock()
        self._dropped: Counter[str] = Counter()

    @property
    def dropped(self) -> Mapping[str, int]:
        """Predictions that were not written, by reason; see `LabelStore.dropped`."""
        return dict(self._dropped)

    @property
    def idle(self) -> bool:
        """Whether everything that was put is written or dropped."""
        return self._finished == self._accepted

    def put(self, records: Sequence[Prediction]) -> int:
        """Queue predictions to be written; never waits, never raises.

        Parameters
        ----------
        records
            Not to be changed afterwards; read on the writing thread, so that a sequence may
            make its records only then.

        Returns
        -------
        int
            How many were dropped because the queue is full or closed.
        """
        size = len(records)
        if not size:
            return 0
        with self._changed:
            room = 0 if self._closing else self._capacity - (self._accepted - self._finished)
            if room > 0 and not self._is_running():
                room = 0
            taken = min(size, max(room, 0))
            if taken:
                self._calls.append(records if taken == size else records[:taken])
                self._accepted += taken
                self._queued += taken
                if self._queued == taken or self._queued >= BATCH:
                    self._changed.notify_all()
        left = size - taken
        if left:
            self._drop("closed" if self._closing else "full", left)
        return left

    def start(self) -> None:
        """Start the thread for upkeep alone, as `put` does for the queue."""
        with self._changed:
            if not self._closing:
                self._is_running()

    def flush(self, timeout: float) -> bool:
        """Wait until what was put before is written or dropped; tell whether it is."""
        with self._changed:
            goal = self._accepted
            self._urgent = max(self._urgent, goal)
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._finished >= goal, timeout)

    def close(self, timeout: float) -> bool:
        """Write what is queued, for so long at most, drop the rest and end the thread.

        Returns
        -------
        bool
            Whether all was written.
        """
        with self._changed:
            self._closing = True
            self._deadline = time.monotonic() + timeout
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            atexit.unregister(self._at_exit)
            thread.join(timeout + 1.0)
        with self._changed:
            left = self._accepted - self._finished
            self._finished = self._accepted
            self._calls.clear()
            self._queued = 0
        if left:
            self._drop("closed", left)
        return not left

    def before_fork(self) -> None:
        """Let nobody be half-way through a change of the queue."""
        self._changed.acquire()

    def after_fork(self) -> None:
        """Go on."""
        self._changed.release()

    def after_fork_in_child(self) -> None:
        """Begin with an empty queue, without a thread."""
        closing = self._closing
        self._begin_anew()
        self._closing = closing

    def _is_running(self) -> bool:
        """Start the thread if need be; tell whether there is one."""
        if self._thread is None:
            thread = threading.Thread(target=self._run, name="modelmeter-labels", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # no more threads, or the interpreter is on its way out
                return False
            self._thread = thread
            atexit.register(self._at_exit)
        return True

    def _at_exit(self) -> None:
        self.close(5.0)

    def _run(self) -> None:
        next_tidy = time.monotonic() + _FIRST_RETRY_SECONDS
        batch: Sequence[Sequence[Prediction]] = ()
        parts: list[Sequence[Prediction]] = []
        failures = 0
        while not (self._closing and self.idle):
            if not batch:
                batch = self._next_batch(next_tidy)
                parts = self._parts_of(batch)
            try:
                while parts:
                    self._write_part(parts, failures)
                if batch and failures:  # said before whoever waits for the batch goes on
                    logger.info("the label store can be used again")
                    failures = 0
                self._finish(batch)
                batch = ()
                if time.monotonic() >= next_tidy and not self._closing:
                    next_tidy = time.monotonic() + self._tidy()
            except Exception as error:  # noqa: BLE001 - a dead thread would keep nothing
                failures += 1
                self._failed(error, first=failures == 1)
                if not self._rest(failures):
                    return
                continue
            if failures:
                logger.info("the label store can be used again")
                failures = 0

    def _next_batch(self, until: float) -> Sequence[Sequence[Prediction]]:
        """Wait for calls, and a moment for more of them; none when time is up."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._queued or self._closing, max(0.0, until - time.monotonic())
            )
            if self._queued:
                self._changed.wait_for(
                    lambda: self._queued >= BATCH or self._closing or self._urgent > self._finished,
                    _LINGER_SECONDS,
                )
            batch: list[Sequence[Prediction]] = []
            size = 0
            # Whole calls: predictions that were remembered together are found together.
            while self._calls and (not batch or size + len(self._calls[0]) <= BATCH):
                batch.append(self._calls.popleft())
                size += len(batch[-1])
            self._queued -= size
            return batch

    def _parts_of(self, batch: Sequence[Sequence[Prediction]]) -> list[Sequence[Prediction]]:
        """Cut a batch into what goes into one transaction, last part first."""
        records = [record for call in batch for record in self._records_of(call)]
        good: Sequence[Prediction] = [record for record in records if is_storable(record)]
        self._drop("invalid", _size(batch) - len(good))
        return [good[i : i + BATCH] for i in range(0, len(good), BATCH)][::-1]

    def _records_of(self, call: Sequence[Prediction]) -> Sequence[Prediction]:
        """Make the records of a call; none where that fails."""
        try:
            return list(call)
        except Exception as error:  # noqa: BLE001 - a dead thread would keep nothing
            self._failed(error, first=True)
            return ()

    def _write_part(self, parts: list[Sequence[Prediction]], failures: int) -> None:
        """Write the last part; find the predictions that the database refuses by halving."""
        part = parts[-1]
        try:
            repeated = self._write(part)
        except StoreUnavailableError:
            raise
        except Exception as error:
            if not isinstance(error, (DataError, IntegrityError)) and failures < _PATIENCE:
                raise
            parts.pop()
            if len(part) > 1:
                half = len(part) // 2
                parts += [part[half:], part[:half]]
                return
            logger.warning("the label store cannot keep a prediction: %s", error)
            self._drop("refused", 1)
            return
        parts.pop()
        # The second time, they may be there because the first was committed after all.
        self._drop("repeated", 0 if failures else repeated)

    def _finish(self, batch: Sequence[Sequence[Prediction]]) -> None:
        with self._changed:
            self._finished += _size(batch)
            self._changed.notify_all()

    def _rest(self, failures: int) -> bool:
        """Wait before the next try; tell whether there is to be one."""
        seconds = min(_FIRST_RETRY_SECONDS * 2 ** (failures - 1), _LAST_RETRY_SECONDS)
        # Not all replicas at the same moment, when the database is back.
        seconds *= random.uniform(0.75, 1.25)
        with self._changed:
            self._changed.wait_for(lambda: self._closing, seconds)
            if not self._closing:
                return True
            left = self._deadline - time.monotonic()
            self._changed.wait(min(max(left, 0.0), _FIRST_RETRY_SECONDS))
            return time.monotonic() < self._deadline

    def _failed(self, error: Exception, *, first: bool) -> None:
        if first and isinstance(error, StoreUnavailableError):
            logger.warning("%s; predictions wait in memory and it is tried again", error)
        elif first:
            logger.error("the label store failed and goes on", exc_info=error)
        if self._on_failure is not None:
            self._on_failure(error)

    def _drop(self, reason: str, number: int) -> None:
        if not number:
            return
        with self._counting:
            self._dropped[reason] += number
        if self._on_drop is not None:
            self._on_drop(reason, number)


def _size(batch: Sequence[Sequence[Prediction]]) -> int:
    return sum(map(len, batch))
