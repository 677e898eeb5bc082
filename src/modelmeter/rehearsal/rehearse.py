"""Replays history through the generated rules.

::

    rows ──> table ──> blocks ──> Prometheus ──> layer after layer of rules ──> alerts
             (step)    (promtool)      ^────────── blocks (promtool) ──┘

Nothing here knows what the rules say: they are evaluated by Prometheus, whose server is private,
and gone at the end, however that comes.
"""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np

from modelmeter._errors import ConfigurationError, DataError
from modelmeter.generate.durations import format_duration, parse_duration
from modelmeter.generate.settings import Settings
from modelmeter.profile.profile import Profile
from modelmeter.rehearsal.blocks import Firing, Grid, evaluate, phase, write_chunk, write_firing
from modelmeter.rehearsal.counting import RowCounter, reference_families
from modelmeter.rehearsal.firing import episodes
from modelmeter.rehearsal.history import Columns, History
from modelmeter.rehearsal.labelling import LabelCounter
from modelmeter.rehearsal.result import Episode, Rehearsal
from modelmeter.rehearsal.rulebook import Alerting, Rulebook, rulebook
from modelmeter.rehearsal.server import Server, program
from modelmeter.rehearsal.table import Chunk, Places, Table
from modelmeter.stats.values import Floats

OnProgress = Callable[[str, int, int], None]
"""Is told what is being done, how much of it is done, and how much there is."""

STEPS: Final = tuple(parse_duration(f"{m}m", field="step") for m in (1, 2, 5, 10, 15, 20, 30))
"""Steps to choose from: a day is a multiple of each."""

USUAL_STEPS: Final = 10_000
"""By default steps are so long that a history has no more of them, if a window allows it."""

MAX_STEPS: Final = 500_000


def rehearse(
    profile: Profile,
    data: str | Path | Any,
    columns: Columns,
    *,
    model: Any = None,
    settings: Settings | None = None,
    step: str | None = None,
    on_progress: OnProgress = lambda what, done, of: None,
) -> Rehearsal:
    """Say which alerts would have fired.

    Parameters
    ----------
    profile
        Of the model.
    data
        The history: a ``.parquet`` or ``.csv`` file, or a data frame, in any order. It is read
        twice, in batches.
    columns
        Names of its columns.
    model
        Answers where the history holds no answers.
    settings
        As `generate` is given them.
    step
        Time between evaluations, a Prometheus duration of at most half the shortest window. By
        default such that there are about `USUAL_STEPS`.
    on_progress
        Is told how far it is.

    Returns
    -------
    Rehearsal

    Raises
    ------
    DataError
        The history cannot be read, or is shorter than a window.
    ConfigurationError
        A setting cannot work, or Prometheus is not installed.
    PrometheusError
        Prometheus failed.
    """
    settings = settings or Settings()
    for name in ("prometheus", "promtool"):
        program(name)
    history = History(data, profile, columns, model=model)
    length = _step(history, settings, step)
    book = rulebook(
        profile,
        settings,
        step=length,
        predictions=history.has_predictions,
        labels=history.has_labels,
    )
    with tempfile.TemporaryDirectory(prefix="modelmeter-rehearsal-") as name:
        folder = Path(name)
        (folder / "data").mkdir()
        stage = _Stage(folder, book, on_progress)
        grid = stage.grid(history, length, series=len(settings.windows) * _bins(profile))
        labels = stage.count(history, profile, grid)
        stage.evaluate_layers(grid)
        found = stage.alerts(grid)
    return Rehearsal(
        model=profile.name,
        version=profile.version,
        rows=history.rows,
        labels=labels[0],
        invalid_labels=labels[1],
        start=grid.time(0) / 1000,
        end=grid.time(grid.steps - 1) / 1000,
        step=length / 1000,
        alarms_per_month=settings.alarms_per_month,
        rehearsed=book.rehearsed,
        not_rehearsed=book.not_rehearsed,
        episodes=sorted(found, key=lambda one: (one.began, one.alert, one.what)),
        knows_days=any(feature.variation is not None for feature in profile.features),
    )


