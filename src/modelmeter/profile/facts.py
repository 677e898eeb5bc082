"""What a model is, and its outputs brought into one shape, at build time and in serving."""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Collection
from importlib.metadata import PackageNotFoundError, version
from numbers import Real
from typing import Any

import numpy as np

from modelmeter._errors import ModelError
from modelmeter.profile.columns import Array, as_objects
from modelmeter.profile.profile import ModelFacts, ScoreMethod, Task
from modelmeter.stats.bins import Floats

Y_PRED = "y_pred"
Y_SCORE = "y_score"

_NESTED = (list, tuple, np.ndarray)

MOST_CLASSES = 500
"""With more different texts than this a model without ``classes_`` gives no classes."""


def inspect_model(model: Any, threshold: float | None = None) -> ModelFacts:
    """Find out what a fitted model predicts, without calling it.

    A classifier without ``classes_``, or a callable, is told from a regressor later, by
    what it returns (`settle_task`).

    Raises
    ------
    ModelError
        The model can neither predict nor transform nor be called, or a threshold is given
        for a model that is no binary classifier with scores.
    """
    if model is None:
        return ModelFacts("none", "other")
    class_name = qualified_name(model)
    if predict_function(model) is None:
        if not hasattr(model, "transform"):
            raise ModelError(
                f"the model must have a predict method or be callable; {class_name} is neither"
            )
        return ModelFacts(class_name, "other")
    classes = _classes(model)
    score_method: ScoreMethod | None = None
    if classes:
        if hasattr(model, "predict_proba"):
            score_method = "predict_proba"
        elif hasattr(model, "decision_function"):
            score_method = "decision_function"
    if len(classes) == 2 and score_method is not None:
        score_method, own = _decision(model, classes, score_method)
        limit = own if threshold is None else float(threshold)
        return ModelFacts(class_name, "binary", classes, score_method, limit)
    if threshold is not None:
        raise ModelError(
            f"threshold={threshold!r} needs a binary classifier with predict_proba or "
            f"decision_function; {class_name} is none"
        )
    return ModelFacts(class_name, _task(classes), classes, score_method)


def settle_task(
    facts: ModelFacts, distinct: Collection[Any], *, whole: bool, most: int
) -> ModelFacts:
    """Decide from the predictions whether a model without ``classes_`` classifies.

    Parameters
    ----------
    facts
        As found by `inspect_model`.
    distinct
        The different predictions, in any order.
    whole
        Whether all predictions are whole numbers of an integer type.
    most
        With more different whole numbers than this the model is a regressor.
    """
    if facts.classes or facts.task == "other" or not distinct:
        return facts
    if isinstance(next(iter(distinct)), (str, bool, np.bool_)):
        # Too many texts to be the names of classes are counted like those of a feature.
        classes = tuple(sorted(distinct)) if len(distinct) <= MOST_CLASSES else ()
        return ModelFacts(
            facts.class_name, "multiclass" if not classes else _task(classes), classes
        )
    if whole and len(distinct) <= most:
        classes = tuple(sorted(distinct))
        return ModelFacts(facts.class_name, _task(classes), classes)
    return facts


def _task(classes: tuple[Any, ...]) -> Task:
    if not classes:
        return "regression"
    return "binary" if len(classes) == 2 else "multiclass"


def qualified_name(model: Any) -> str:
    """Name a model's class, or the function that it is."""
    kind = model if hasattr(model, "__qualname__") else type(model)
    module = getattr(kind, "__module__", None) or type(model).__module__
    return f"{module}.{kind.__qualname__}"


def unwrap(model: Any) -> Any:
    """Return the fitted estimator inside a search or a threshold classifier."""
    while True:
        inner = getattr(model, "best_estimator_", None)
        if inner is None and hasattr(model, "response_method"):
            inner = getattr(model, "estimator_", None)
        if inner is None:
            return model
        model = inner


def predict_function(model: Any) -> Callable[[Any], Any] | None:
    """Return what predicts: the model's ``predict``, or the model itself if it is callable."""
    predict = getattr(model, "predict", None)
    if callable(predict):
        return predict  # type: ignore[no-any-return]
    return model if callable(model) else None


