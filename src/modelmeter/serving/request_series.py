"""Where a request is counted: by method, route, status, and model on prediction routes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from modelmeter import names
from modelmeter.live.counts import Counts

Model = tuple[str, str]
Cells = tuple["memoryview[float]", "memoryview[float]"]
Key = tuple[str, str, int, Model | None]

METHODS: Final = frozenset(
    {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}
)
"""The methods that get series of their own; any other is counted as ``OTHER``."""

_NO_MODEL: Final = ("", "")


class RequestSeries:
    """The series of an application's requests, made when first needed.

    Parameters
    ----------
    counts
        Where to count.
    prediction_routes
        Name and version of the model by route template. Other prediction routes are learned
        from the predictions made while answering them; each route's latest is remembered,
        so that requests which fail before there is a prediction carry its labels too.

    Attributes
    ----------
    known
        Memory of the request counter and of the duration histogram by what a request is
        known by; ``find`` adds to it.
    """

    def __init__(self, counts: Counts, prediction_routes: Mapping[str, Model]) -> None:
        self.known: dict[Key, Cells] = {}
        self._counts = counts
        self._models = dict(prediction_routes)
        self._requests: dict[tuple[str, str, int, Model], memoryview[float]] = {}
        self._durations: dict[tuple[str, str, int, Model], memoryview[float]] = {}
        self._exceptions: dict[tuple[str, str, Model], memoryview[float]] = {}

    def find(self, key: Key) -> Cells:
        """Return the memory for requests of a kind, after making it where it is new."""
        method, route, status, model = key
        self.learn(route, model)
        full = (self._bounded(method), route, int(status), self._labels(route, model))
        if full not in self._durations:
            self._make(full)
        cells = (self._requests[full], self._durations[full])
        if method == full[0]:  # clients invent methods: remember ours only
            self.known[key] = cells
        return cells

    def exceptions(self, method: str, route: str, model: Model | None) -> memoryview[float]:
        """Return the memory for exceptions."""
        full = (self._bounded(method), route, self._labels(route, model))
        if full not in self._exceptions:
            self._make((full[0], route, 500, full[2]))
        return self._exceptions[full]

    def learn(self, route: str, model: Model | None) -> None:
        """Remember which model predicts on a route."""
        if model is None or self._models.get(route) == model:
            return
        self._models[route] = model
        stale = [key for key in self.known if key[1] == route and key[3] is None]
        for key in stale:
            del self.known[key]

    def _bounded(self, method: str) -> str:
        return method if method in METHODS else "OTHER"

    def _labels(self, route: str, model: Model | None) -> Model:
        return self._models.get(route, _NO_MODEL) if model is None else model

    def _make(self, full: tuple[str, str, int, Model]) -> None:
        method, route, status, model = full
        # Errors get their series, at zero, with the first request of any status: increase()
        # does not see the first value of a series that begins.
        for code in (status, 500):
            if (method, route, code, model) not in self._requests:
                block = self._counts.block(
                    names.HTTP_REQUESTS, [(method, route, str(code), *model)]
                )
                self._requests[method, route, code, model] = block.cells
        if (method, route, model) not in self._exceptions:
            block = self._counts.block(names.HTTP_EXCEPTIONS, [(method, route, *model)])
            self._exceptions[method, route, model] = block.cells
        block = self._counts.block(names.HTTP_DURATION, [(method, route, str(status), *model)])
        self._durations[full] = block.cells
