"""The files of workers that ended, folded into one, so that they never pile up.

A directory of counts holds, besides the two files of each worker (``files.py``)::

    folded-2.json   what workers that ended have counted, and which of their files are in it
    folding.lock    locked by whoever folds, or is about to make its own files

Whoever finds that a worker has ended adds what it counted to a new ``folded`` file, puts it
in the old one's place (one atomic rename, after an fsync) and then deletes the worker's
files. The new file names them, and a reader passes over a worker's file that is named: so a
``kill -9`` between any two of these steps neither loses a count nor counts it twice, and the
next to come deletes what was left. A reader opens the workers' files first and the folded file
last, and reads that again when a worker's file is gone by then: hence it sees each worker in
one of them, and in one only, however many are folded meanwhile.

What is folded is what still means something (``Metric.outlasts``), per model and hash of its
profile. The counts of a model that no worker serves any more are exported for an hour after
its last worker ended, at least, so that no scrape misses the end of them, and then forgotten.
Files that this version did not write, or that were cut short, are left as they are; their
owner is told by name (``Merger.problems``).
"""

from __future__ import annotations

import json
import logging
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from modelmeter import names
from modelmeter.live.files import COUNTS, HIDDEN, SERIES
from modelmeter.live.folded import FOLDED, TEMPORARY, Folded, Identity, by_identity, write_folded
from modelmeter.live.multiproc import bury
from modelmeter.live.peers import Model, PeerFile, locked, metric_of, models_of, rows_of
from modelmeter.live.totals import Total
from modelmeter.names import Metric

logger = logging.getLogger("modelmeter")

FORGET_SECONDS: Final = 3600.0
"""How long counts of a model that no worker serves are exported, at least."""

WAIT_SECONDS: Final = 5.0
"""How long a worker that starts waits for one that folds."""

_ORPHAN_SECONDS: Final = 60.0
_OURS: Final = re.compile(r"(\d+)-[0-9a-f]{8}")


@contextmanager
def entering(directory: Path, *, keep: bool) -> Iterator[None]:
    """Hold the directory while a worker makes its files, after putting it in order.

    Parameters
    ----------
    directory
        Where the workers' files are.
    keep
        Whether what was counted before still counts when no other worker lives.
    """
    with _held(directory, WAIT_SECONDS) as held:
        if held:
            try:
                if not keep and not any(map(_alive, directory.glob("*" + COUNTS))):
                    _forget(directory)
                else:
                    _fold(directory)
            except OSError as error:  # a full disk; the worker has to start all the same
                logger.warning("the files in %s stay as they are for now: %s", directory, error)
        yield


def fold(directory: Path) -> bool:
    """Fold the files of all workers that ended, unless somebody else is about to.

    Returns
    -------
    bool
        Whether anything changed.

    Raises
    ------
    OSError
        There is no room, or no permission; nothing is changed.
    """
    with _held(directory) as held:
        return held and _fold(directory)


@contextmanager
def _held(directory: Path, seconds: float = 0.0) -> Iterator[bool]:
    import fcntl

    deadline = time.monotonic() + seconds
    lock = os.open(directory / "folding.lock", os.O_RDWR | os.O_CREAT, 0o644)
    held = False
    try:
        while not held:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                held = True
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    break
                time.sleep(0.01)
        yield held
    finally:
        if held:
            # Said, and not only closed: a child forked meanwhile holds it open.
            fcntl.flock(lock, fcntl.LOCK_UN)
        os.close(lock)


