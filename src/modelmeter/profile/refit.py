"""A model like the one given, as it was before it was fitted."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from modelmeter.profile.facts import qualified_name


@dataclass(frozen=True)
class Unmeasured:
    """Why there is nothing measured out of sample.

    Parameters
    ----------
    reason
        In words for the user, with what to do about it.
    """

    reason: str


def unfitted(model: Any) -> Any | Unmeasured:
    """Return a new model with the parameters of the one given and nothing learnt.

    A copy of a fitted model would not do: ``fit`` of many models goes on from what they
    have learnt. So only scikit-learn's protocol counts, ``get_params`` and a constructor
    that takes them.

    Parameters
    ----------
    model
        A fitted model; it is not touched. A search stands for its best estimator.

    Returns
    -------
    Any or Unmeasured
        `Unmeasured` where the model cannot be fitted anew, or holds parts that would stay
        as they were fitted (frozen, ``prefit``) and so have seen every row.
    """
    model = getattr(model, "best_estimator_", model)
    name = qualified_name(model)
    fit = getattr(model, "fit", None)
    if isinstance(model, type) or not callable(fit) or not hasattr(model, "get_params"):
        return Unmeasured(
            f"{name} cannot be fitted again (it has no fit and get_params): "
            "give rows that it was not trained on as X_holdout and y_holdout"
        )
    try:
        if (part := next(_fitted_for_good(model), None)) is not None:
            return Unmeasured(
                f"{part} of {name} would not be fitted again and has seen the rows: "
                "give rows that it was not trained on as X_holdout and y_holdout"
            )
        return _blank(model)
    except Exception as error:  # noqa: BLE001 - a stranger's constructor may raise anything
        return Unmeasured(f"{name} cannot be made anew from its parameters: {error!r}")


def _fitted_for_good(model: Any) -> Iterator[str]:
    """Find parts that fitting the whole does not fit."""
    if _is_frozen(model):
        yield "the model"
    for name, value in model.get_params(deep=True).items():
        said = (isinstance(value, str) and value == "prefit") or (
            name.rpartition("__")[2] == "prefit" and value is True
        )
        if said or _is_frozen(value):
            yield f"{name!r}"


def _is_frozen(value: Any) -> bool:
    clone = None if isinstance(value, type) else getattr(value, "__sklearn_clone__", None)
    return clone is not None and clone() is value


def _blank(value: Any) -> Any:
    """Clone by scikit-learn's own hook where there is one, else from the parameters."""
    if isinstance(value, type) or not hasattr(value, "get_params"):
        return copy.deepcopy(value)
    clone = getattr(value, "__sklearn_clone__", None)
    if clone is not None:
        return clone()
    parameters = value.get_params(deep=False)
    return type(value)(**{name: _blank(part) for name, part in parameters.items()})
