"""Counts of what is served: a growing table of series, each one float64.

The values lie on the heap, or in one memory-mapped file per worker, so that any worker of
a service can read the sum over all of them (``merge.py``). A writer touches nothing but
its own memory: no system call, no lock shared between processes. Whoever holds a block
may keep its ``values`` and ``cells`` for good: they stay the same memory after a fork too,
and whatever becomes of the file (``files.py``).

Threads: every add is done under the table's lock, as one short stretch of plain memory
writes, and so is every copy for a reader. That, and not the interpreter's lock, is what makes
counts exact, so they should be without a GIL too. Nobody has measured that yet, and counts that
are wrong in silence are worse than none: an interpreter without a GIL is refused, unless
``MODELMETER_FREE_THREADING=1`` says to go ahead.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Literal, cast

import numpy as np
from numpy.typing import NDArray

from modelmeter._errors import ConfigurationError
from modelmeter.live.files import WorkerFile
from modelmeter.live.folding import entering
from modelmeter.live.merge import Family, Merger
from modelmeter.names import Metric

__all__ = ["Block", "Counts", "Family", "OnRestart", "merged", "settle_all"]

Row = tuple[str, ...]

OnRestart = Literal["keep", "reset"]


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Series of one metric, side by side in memory.

    Parameters
    ----------
    metric
        What is counted.
    rows
        Label values of each series, in the order of ``metric.labels``.
    values
        The values, float64, shape ``(len(rows),)``; of a histogram ``(len(rows),
        len(buckets) + 2)``: observations per bucket (not cumulative), then those above the
        last bucket, then the sum of all observed values.
    cells
        The same memory, flat, for scalar arithmetic (``cells[i] += 1`` is four times as
        fast as on an array). Add under the lock of the ``Counts`` that made the block.
    created
        When it began to count, Unix time.
    """

    metric: Metric
    rows: tuple[Row, ...]
    values: NDArray[np.float64]
    cells: memoryview[float]
    created: float


class Counts:
    """A growing table of series that one process writes.

    Parameters
    ----------
    directory
        Where this worker's file goes, beside those of the other workers of the same
        service; made when it is not there. None keeps the values on the heap.

    Attributes
    ----------
    lock
        Held by a writer for one add, and by a reader for one copy.

    Raises
    ------
    ConfigurationError
        When the directory cannot be written to or its file system cannot lock files, or
        `on_restart` is something else; or when the interpreter runs without its lock (GIL),
        see above.
    """

    def __init__(
        self, directory: Path | str | None = None, *, on_restart: OnRestart = "keep"
    ) -> None:
        _check_interpreter()
        if on_restart not in ("keep", "reset"):
            raise ConfigurationError(f"on_restart is 'keep' or 'reset', not {on_restart!r}")
        self.lock = threading.Lock()
        self.directory: Final = None if directory is None else Path(directory).resolve()
        self._growing = threading.Lock()
        self._blocks: list[Block] = []
        self._file: WorkerFile | None = None
        if self.directory is not None:
            enter = partial(entering, keep=on_restart == "keep")
            self._file = WorkerFile(self.directory, self.lock, enter)
        _survive_forks(self)

    @property
    def blocks(self) -> tuple[Block, ...]:
        """Every block made so far, oldest first."""
        return tuple(self._blocks)

    @property
    def path(self) -> Path | None:
        """The file that holds this process's values; None on the heap."""
        return None if self._file is None else self._file.path

    @property
    def trouble(self) -> OSError | None:
        """Why the values are in memory only, although there is a directory; None mostly."""
        return None if self._file is None else self._file.trouble

    def settle(self) -> None:
        """Try again to bring values into the file that are in memory only; never raises."""
        if self._file is not None:
            with self._growing:
                self._file.settle(now=False)

    def block(self, metric: Metric, rows: Sequence[Sequence[str]]) -> Block:
        """Add series, at zero, and return the memory to count them in.

        Parameters
        ----------
        metric
            What is counted.
        rows
            Label values of each series, in the order of ``metric.labels``; no row twice.

        Returns
        -------
        Block
            Empty when there are no rows.

        Raises
        ------
        ValueError
            When a row has the wrong number of values or is there twice.
        """
        checked = _checked(metric, rows)
        shape: tuple[int, ...] = (len(checked),)
        if metric.type == "histogram":
            shape = (len(checked), len(metric.buckets) + 2)
        with self._growing:
            if self._file is None:
                values = np.zeros(shape)
            else:
                values = self._file.allocate(metric, checked, shape)
            cells = cast("memoryview[float]", values.reshape(-1).data)
            block = Block(metric, checked, values, cells, time.time())
            self._blocks.append(block)
            if self._file is not None:
                self._file.settle()
        return block

    def _before_fork(self) -> None:
        self._growing.acquire()
        self.lock.acquire()

    def _after_fork(self) -> None:
        self.lock.release()
        self._growing.release()

    def _after_fork_in_child(self) -> None:
        """Move to a file of the child's own, without moving the memory."""
        try:
            if self._file is not None:
                self._file.move()
        finally:
            self._after_fork()


