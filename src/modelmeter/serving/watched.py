"""A model with every prediction counted, otherwise the model itself.

`watch` returns an object in front of the model: it looks, compares with ``isinstance``,
copies and pickles as the model does, and passes everything on, but counts what goes through
the prediction methods. Every copy of it (``clone``, ``copy``, ``pickle``) is the plain model:
only the object that `watch` returned counts, and so nothing counts during cross-validation.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import wraps
from types import BuiltinFunctionType, FunctionType
from typing import Any, TypeVar, cast

from modelmeter._errors import ModelError
from modelmeter.live.observer import Observer
from modelmeter.serving.calls import METHODS, Caller
from modelmeter.serving.canary import replay

Model = TypeVar("Model")

RETURN_SELF = frozenset({"fit", "partial_fit", "set_params", "set_output"})
"""Methods that return the model: of a watched model they return the watched model."""

SPECIAL = ("__call__", "__contains__", "__getitem__", "__iter__", "__len__")
"""Methods that Python looks up on the type: a watched model has those its model has."""


def watch(model: Model, observer: Observer) -> Model:
    """Return the model with every prediction counted.

    The profile's canary rows, if it has any, are asked first: see ``serving/canary.py``.

    Parameters
    ----------
    model
        A fitted scikit-learn estimator, any object with ``predict``, or a callable. It is
        neither copied nor changed, and counts nothing when it is used itself.
    observer
        Counts for it: a ``Monitor``.

    Returns
    -------
    Watched
        Stands for the model everywhere; `model` as it is when this observer watches it
        already.

    Raises
    ------
    ModelError
        `model` is a class, or offers no way to predict.

    Examples
    --------
    >>> import modelmeter as mm, numpy as np
    >>> X = np.arange(100.0).reshape(-1, 1)
    >>> profile = mm.Profile.build(lambda X: 2 * X[:, 0], X, name="double", version="1")
    >>> double = watch(lambda X: 2 * X[:, 0], mm.Monitor(profile))
    >>> double(np.array([[1.0], [4.0]]))
    array([2., 8.])
    """
    if isinstance(model, type):
        raise ModelError(f"watch needs a fitted model, got the class {model.__name__}")
    if not callable(model) and not any(hasattr(model, name) for name in METHODS):
        raise ModelError(
            f"watch needs an object with one of {', '.join(METHODS)}, or a callable; a "
            f"{type(model).__name__} is neither"
        )
    if isinstance(model, Watched) and model._watch.observer is observer:
        return cast(Model, model)
    replay(model, observer)
    # Not hasattr: every class has the __call__ that makes its instances.
    offered = {name for base in type(model).__mro__ for name in vars(base)}
    special = {name: _forwarded(name) for name in SPECIAL if name in offered}
    # skops finds a class by the module of the type and the name of ``__class__``.
    facts = {"__slots__": (), "__doc__": type(model).__doc__, "__module__": type(model).__module__}
    return cast(Model, type("Watched", (Watched,), {**facts, **special})(model, observer))


class Watched:
    """Stands in front of a model; made by `watch`.

    Its attributes are those of the model, to read and to set. The only one of its own is
    ``__wrapped__``, the model.

    Parameters
    ----------
    model
        Any model.
    observer
        Counts for it.
    """

    __slots__ = ("__weakref__", "_watch")
    _watch: Caller

    def __init__(self, model: Any, observer: Observer) -> None:
        object.__setattr__(self, "_watch", Caller(model, observer))

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return cast(type, self._watch.model.__class__)

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
        # `check_is_fitted` looks for fitted attributes here.
        return cast(dict[str, Any], self._watch.model.__dict__)

    @property
    def __wrapped__(self) -> Any:
        return self._watch.model

    def __getattr__(self, name: str) -> Any:
        if name == "_watch":  # asked before __init__
            raise AttributeError(name)
        caller = self._watch
        found = getattr(caller.model, name)  # raises as the model does
        if name in METHODS and callable(found):
            return caller.counted(name, found)
        if name in RETURN_SELF or (name.startswith("set_") and name.endswith("_request")):
            return _chained(self, found)
        return found

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._watch.model, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._watch.model, name)

    def __dir__(self) -> list[str]:
        return dir(self._watch.model)

    def __repr__(self) -> str:
        return f"Watched({self._watch.model!r})"

    def __sklearn_clone__(self) -> Any:
        from sklearn.base import clone

        return clone(self._watch.model)

    def __copy__(self) -> Any:
        from copy import copy

        return copy(self._watch.model)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        from copy import deepcopy

        return deepcopy(self._watch.model, memo)

    def __getstate__(self) -> Any:
        return self._watch.model.__getstate__()

    def __reduce_ex__(self, protocol: Any) -> Any:
        model = self._watch.model
        if isinstance(model, (FunctionType, BuiltinFunctionType)):
            # A function is pickled by its name, as a part of something else.
            return operator.getitem, ((model,), 0)
        return model.__reduce_ex__(protocol)


def _forwarded(name: str) -> Callable[..., Any]:
    """Return a method for the type that does what the model's does."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        if name == "__call__":
            return self._watch.call(name, args, kwargs)
        return getattr(self._watch.model, name)(*args, **kwargs)

    return method


def _chained(watched: Watched, found: Any) -> Any:
    """Return a method that answers with the watched model where the model's answers itself."""
    if not callable(found):
        return found

    @wraps(found)
    def method(*args: Any, **kwargs: Any) -> Any:
        result = found(*args, **kwargs)
        return watched if result is watched.__wrapped__ else result

    return method
