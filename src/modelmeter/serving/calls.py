"""One prediction of a watched model: run it, time it, count it once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine
from contextvars import Token
from functools import wraps
from time import perf_counter
from types import CoroutineType
from typing import Any, Protocol

import numpy as np

from modelmeter.live.observer import Observer
from modelmeter.live.recording import Scope, enter, leave, pause, recording_of, scope
from modelmeter.serving.answers import Answer, answer_to, remember

METHODS = ("predict", "predict_proba", "predict_log_proba", "decision_function", "transform")
"""Methods that are counted, beside ``__call__`` of a callable."""

_SCORES = {
    "predict_proba": "predict_proba",
    "predict_log_proba": "predict_proba",
    "decision_function": "decision_function",
}
"""Which scores a method gives, by the name of the method that the profile was built with."""


class _Target(Protocol):
    """What predicts."""

    @property
    def model(self) -> Any:
        """Copy of the model that counts at its boundaries, or the model itself."""

    def is_current(self) -> bool:
        """Tell whether it still stands for the model."""


class _Plain:
    """A model that is not looked into."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def is_current(self) -> bool:
        return True


class Caller:
    """Calls a watched model and counts what it answers.

    Parameters
    ----------
    model
        Any model.
    observer
        Counts for it.
    """

    def __init__(self, model: Any, observer: Observer) -> None:
        self.model = model
        self.observer = observer
        self.recording = recording_of(observer)
        self.key = object()
        self.derives = _derives(observer)
        self.score_method = observer.profile.model.score_method
        self._features = frozenset(feature.name for feature in observer.profile.features)
        self._methods: dict[str, Callable[..., Any]] = {}
        self._target = self._make_target()

    def counted(self, name: str, found: Callable[..., Any]) -> Callable[..., Any]:
        """Return a method that counts.

        Parameters
        ----------
        name
            Of the method.
        found
            The model's own.
        """
        if name not in self._methods:

            @wraps(found)
            def method(*args: Any, **kwargs: Any) -> Any:
                return self.call(name, args, kwargs)

            self._methods[name] = method
        return self._methods[name]

    def call(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Predict, and count the answer; errors of the model pass through."""
        around = scope()
        if around.paused:
            return getattr(self.model, name)(*args, **kwargs)
        if around.answering and around.recording is self.recording:
            # A part of an answer that is counted as a whole.
            return getattr(self.target(), name)(*args, **kwargs)
        return _Call(self, name, args, kwargs).run()

    def target(self) -> Any:
        """Return what predicts as the model does and counts at its boundaries."""
        if not self._target.is_current():
            self._target = self._make_target()
        return self._target.model

    def rows_in(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return what the model is asked about, None when that cannot be told."""
        if args:
            rows = args[0]
        elif "X" in kwargs:
            rows = kwargs["X"]
        elif name == "__call__" and not self._features.isdisjoint(kwargs):
            return kwargs  # a function of the features
        else:
            rows = next(iter(kwargs.values()), None)
        # Looking at an iterator would take its rows from the model.
        return None if hasattr(type(rows), "__next__") else rows

    def before(self, rows: Any) -> Any:
        """Return the rows as they are now, for a model that may write into them."""
        if self._overwrites and (isinstance(rows, np.ndarray) or hasattr(rows, "iloc")):
            return rows.copy()
        return rows

    def _make_target(self) -> _Target:
        self._overwrites = False
        with self.observer.guard("watch"):
            self._overwrites = _overwrites(self.model)
            if "sklearn" in sys.modules:  # else it cannot be a model of scikit-learn
                from modelmeter.serving.boundaries import Shadow

                return Shadow(self.model, self.recording)
        return _Plain(self.model)


class _Call:
    """One call of a counted method."""

    __slots__ = ("_answer", "_args", "_caller", "_kwargs", "_name", "_rows", "_second", "_shown")

    def __init__(
        self, caller: Caller, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self._caller = caller
        self._name = name
        self._args = args
        self._kwargs = kwargs
        self._rows = caller.rows_in(name, args, kwargs)
        self._answer = answer_to(caller.key, self._rows, name)
        self._second = bool(self._answer.methods)
        self._shown = self._rows if self._second else caller.before(self._rows)

    def run(self) -> Any:
        # What happens inside was counted with the first part of the answer.
        target = self._caller.model if self._second else self._caller.target()
        method = getattr(target, self._name)
        token = self._enter()
        started = perf_counter()
        try:
            result = method(*self._args, **self._kwargs)
        except Exception:
            self._fail()
            raise
        finally:
            leave(token)
        if type(result) is CoroutineType:
            return self._run_later(result)
        self._count(result, perf_counter() - started)
        return result

    async def _run_later(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Do for a coroutine function what `run` does."""
        token = self._enter()
        started = perf_counter()
        try:
            result = await coroutine
        except Exception:
            self._fail()
            raise
        finally:
            leave(token)
        self._count(result, perf_counter() - started)
        return result

    def _enter(self) -> Token[Scope]:
        if self._second:
            return pause()
        return enter(Scope(self._caller.recording, answering=True))

    def _fail(self) -> None:
        with self._caller.observer.guard("watch"):
            self._caller.observer.failed(_size(self._rows))

    def _count(self, result: Any, seconds: float) -> None:
        caller, answer = self._caller, self._answer
        with caller.observer.guard("watch"):
            observer, ids = caller.observer, answer.ids
            y_pred, y_score = self._outputs(result, answer)
            if not self._second:
                ids = observer.next_ids()
                observer.observe(self._shown, y_pred, y_score, seconds=seconds, prediction_id=ids)
            elif y_pred is not None or y_score is not None:
                observer.observe_outputs(
                    self._rows, y_pred, y_score, derive=not answer.has_pred, prediction_id=ids
                )
            has_score = y_score is not None
            has_pred = y_pred is not None or (has_score and caller.derives)
            extended = answer.extended(self._name, has_pred=has_pred, has_score=has_score, ids=ids)
            remember(extended)

    def _outputs(self, result: Any, answer: Answer) -> tuple[Any, Any]:
        """Return the predictions and scores among a result that are not counted yet."""
        if self._name in ("predict", "__call__"):
            if answer.has_pred:
                return None, None
            # predict(return_std=True) gives two arrays.
            return (result[0] if type(result) is tuple and result else result), None
        method = _SCORES.get(self._name)
        if method is None or method != self._caller.score_method or answer.has_score:
            return None, None
        return None, (np.exp(result) if self._name == "predict_log_proba" else result)


def _derives(observer: Observer) -> bool:
    """Tell whether the observer counts classes when it is given scores alone."""
    facts = observer.profile.model
    return facts.task == "multiclass" or (facts.task == "binary" and facts.threshold is not None)


def _overwrites(model: Any) -> bool:
    """Tell whether a part of the model was told to write into what it is given."""
    parameters = model.get_params() if hasattr(model, "get_params") else {}
    return any(
        value is False and name.rpartition("__")[2] == "copy" for name, value in parameters.items()
    )


def _size(rows: Any) -> int:
    """Return a number of rows, one for what is not rows."""
    shape = getattr(rows, "shape", None)
    if shape:
        return int(shape[0]) if len(shape) > 1 else 1
    return len(rows) if isinstance(rows, (list, tuple)) and _is_rows(rows) else 1


def _is_rows(rows: Any) -> bool:
    return not rows or isinstance(rows[0], (dict, list, tuple, np.ndarray))