def _fold(directory: Path) -> bool:
    """Fold; the caller holds the directory."""
    _tidy(directory)
    old = Folded(directory, None)
    old.refresh()
    if old.damage is not None:
        aside = old.path.with_suffix(f".damaged-{time.time_ns()}")
        old.path.rename(aside)
        logger.error("%s: %s; it is kept as %s, and counting goes on", old.path, old.damage, aside)
    dead: dict[Path, PeerFile] = {}
    left = [directory / name for name in old.absorbed if _left(directory / name)]
    served: dict[Model, set[str]] = {}
    living: set[int] = set()
    for path in sorted(directory.glob("*" + COUNTS)):
        if path.name in old.absorbed:
            continue
        if _alive(path):
            living.add(_process(path))
            for model, profile in _models(path).items():
                served.setdefault(model, set()).add(profile)
        elif _OURS.fullmatch(path.stem):
            peer = PeerFile(path, None)
            peer.refresh()
            if peer.damage is None and peer.dead:
                dead[path] = peer
    if dead:
        totals, since = _summed(old, dead.values(), served)
        write_folded(old.path, totals, [path.name for path in (*left, *dead)], since)
    for path in (*left, *dead):
        _delete(path, living)
    return bool(dead)


def _summed(
    old: Folded, dead: Iterable[PeerFile], served: Mapping[Model, set[str]]
) -> tuple[dict[tuple[Identity, Metric], Total], dict[Identity, float]]:
    """Return what was folded and what comes to it, and since when nobody serves which model."""
    now = time.time()
    parts = list(old.series)
    ended: set[Identity] = set()
    for peer in dead:
        ended |= {Identity(model, profile) for model, profile in peer.models.items()}
        ended |= {Identity(model) for model in peer.models}
        for series in peer.series:
            if series.metric.outlasts:
                parts += by_identity(series, peer.models)
    since = {
        identity: now if identity in ended else old.since.get(identity, now)
        for identity in {identity for identity, _ in parts}
        if not identity.served(served)
    }
    totals: dict[tuple[Identity, Metric], Total] = {}
    steps = []
    for identity, series in parts:
        if now - since.get(identity, now) <= FORGET_SECONDS:
            total = totals.setdefault((identity, series.metric), Total(series.metric))
            steps.append((total, series.values, total.place(series.rows, series.created)))
    for total in totals.values():
        total.clear()
    for total, values, places in steps:
        total.add(values, places)
    kept = {identity for identity, _ in totals}
    return totals, {identity: at for identity, at in since.items() if identity in kept}


def _forget(directory: Path) -> None:
    """Delete what workers counted of which none lives."""
    (directory / FOLDED).unlink(missing_ok=True)
    for path in directory.glob("*" + COUNTS):
        if _OURS.fullmatch(path.stem):
            _delete(path, living=set())


def _delete(path: Path, living: set[int]) -> None:
    """Delete the files of a worker that has ended."""
    if _process(path) not in living:
        bury(_process(path))
    path.unlink(missing_ok=True)  # first: without it nobody looks for the other
    path.with_suffix(SERIES).unlink(missing_ok=True)


def _left(path: Path) -> bool:
    """Tell whether a file that was folded is still to be deleted."""
    there = path.exists() or path.with_suffix(SERIES).exists()
    return there and _OURS.fullmatch(path.stem) is not None


def _tidy(directory: Path) -> None:
    """Delete what was left by workers killed while they made, or deleted, files."""
    (directory / FOLDED).with_suffix(TEMPORARY).unlink(missing_ok=True)
    for suffix in (HIDDEN, SERIES):
        for path in directory.glob("*" + suffix):
            if not _OURS.fullmatch(path.stem) or path.with_suffix(COUNTS).exists():
                continue
            with suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > _ORPHAN_SECONDS:
                    path.unlink()


def _alive(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:  # gone, or not for us
        return False
    try:
        return locked(descriptor)
    finally:
        os.close(descriptor)


def _models(path: Path) -> dict[Model, str]:
    """Return what `PeerFile.models` would be, without reading all the rest."""
    found: dict[Model, str] = {}
    mark = json.dumps(names.MODEL_INFO.name).encode()
    with suppress(OSError, ValueError, KeyError, TypeError):
        for line in path.with_suffix(SERIES).read_bytes().splitlines():
            if mark in line:
                entry = json.loads(line)
                found |= models_of(rows_of(metric_of(entry), entry))
    return found


def _process(path: Path) -> int:
    match = _OURS.fullmatch(path.stem)
    return int(match[1]) if match else -1