def wants_array(model: Any) -> bool:
    """Tell whether a model was fitted on an array; it then warns when it is given names."""
    return hasattr(model, "n_features_in_") and not hasattr(model, "feature_names_in_")


def as_labels(y_pred: Any) -> Array:
    """Bring predictions into shape (n_rows,), one number or class each.

    Raises
    ------
    ModelError
        There are several outputs per row.
    """
    nested = isinstance(y_pred, (list, tuple)) and y_pred and isinstance(y_pred[0], _NESTED)
    if isinstance(y_pred, (list, tuple)) and not nested:
        array = as_objects(y_pred)
    else:
        array = np.asarray(y_pred)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 0:
        array = array.reshape(1)
    if array.ndim > 1:
        raise ModelError(
            f"predictions must be one value per row, not of shape {array.shape}: "
            "watch one model per output"
        )
    return array


def as_scores(y_score: Any) -> Floats:
    """Bring scores into shape (n_rows,).

    Parameters
    ----------
    y_score
        Scores of the positive class, shape (n_rows,), or the output of ``predict_proba``
        or ``decision_function``, shape (n_rows, n_classes): with two columns the second
        counts, with more the largest (the confidence).
    """
    array = np.asarray(y_score, dtype=np.float64)
    if array.ndim == 0:
        return array.reshape(1)
    if array.ndim == 1:
        return array
    if array.ndim > 2 or not array.shape[-1]:
        raise ModelError(f"scores must have one or two dimensions, not shape {array.shape}")
    if array.shape[1] > 2:
        confidence: Floats = array.max(axis=1)
        return confidence
    return array[:, -1]


def classes_of_scores(facts: ModelFacts, y_score: Any) -> Array | None:
    """Derive the predicted classes from scores, as the model itself would.

    Returns
    -------
    Array or None
        Shape (n_rows,); None where scores do not say the class.
    """
    classes = np.asarray(facts.classes, dtype=object)
    if facts.task == "binary" and facts.threshold is not None:
        return classes[(as_scores(y_score) >= facts.threshold).astype(np.intp)]
    array = np.asarray(y_score)
    if facts.task == "multiclass" and array.ndim == 2 and array.shape[1] == len(classes):
        derived: Array = classes[array.argmax(axis=1)]
        return derived
    return None


def library_versions() -> dict[str, str]:
    """Versions of Python and of the libraries here that can change a model's answers."""
    versions = {"python": platform.python_version()}
    for name in ("numpy", "scikit-learn", "pandas", "polars", "modelmeter"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def _classes(model: Any) -> tuple[Any, ...]:
    classes = getattr(model, "classes_", None)
    if classes is None or isinstance(classes, list):
        return ()
    return tuple(np.asarray(classes).tolist())


def _decision(
    model: Any, classes: tuple[Any, ...], method: ScoreMethod
) -> tuple[ScoreMethod, float]:
    """Return the scores that a binary classifier decides by, and the smallest for class two."""
    chooser = _threshold_classifier(model)
    if chooser is None:
        # scikit-learn's own rule is `score > middle`: a tie goes to the first class.
        return method, math.nextafter(_middle(method), math.inf)
    if chooser.response_method == "decision_function":
        method = "decision_function"
    own = getattr(chooser, "best_threshold_", getattr(chooser, "threshold", None))
    limit = float(own) if isinstance(own, Real) else _middle(method)
    scorer = getattr(chooser, "_curve_scorer", None)
    positive = scorer._get_pos_label() if scorer else getattr(chooser, "pos_label", None)
    if positive is None or positive == classes[1]:
        return method, limit
    # It decides by the score of the first class: `score >= limit` means the first one.
    mirrored = 1.0 - limit if method == "predict_proba" else -limit
    return method, math.nextafter(mirrored, math.inf)


def _middle(method: ScoreMethod) -> float:
    return 0.5 if method == "predict_proba" else 0.0


def _threshold_classifier(model: Any) -> Any:
    """Find scikit-learn's Fixed- or TunedThresholdClassifier within a model."""
    while model is not None:
        if hasattr(model, "response_method"):
            return model
        steps = getattr(model, "steps", None)
        model = getattr(model, "best_estimator_", steps[-1][1] if steps else None)
    return None
