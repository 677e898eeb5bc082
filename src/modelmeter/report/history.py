"""What a process counted over its last minutes, hours and day, without a Prometheus.

A few dozen copies of the counters, close together for the last minutes and far apart before:
a window is what is counted now, less what was counted at its start. Memory is bounded by the
number of copies, whatever the traffic.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from modelmeter import names
from modelmeter.live.merge import Family
from modelmeter.report.words import duration

logger = logging.getLogger("modelmeter")

TICK_SECONDS: Final = 30.0
"""Between two copies, at the least."""

KEPT: Final = ((600.0, 30.0), (7_200.0, 300.0), (90_000.0, 3_600.0))
"""Up to which age copies are kept, and how far apart: some 70 of them in all."""

WINDOWS: Final[Mapping[str, float | None]] = {
    "since start": None,
    "last 5 min": 300.0,
    "last 1 h": 3_600.0,
    "last 24 h": 86_400.0,
}
"""Windows to choose from, by name, in seconds."""

_RISING: Final = ("counter", "histogram")


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """What was counted over a window.

    Parameters
    ----------
    families
        Counters and histograms less what they were at the start; gauges as they are now.
    since, until
        Unix time: where the copy nearest to the start was made.
    text
        In words.
    """

    families: Sequence[Family]
    since: float
    until: float
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class _Copy:
    at: float
    families: Mapping[str, Family]


class History:
    """Copies of counters, from now back to a day ago.

    Parameters
    ----------
    read
        Returns all families as they are now, such as ``Exposition.families``; of all workers,
        where there are several.
    clock
        Returns Unix time.

    Notes
    -----
    Copies are made by `tick`: on a thread while it is started (`start`, `stop`), or whenever
    somebody asks. Without any copy a window begins where the history does.
    """

    def __init__(
        self, read: Callable[[], list[Family]], *, clock: Callable[[], float] = time.time
    ) -> None:
        self._read, self._clock = read, clock
        self._lock = threading.Lock()
        self._copies: list[_Copy] = []
        self._since = clock()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    def start(self) -> None:
        """Make copies on a thread from now on."""
        if self._thread is None or not self._thread.is_alive():
            self._stopping.clear()
            self._thread = threading.Thread(
                target=self._run, name="modelmeter-history", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """End the thread; what was copied is kept."""
        self._stopping.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(5)

    def tick(self) -> None:
        """Copy the counters, if the last copy is old enough."""
        with self._lock:
            now = self._clock()
            if not self._copies or now - self._copies[-1].at >= TICK_SECONDS:
                self._copies.append(_Copy(now, _rising(self._read())))
                self._copies = _thinned(self._copies, now)

    def window(self, seconds: float | None = None) -> Window:
        """Return what was counted over the last so many seconds; None for since the start.

        Parameters
        ----------
        seconds
            Length of the window.

        Returns
        -------
        Window
            From the copy that was made nearest to its start; since the start where the
            process is younger.
        """
        self.tick()
        with self._lock:
            now = self._clock()
            families = self._read()
            copies, since = list(self._copies), _began(families) or self._since
        if seconds is None or now - since <= seconds:
            return Window(families, since, now, "since start")
        start = min(copies, key=lambda copy: abs(copy.at - (now - seconds)))
        found = [_less(family, start.families.get(family.metric.name)) for family in families]
        text = next((text for text, known in WINDOWS.items() if known == seconds), "")
        if not text or now - start.at < seconds / 2:
            # Counts may be older than this process, which remembers only its own life.
            text = f"last {duration(now - start.at)}"
        return Window(found, start.at, now, text)

    @property
    def copies(self) -> int:
        """How many copies there are."""
        return len(self._copies)

    def _run(self) -> None:
        while not self._stopping.wait(TICK_SECONDS):
            try:
                self.tick()
            except OSError:  # one window is the poorer for it, the service is not
                logger.warning("the history of counts could not be read", exc_info=True)


def _began(families: Sequence[Family]) -> float | None:
    """Return when predictions began to be counted; None where that is not known."""
    for family in families:
        if family.metric is names.PREDICTIONS and family.created is not None and len(family.rows):
            return float(np.min(family.created))
    return None


def _rising(families: Sequence[Family]) -> dict[str, Family]:
    """Return copies of what only rises."""
    return {
        family.metric.name: family._replace(values=np.array(family.values))
        for family in families
        if family.metric.type in _RISING
    }


def _thinned(copies: Sequence[_Copy], now: float) -> list[_Copy]:
    """Keep the first copy of every stretch of time, the longer stretches the older they are."""
    kept: dict[tuple[float, float], _Copy] = {}
    for copy in copies:
        step = next((step for age, step in KEPT if now - copy.at <= age), None)
        if step is not None:
            kept.setdefault((step, copy.at // step), copy)
    return list(kept.values())


def _less(family: Family, before: Family | None) -> Family:
    """Return how far a family has risen; as it is where it was not there, or fell."""
    if before is None or family.metric.type not in _RISING:
        return family
    earlier: NDArray[np.float64] = before.values
    if family.rows != before.rows:
        places = {row: i for i, row in enumerate(before.rows)}
        earlier = np.zeros_like(family.values)
        for i, row in enumerate(family.rows):
            if row in places:
                earlier[i] = before.values[places[row]]
    risen = family.values - earlier
    # Of a histogram any bucket tells.
    fell = (risen.reshape(len(risen), -1) < 0).any(axis=1)
    fell = fell.reshape(-1, *[1] * (risen.ndim - 1))
    return family._replace(values=np.where(fell, family.values, risen))