class _Stage:
    """The folder in which it all happens."""

    def __init__(self, folder: Path, book: Rulebook, on_progress: OnProgress) -> None:
        self._folder, self._book, self._tell = folder, book, on_progress

    def grid(self, history: History, step: int, *, series: int) -> Grid:
        """Lay the time stamps where promtool will evaluate."""
        with self._server(step) as server:
            off = phase(server, self._folder, step)
        start = math.floor((history.first * 1000 - off) / step) * step + off
        # Nothing is counted by the first one, and everything by the last.
        start -= step * (start >= history.first * 1000)
        steps = math.ceil((history.last * 1000 - start) / step) + 1
        return Grid(start, step, steps, series)

    def count(self, history: History, profile: Profile, grid: Grid) -> tuple[int, int]:
        """Count the history into blocks; return how many labels there were, and bad ones."""

        def clock(times: Floats) -> Places:
            return np.ceil((times * 1000 - grid.start) / grid.step).astype(np.intp)

        rows = RowCounter(profile)
        labels = LabelCounter(profile, rows.form, grid.step / 1000) if history.has_labels else None
        counted = [*rows.families(), *(labels.families() if labels else ())]
        table = Table(self._folder / "table", grid.steps, counted)
        number = bad = done = 0
        for part in history.parts():
            steps = clock(part.times)
            answer = rows.count(part, steps, table)
            if labels is not None and answer is not None:
                good, invalid = labels.count(part, answer, steps, clock, table)
                number, bad = number + good, bad + invalid
            done += len(steps)
            self._tell("reading", done, history.rows)
        self._write(table, profile, grid)
        return number, bad

    def _write(self, table: Table, profile: Profile, grid: Grid) -> None:
        read = self._book.reads
        constant = [one for one in reference_families(profile) if one.name in read]
        chunks = list(grid.chunks())
        done = 0

        def write(chunk: Chunk) -> None:
            write_chunk(chunk, table, constant, grid, self._folder, only=read)

        # As many at once as there are processors: their numbers are in memory.
        for some in _batched(table.chunks(chunks), os.cpu_count() or 1):
            self._together([partial(write, chunk) for chunk in some])
            done += len(some)
            self._tell("writing", done, len(chunks))

    def evaluate_layers(self, grid: Grid) -> None:
        """Evaluate the recording rules, each after those that it reads."""
        total, done = sum(map(len, self._book.layers)), 0

        def tell() -> None:
            nonlocal done
            done += 1
            self._tell("evaluating", done, total)

        for layer in self._book.layers:
            folders = [self._folder / f"rule-{i}" for i in range(len(layer))]
            with self._server(grid.step) as server:
                tasks = [
                    partial(evaluate, rule, server, grid, folder)
                    for rule, folder in zip(layer, folders, strict=True)
                ]
                self._together(tasks, tell)
            # Only now: the server reads its folder by itself from time to time.
            for folder in folders:
                for blocks in (folder / "blocks").glob("*"):
                    shutil.move(blocks, self._folder / "data")
                shutil.rmtree(folder)

    def _together(
        self, tasks: Iterable[Callable[[], None]], each: Callable[[], None] = lambda: None
    ) -> None:
        """Run tasks, which wait for promtool mostly, on all processors; `each` when one is done."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            try:
                for finished in as_completed([pool.submit(task) for task in tasks]):
                    finished.result()
                    each()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def alerts(self, grid: Grid) -> list[Episode]:
        """Evaluate the alerts, each after those whose firing it reads."""
        found: list[Episode] = []
        for layer in self._book.alerts:
            fired: list[tuple[Alerting, Firing]] = []
            with self._server(grid.step) as server:
                for alert in layer:
                    for labels, active in _active(alert, server, grid).items():
                        spans = _spans(alert, active, grid)
                        fired += [(alert, (dict(labels), steps)) for steps in spans]
            found += [_episode(alert, firing, grid) for alert, firing in fired]
            if layer is not self._book.alerts[-1]:
                write_firing([_as_series(alert, one) for alert, one in fired], grid, self._folder)
        return found

    def _server(self, step: int) -> Server:
        # What was said a step ago is over: live, Prometheus marks what a rule no longer gives.
        return Server(self._folder, self._folder / "data", step - 1)


def _active(
    alert: Alerting, server: Server, grid: Grid
) -> Mapping[tuple[tuple[str, str], ...], list[int]]:
    """Return at which steps an alert's expression gives each series."""
    found: dict[tuple[tuple[str, str], ...], list[int]] = defaultdict(list)
    for steps in grid.chunks():
        start, end = grid.time(steps.start) / 1000, grid.time(steps.stop - 1) / 1000
        series = server.query_range(alert.expr, start=start, end=end, step=grid.step / 1000)
        for labels, times in series:
            plain = {name: text for name, text in labels.items() if name != "__name__"}
            key = tuple(sorted({**plain, **alert.labels}.items()))
            found[key] += [round((t * 1000 - grid.start) / grid.step) for t in times]
    return found


def _spans(alert: Alerting, active: Sequence[int], grid: Grid) -> Iterator[range]:
    """Yield the steps in which an alert fires."""
    for began, ended in episodes(
        active, step=grid.step / 1000, hold=alert.hold, keep=alert.keep, steps=grid.steps
    ):
        yield range(began, grid.steps if ended is None else ended)


def _as_series(alert: Alerting, firing: Firing) -> Firing:
    labels, steps = firing
    return {"alertname": alert.alert, "alertstate": "firing", **labels}, steps


def _episode(alert: Alerting, firing: Firing, grid: Grid) -> Episode:
    labels, steps = firing
    ended = None if steps.stop == grid.steps else grid.time(steps.stop) / 1000
    return Episode(alert.alert, labels, grid.time(steps.start) / 1000, ended)


def _bins(profile: Profile) -> int:
    return sum(len(one.bins.bins) for one in (*profile.features, *profile.predictions))


def _step(history: History, settings: Settings, given: str | None) -> int:
    """Return the time between evaluations, in milliseconds."""
    shortest = settings.timing.windows[0]
    length = (history.last - history.first) * 1000
    if length < shortest.length:
        raise DataError(
            f"the history spans {history.last - history.first:g} seconds, less than the shortest "
            f"window ({shortest.text}): is {history.first:g} to {history.last:g} the time?"
        )
    if given is not None:
        step = parse_duration(given, field="step")
        if 2 * step > shortest.length:
            raise ConfigurationError(
                f"step must be at most half the shortest window ({shortest.text}), not {given!r}"
            )
    else:
        possible = [one for one in STEPS if 2 * one <= shortest.length] or [shortest.length // 10]
        enough = [one for one in possible if length <= USUAL_STEPS * one]
        step = enough[0] if enough else possible[-1]
    if length > MAX_STEPS * step:
        raise DataError(
            f"the history spans {length / 86_400_000:,.0f} days, which are too many steps of "
            f"{format_duration(step)}: look for a time that is wrong"
        )
    return step


def _batched(chunks: Iterator[Chunk], size: int) -> Iterator[list[Chunk]]:
    while some := list(islice(chunks, size)):
        yield some
