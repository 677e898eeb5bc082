"""One worker's values on disk, so that every other worker can read them at any moment.

A worker has two files, both named after its process and a random number::

    4711-9f86d081.counts   float64 values, written through a memory map
    4711-9f86d081.series   JSON lines, only ever appended to: a header, then one line per
                           block: its metric, when it began to count, the offset of its
                           first value, its rows

A block's values are there (zero) before its line is, and a line counts once its newline is
there, so whoever reads during a write, or after a ``kill -9``, sees a complete earlier state.
A worker holds an exclusive ``flock`` on its ``.counts`` file while it lives; the kernel
releases it however the worker ends. The number of a process says nothing: it is used again,
and means something else in another container. ``folding.py`` folds the files of workers that
ended into one.

Memory first, file second: a block's memory is there at once, and the file is put behind it,
at the same addresses, as soon as there is room. On a disk that is full at the start or fills
up later a worker goes on counting in memory, says so, and tries again (``settle``); nothing
counted is lost, other workers just cannot see it yet. The same way a forked child gets a file
of its own, and a file that was deleted under a living worker is written anew. Room in the file
is allocated, never sparse: a full disk is an ``OSError`` then, not a SIGBUS at some count.

To change the format: raise ``SCHEMA_VERSION``, and let ``PeerFile`` and ``folding.py`` read
the old one as well or leave such files alone (they leave alone what they do not know).
"""

from __future__ import annotations

import ctypes
import errno
import json
import logging
import math
import mmap
import os
import secrets
import time
import weakref
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from modelmeter._errors import ConfigurationError
from modelmeter.names import Metric

logger = logging.getLogger("modelmeter")

SCHEMA_VERSION: Final = 2
COUNTS: Final = ".counts"
SERIES: Final = ".series"
HIDDEN: Final = ".new"
"""What ``.counts`` is called until it is locked."""

RETRY_SECONDS: Final = 10.0
"""How long a worker whose file has no room waits before it tries again."""

_CHUNK: Final = max(1 << 16, mmap.ALLOCATIONGRANULARITY)
_MAP_FIXED: Final = 0x10  # the same on Linux, macOS and the BSDs; the mmap module lacks it
_PASSING: Final = frozenset(
    (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM)
)


@dataclass(slots=True)
class _Chunk:
    """A stretch of the file and where in memory it lies."""

    bytes: NDArray[np.uint8]
    offset: int
    backed: bool = False


@dataclass(slots=True)
class _Entry:
    """A block, as the other workers are to know it."""

    metric: Metric
    rows: tuple[tuple[str, ...], ...]
    offset: int
    created: float
    values: NDArray[np.float64]