def settle_all() -> None:
    """Let every table of this process bring to its file what is not there; never raises."""
    for counts in tuple(_tables):
        counts.settle()


def merged(sources: Iterable[Counts]) -> list[Family]:
    """Return the values of several tables, and of all workers beside them, as one.

    Parameters
    ----------
    sources
        Tables of this process; those with a directory bring the files of the other workers
        in it with them, of dead workers too.

    Returns
    -------
    list of Family
        Every metric that has series, in the order of ``names.ALL``, summed or maxed
        (``Metric.merge``) by label values; empty when there are none.
    """
    return Merger(sources).read()


def _check_interpreter() -> None:
    locked: Callable[[], bool] = getattr(sys, "_is_gil_enabled", lambda: True)
    if not locked() and os.environ.get("MODELMETER_FREE_THREADING") != "1":
        raise ConfigurationError(
            "this Python runs without its global lock (GIL), and whether counts are exact then "
            "has not been verified; run it with PYTHON_GIL=1, or set MODELMETER_FREE_THREADING=1 "
            "to try all the same"
        )


def _checked(metric: Metric, rows: Sequence[Sequence[str]]) -> tuple[Row, ...]:
    """Return the rows as tuples of text that UTF-8 can hold."""
    checked = tuple(tuple(map(_text, row)) for row in rows)
    for row in checked:
        if len(row) != len(metric.labels):
            raise ValueError(
                f"{metric.name} has the labels {metric.labels}, one value each; got {row!r}"
            )
    if len(set(checked)) != len(checked):
        twice = next(row for i, row in enumerate(checked) if row in checked[:i])
        raise ValueError(f"{metric.name}: the label values {twice!r} are given twice in one block")
    return checked


def _text(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:  # a lone surrogate: no exposition format can hold it
        return value.encode("utf-8", "backslashreplace").decode()
    return str(value)


# Fork handlers are one list per process and can never be taken back, so they are registered
# once, for the first table, and find the tables that are still alive here.
_tables: weakref.WeakSet[Counts] = weakref.WeakSet()
_forking: list[Counts] = []
_registration = threading.Lock()
_registered: list[bool] = []


def _survive_forks(counts: Counts) -> None:
    """Keep a table's locks and file right in a child process."""
    with _registration:
        _tables.add(counts)
        if _registered or not hasattr(os, "register_at_fork"):
            return
        _registered.append(True)
        os.register_at_fork(
            before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child
        )


def _before_fork() -> None:
    # With every lock held no add is half done, and no lock is left locked in the child by a
    # thread that does not exist there.
    _registration.acquire()
    _forking[:] = _tables
    for counts in _forking:
        counts._before_fork()


def _after_fork() -> None:
    for counts in _forking:
        counts._after_fork()
    _forking.clear()
    _registration.release()


def _after_fork_in_child() -> None:
    try:
        for counts in _forking:
            counts._after_fork_in_child()
    finally:
        _forking.clear()
        _registration.release()
