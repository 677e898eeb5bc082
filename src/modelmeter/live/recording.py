"""Who is counting: what the parts of a model ask while it answers.

A transformer deep inside a model cannot be handed a monitor. It asks for the `scope` whether
one is serving in this context, and gets the `Recording` to count in. Context variables keep
threads and asyncio tasks apart; a thread that a transformer starts itself is in no context,
so nothing is counted there unless the transformer was given its recording beforehand
(``serving/boundaries.py`` does that).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar, Token
from typing import Any, NamedTuple, Protocol, cast
from weakref import WeakKeyDictionary, WeakSet

import numpy as np
from numpy.typing import NDArray

from modelmeter.live.counts import Counts
from modelmeter.names import Metric
from modelmeter.profile.profile import Profile
from modelmeter.stats.bins import CategoricalBins


class Counting(Protocol):
    """What a recording asks of an ``Observer``."""

    @property
    def counts(self) -> Counts:
        """Where the series are."""

    @property
    def labels(self) -> tuple[str, str]:
        """Name and version of the model: the first labels of every series."""

    @property
    def profile(self) -> Profile:
        """What training looked like."""

    def guard(self, where: str) -> AbstractContextManager[None]:
        """Swallow, count and log once any failure of monitoring code."""


class Cells:
    """Series that are counted together, wherever in memory they lie.

    Parameters
    ----------
    counts
        Whose lock is held while adding.
    parts
        Per block of memory: its values, places in it, and which counts go there.
    """

    __slots__ = ("_counts", "_parts")

    def __init__(self, counts: Counts, parts: Sequence[_Part]) -> None:
        self._counts = counts
        self._parts = tuple(parts)

    def add(self, numbers: NDArray[Any]) -> None:
        """Add one number to each series, shape (n_series,)."""
        with self._counts.lock:
            for values, places, chosen in self._parts:
                if isinstance(places, slice):
                    values[places] += numbers[chosen]
                else:
                    np.add.at(values, places, numbers[chosen])


class _Part(NamedTuple):
    values: NDArray[np.float64]
    places: slice | NDArray[np.intp]
    chosen: NDArray[np.intp] | slice


class Recording:
    """The series that the transformers of one monitored model count in.

    Parameters
    ----------
    observer
        Who counts the model itself.

    Attributes
    ----------
    tallies
        What was prepared for transformers met in this recording, while they live.
    said
        What was logged, so that it is not logged again.
    """

    def __init__(self, observer: Counting) -> None:
        self.guard = observer.guard
        self.tallies: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
        self.said: set[str] = set()
        self._counts = observer.counts
        self._labels = observer.labels
        self._bins = {feature.name: feature.bins for feature in observer.profile.features}
        self._places: dict[tuple[str, tuple[str, ...]], tuple[NDArray[np.float64], int]] = {}
        self._growing = threading.Lock()

    @property
    def features(self) -> list[str]:
        """Names of the profile's features, in order."""
        return list(self._bins)

    def categories_of(self, feature: str) -> Mapping[Any, str] | None:
        """Return the label of every category that has a bin of its own.

        Returns
        -------
        mapping or None
            None when the profile does not know the feature as categorical.
        """
        bins = self._bins.get(feature)
        if not isinstance(bins, CategoricalBins):
            return None
        return {category: bins.bins[place].label for category, place in bins.table.items()}

    def cells(self, metric: Metric, rows: Sequence[tuple[str, ...]]) -> Cells:
        """Return where to count, making the series that are not there yet, at zero.

        Parameters
        ----------
        metric
            What is counted.
        rows
            Label values beyond model and version; a row may come twice.

        Returns
        -------
        Cells
            One place per row; two equal rows, here or in another call, share theirs.
        """
        labelled = [(*self._labels, *row) for row in rows]
        with self._growing:
            new = [row for row in dict.fromkeys(labelled) if (metric.name, row) not in self._places]
            if new:
                block = self._counts.block(metric, new)
                for place, row in enumerate(new):
                    self._places[metric.name, row] = (block.values, place)
            found = [self._places[metric.name, row] for row in labelled]
        return Cells(self._counts, [*_parts(found)])


