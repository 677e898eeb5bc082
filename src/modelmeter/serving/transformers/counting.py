"""How scikit-learn's imputers and encoders count: one place for all of them.

The drop-in transformers and the copies that run in a watched model (``boundaries.py``) get
these two classes as bases. They hook in where scikit-learn itself has found out what is
missing or unknown, so that a count costs no second look at the data and cannot disagree:

- imputers hand the mask of missing values to ``_transform_indicator``;
- encoders split their input into columns in ``_check_X``, and hand the code of every cell,
  and which codes are valid, to ``_map_infrequent_categories``.

All are older than the oldest scikit-learn that we support. Should one go, nothing is
counted any more (the tests say so) and nothing breaks: the hooks pass on whatever they are
given.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

import numpy as np
import sklearn
from scipy.sparse import issparse
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.impute._base import _BaseImputer

from modelmeter.live.recording import Recording, scope
from modelmeter.serving.transformers.tallies import EncoderTally, ImputerTally, feature_names

TALLY = "_modelmeter_tally"
"""Attribute of a watched model's copy of a transformer: where it counts."""


class _Encoding:
    """What an encoder at work has found out."""

    __slots__ = ("columns", "tally")

    def __init__(self, tally: EncoderTally) -> None:
        self.tally = tally
        self.columns: Sequence[Any] | None = None


_encoding: ContextVar[_Encoding | None] = ContextVar("modelmeter_encoding", default=None)


class CountingImputer(_BaseImputer):  # type: ignore[misc]
    """Base of an imputer, behind scikit-learn's class, that counts what is missing."""

    def _transform_indicator(self, *args: Any, **kwargs: Any) -> Any:
        tally = self.__dict__.get(TALLY) or _current_tally(self)
        if tally is not None and args and _any(args[0]):
            with tally.recording.guard("transformers"):
                tally.count(args[0])
        return super()._transform_indicator(*args, **kwargs)


def _any(mask: Any) -> bool:
    """Tell whether there may be something to count."""
    return bool(np.count_nonzero(mask)) if isinstance(mask, np.ndarray) else issparse(mask)


class CountingEncoder:
    """Base of an encoder, before scikit-learn's class, that counts what it meets."""

    def _transform(self, X: Any, *args: Any, **kwargs: Any) -> Any:
        tally = self.__dict__.get(TALLY) or _current_tally(self)
        if tally is None:
            return super()._transform(X, *args, **kwargs)  # type: ignore[misc]
        token = _encoding.set(_Encoding(tally))
        try:
            return super()._transform(X, *args, **kwargs)  # type: ignore[misc]
        except ValueError:
            if kwargs.get("handle_unknown") == "error":
                # Once more, letting unknown categories pass: the same code counts them all.
                # It fails again if they were not what was wrong.
                kwargs["handle_unknown"] = "ignore"
                with tally.recording.guard("transformers"), suppress(ValueError):
                    super()._transform(X, *args, **kwargs)  # type: ignore[misc]
            raise
        finally:
            _encoding.reset(token)

    def _check_X(self, *args: Any, **kwargs: Any) -> Any:
        checked = super()._check_X(*args, **kwargs)  # type: ignore[misc]
        encoding = _encoding.get()
        if encoding is not None:
            encoding.columns = checked[0]
        return checked

    def _map_infrequent_categories(self, *args: Any, **kwargs: Any) -> Any:
        # Before the codes of rare categories become one, and unknown ones pass for rare.
        encoding = _encoding.get()
        if encoding is not None and encoding.columns is not None and len(args) >= 2:
            tally, (codes, known) = encoding.tally, args[:2]
            if tally.by_category or np.count_nonzero(known) != known.size:
                with tally.recording.guard("transformers"):
                    tally.count(encoding.columns, codes, known)
        return super()._map_infrequent_categories(*args, **kwargs)  # type: ignore[misc]


class DropIn:
    """Base of the transformers that users put in their own pipelines.

    They count for the monitor that serves in their context, and never in fit.
    """

    _doc_link_module = "modelmeter"

    def _doc_link_url_param_generator(self) -> dict[str, str]:
        """Point scikit-learn's diagrams to the documentation of the class taken over."""
        module = "impute" if isinstance(self, _BaseImputer) else "preprocessing"
        return {"estimator_module": f"sklearn.{module}", "estimator_name": type(self).__name__}

    def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> Any:
        """Fit to the data, then transform it, as scikit-learn does; nothing is counted.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training data.
        y : Ignored
            For the API of scikit-learn.
        **fit_params
            Passed on.

        Returns
        -------
        ndarray, sparse matrix or data frame of shape (n_samples, n_features_out)
        """
        around = scope()
        if around.recording is not None:
            around.leave_out(self)
        return super().fit_transform(X, y, **fit_params)  # type: ignore[misc]

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = dict(super().__getstate__())  # type: ignore[call-overload]
        # A copy that counts may travel to a worker process, where there is nobody to count.
        state.pop(TALLY, None)
        # As scikit-learn's own classes do, and only they: see BaseEstimator.__getstate__.
        return state | {"_sklearn_version": sklearn.__version__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        version = state.get("_sklearn_version")
        if version != sklearn.__version__:
            warnings.warn(
                InconsistentVersionWarning(
                    estimator_name=type(self).__name__,
                    current_sklearn_version=sklearn.__version__,
                    original_sklearn_version=version,
                ),
                stacklevel=2,
            )
        self.__dict__.update(state)
        self.__dict__.pop("_sklearn_version", None)


def _current_tally(transformer: Any) -> Any:
    """Return where a drop-in counts in this context; None when nobody is serving."""
    around = scope()
    recording = around.recording
    if recording is None or around.leaves_out(transformer):
        return None
    tally = None
    with recording.guard("transformers"):
        tally = _prepared(recording, transformer)
    return tally


def _prepared(recording: Recording, transformer: Any) -> ImputerTally | EncoderTally:
    tally: ImputerTally | EncoderTally | None = recording.tallies.get(transformer)
    if tally is None or not tally.fits(transformer):
        tally = make_tally(recording, transformer, feature_names(transformer))
        recording.tallies[transformer] = tally
    return tally


def make_tally(
    recording: Recording, transformer: Any, features: list[str], step: str = ""
) -> ImputerTally | EncoderTally:
    """Prepare the series of one fitted transformer, all at zero.

    Parameters
    ----------
    recording
        For whom it counts.
    transformer
        A fitted imputer or encoder.
    features
        Names of its columns.
    step
        Its path in the model; its class's name where it has none.
    """
    step = step or type(transformer).__name__
    if isinstance(transformer, _BaseImputer):
        return ImputerTally(recording, transformer, features, step)
    return EncoderTally(
        recording, transformer, features, step, by_category=isinstance(transformer, DropIn)
    )