class WorkerFile:
    """The file that this process writes its values to.

    Parameters
    ----------
    directory
        Where to put it; made when it is not there.
    lock
        Held by whoever adds to the values, and here while a file is put behind them.
    entering
        Entered while the file is made; see ``folding.entering``.

    Raises
    ------
    ConfigurationError
        When the directory cannot be written to or its file system cannot lock files. A disk
        without room is no error: see `trouble`.

    Attributes
    ----------
    path
        The ``.counts`` file; None while there is none.
    trouble
        Why what is counted is in memory only; None while it is in the file.
    """

    def __init__(
        self,
        directory: Path,
        lock: AbstractContextManager[Any],
        entering: Callable[[Path], AbstractContextManager[Any]],
    ) -> None:
        self.path: Path | None = None
        self.trouble: OSError | None = None
        self._directory = directory
        self._lock = lock
        self._entering = entering
        self._chunks: list[_Chunk] = []
        self._used = 0  # bytes of the last chunk that blocks have taken
        self._entries: list[_Entry] = []
        self._published = 0  # entries whose line is in the series file
        self._series_end = 0
        self._again = 0.0
        self._unlock: weakref.finalize[..., Any] | None = None
        try:
            self._open()
        except (OSError, ImportError) as error:
            if not isinstance(error, OSError) or error.errno not in _PASSING:
                raise ConfigurationError(
                    f"cannot keep counts in the directory {str(directory)!r} ({error}); give a "
                    "directory on a local file system that this process can write to"
                ) from error
            self._worry(error)

    def allocate(
        self, metric: Metric, rows: tuple[tuple[str, ...], ...], shape: tuple[int, ...]
    ) -> NDArray[np.float64]:
        """Return zeros for a block; `settle` puts them in the file and tells readers of them."""
        count = math.prod(shape)
        if count == 0:
            return np.zeros(shape)
        if not self._chunks or self._used + 8 * count > self._chunks[-1].bytes.size:
            offset = self._chunks[-1].offset + self._chunks[-1].bytes.size if self._chunks else 0
            length = -(-8 * count // _CHUNK) * _CHUNK
            memory = mmap.mmap(-1, length, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            self._chunks.append(_Chunk(np.frombuffer(memory, np.uint8), offset))
            self._used = 0
        chunk = self._chunks[-1]
        values = chunk.bytes[self._used : self._used + 8 * count].view(np.float64).reshape(shape)
        self._entries.append(_Entry(metric, rows, chunk.offset + self._used, time.time(), values))
        self._used += 8 * count
        return values

    def settle(self, *, now: bool = True) -> None:
        """Bring everything into the file that is not there yet; never raises.

        Parameters
        ----------
        now
            Also when it failed a moment ago.
        """
        if self.path is not None and os.fstat(self._descriptor).st_nlink == 0:
            # Deleted by other hands; there is nothing wrong with what is in memory.
            logger.warning("the counts in %s were deleted; they are written anew", self.path)
            self._leave()
        if self.path is not None and self.trouble is None:
            if self._published == len(self._entries):
                return
        elif not now and time.monotonic() < self._again:
            return
        self._settle(self._lock)

    def move(self) -> None:
        """Continue, in a forked child, in a file of its own behind the same addresses.

        Sums start at zero, because the parent's file still holds what it counted, and so do
        values that are about the parent; other values of which the largest counts are kept.
        The caller holds the lock of the values.
        """
        kept = [
            (entry.values, entry.values.copy())
            for entry in self._entries
            if entry.metric.merge == "max" and not entry.metric.live
        ]
        self._leave()
        for chunk in self._chunks:
            # Memory of its own at once: better to count where nobody looks than into the
            # parent's file.
            _map_fixed(chunk.bytes, -1, 0)
        for values, copy in kept:
            values[...] = copy
        for entry in self._entries:
            entry.created = time.time()
        self._settle(nullcontext())

    def _settle(self, lock: AbstractContextManager[Any]) -> None:
        try:
            if self.path is None:
                self._open()
            for chunk in self._chunks:
                if not chunk.backed:
                    with lock:
                        self._back(chunk)
            for entry in self._entries[self._published :]:
                self._publish(entry)
                self._published += 1
        except (OSError, ImportError) as error:
            self._worry(error)
        else:
            if self.trouble is not None:
                logger.warning("counts are kept in %s again", self._directory)
            self.trouble = None

    def _worry(self, error: OSError | ImportError) -> None:
        if self.trouble is None:
            logger.error(
                "counts of this process are in its memory only, where other workers do not see "
                "them, until there is room for them in the directory %s: %s",
                self._directory,
                error,
            )
        self.trouble = error if isinstance(error, OSError) else OSError(str(error))
        self._again = time.monotonic() + RETRY_SECONDS

    def _leave(self) -> None:
        """Have no file any more."""
        if self._unlock is not None:
            self._unlock()
        self.path = self._unlock = None
        self._published = 0
        for chunk in self._chunks:
            chunk.backed = False

    def _open(self) -> None:
        import fcntl  # POSIX only; on the heap modelmeter runs everywhere

        self._directory.mkdir(parents=True, exist_ok=True)
        with self._entering(self._directory):
            path = self._directory / f"{os.getpid()}-{secrets.token_hex(4)}{COUNTS}"
            # Locked before it has the name that readers look for: unlocked means dead.
            hidden = path.with_suffix(HIDDEN)
            descriptor = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                self._series = path.with_suffix(SERIES)
                self._series_end = 0
                writer = f"modelmeter {version('modelmeter')}"
                self._append({"schema_version": SCHEMA_VERSION, "writer": writer})
                hidden.rename(path)
            except BaseException:
                os.close(descriptor)
                for made in (hidden, path.with_suffix(SERIES)):
                    made.unlink(missing_ok=True)
                raise
        self._descriptor = descriptor
        self._unlock = weakref.finalize(self, os.close, descriptor)
        # Not at exit: what is counted until the very end still counts, and then the kernel
        # releases the lock.
        self._unlock.atexit = False
        self.path = path

    def _back(self, chunk: _Chunk) -> None:
        """Put the file behind a chunk's memory, with the values that it holds."""
        assert self.path is not None
        # Not through the locked descriptor: a map keeps a duplicate, which a forked child
        # would hold for longer than its parent lives.
        descriptor = os.open(self.path, os.O_RDWR)
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(descriptor, chunk.offset, chunk.bytes.size)
            _write(descriptor, chunk.bytes.tobytes(), chunk.offset)
            _map_fixed(chunk.bytes, descriptor, chunk.offset)
        finally:
            os.close(descriptor)
        chunk.backed = True

    def _publish(self, entry: _Entry) -> None:
        metric = entry.metric
        self._append(
            {
                "metric": metric.name,
                "type": metric.type,
                "labels": metric.labels,
                "buckets": metric.buckets,
                "merge": metric.merge,
                "live": metric.live,
                "created": entry.created,
                "offset": entry.offset,
                "rows": entry.rows,
            }
        )

    def _append(self, entry: Mapping[str, Any]) -> None:
        line = json.dumps(entry, separators=(",", ":")).encode() + b"\n"
        descriptor = os.open(self._series, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            # At the end that is known to be whole: what a failed write left is overwritten.
            _write(descriptor, line, self._series_end)
        finally:
            os.close(descriptor)
        self._series_end += len(line)


def _write(descriptor: int, data: bytes, offset: int) -> None:
    """Write all of the data at an offset."""
    while data:
        written = os.pwrite(descriptor, data, offset)
        data, offset = data[written:], offset + written


def _map_fixed(memory: NDArray[np.uint8], descriptor: int, offset: int) -> None:
    """Put a file, or without one private memory, behind addresses already mapped."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = (
        *(ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int),
        *(ctypes.c_int, ctypes.c_int, ctypes.c_long),
    )
    private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    flags = _MAP_FIXED | (private if descriptor < 0 else mmap.MAP_SHARED)
    address = memory.ctypes.data
    access = mmap.PROT_READ | mmap.PROT_WRITE
    found = libc.mmap(address, memory.size, access, flags, descriptor, offset)
    if found != address:
        raise OSError(ctypes.get_errno(), "cannot map the counts of this process")