def _parts(found: Sequence[tuple[NDArray[np.float64], int]]) -> Iterator[_Part]:
    """Group places by the memory they are in."""
    memories = {id(values): values for values, _ in found}
    for key, values in memories.items():
        chosen = np.asarray([i for i, (owner, _) in enumerate(found) if id(owner) == key])
        places = np.asarray([found[i][1] for i in chosen])
        start = int(places[0])
        if len(chosen) == len(found) and (places == np.arange(start, start + len(places))).all():
            yield _Part(values, slice(start, start + len(places)), slice(None))
        else:
            yield _Part(values, places, chosen)


class Scope:
    """Who is served in a context.

    Parameters
    ----------
    recording
        Where transformers count; None for nowhere.
    answering
        Whether a watched model is at work, so that one inside it does not count again.
    paused
        Whether nothing at all is counted.
    """

    __slots__ = ("_fitted", "answering", "paused", "recording")

    def __init__(
        self,
        recording: Recording | None = None,
        *,
        answering: bool = False,
        paused: bool = False,
    ) -> None:
        self.recording = recording
        self.answering = answering
        self.paused = paused
        self._fitted: WeakSet[Any] | None = None

    def leave_out(self, transformer: object) -> None:
        """Do not count what this transformer does: it was fitted here, it is on trial."""
        if self._fitted is None:
            self._fitted = WeakSet()
        self._fitted.add(transformer)

    def leaves_out(self, transformer: object) -> bool:
        """Tell whether a transformer was fitted in this scope."""
        return self._fitted is not None and transformer in self._fitted


_NOBODY = Scope()
_PAUSED = Scope(paused=True)
_scope: ContextVar[Scope] = ContextVar("modelmeter_scope", default=_NOBODY)


def scope() -> Scope:
    """Return who is served in this context."""
    return _scope.get()


def enter(entered: Scope) -> Token[Scope]:
    """Change the scope; give the token to `leave`. For the request path."""
    return _scope.set(entered)


def leave(token: Token[Scope]) -> None:
    """Return to the scope before `enter`."""
    _scope.reset(token)


def pause() -> Token[Scope]:
    """Count nothing in this context until `leave`."""
    return _scope.set(_PAUSED)


@contextmanager
def serving(observer: Counting) -> Iterator[None]:
    """Let drop-in transformers count for a model that is not watched.

    Parameters
    ----------
    observer
        For whom they count.

    Examples
    --------
    >>> import modelmeter as mm, numpy as np
    >>> X = np.arange(100.0).reshape(-1, 1)
    >>> monitor = mm.Monitor(mm.Profile.build(None, X, name="nothing", version="1"))
    >>> scope().recording is None
    True
    >>> with serving(monitor):
    ...     scope().recording is recording_of(monitor)
    True
    """
    before = _scope.get()
    token = _scope.set(before if before.paused else Scope(recording_of(observer)))
    try:
        yield
    finally:
        _scope.reset(token)


@contextmanager
def paused() -> Iterator[None]:
    """Count nothing in this context: neither watched models nor drop-in transformers.

    For an evaluation of a watched model, say with a scikit-learn scorer, whose rows are no
    traffic.

    Examples
    --------
    >>> with paused():
    ...     scope().paused
    True
    """
    token = pause()
    try:
        yield
    finally:
        _scope.reset(token)


def recording_of(observer: Counting) -> Recording:
    """Return the one recording of an observer."""
    # Kept on the observer, so that both go together; setdefault decides between two threads.
    attributes = vars(observer)
    found: Recording | None = attributes.get("_recording")
    return found or cast(Recording, attributes.setdefault("_recording", Recording(observer)))
