"""What happens at the boundaries inside a fitted model: values imputed, categories unknown.

The model itself is never touched. Beside it stands a *shadow*: copies of its containers
(pipelines, column transformers, ...) and of its imputers and encoders, made of the very
same fitted attributes, in which the imputers and encoders count. Predictions run through
the shadow, which is scikit-learn's own code on the same arrays, so they are the same to the
bit. When an attribute of one of the originals is replaced, by a refit or ``set_params``,
the shadow no longer stands for the model and is made anew before the next prediction.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from functools import cache
from operator import is_
from types import new_class
from typing import Any, NamedTuple

from sklearn.compose import ColumnTransformer
from sklearn.impute._base import _BaseImputer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing._encoders import _BaseEncoder

from modelmeter.live.recording import Recording
from modelmeter.serving.transformers.counting import (
    TALLY,
    CountingEncoder,
    CountingImputer,
    DropIn,
    make_tally,
)
from modelmeter.serving.transformers.tallies import feature_names

logger = logging.getLogger("modelmeter")

Names = list[str] | None
"""Names of the columns between two steps; None where nobody knows them."""

COUNTING = (_BaseImputer, _BaseEncoder)
"""What counts at the boundaries."""

HELD = {
    "BaseSearchCV": "best_estimator_",
    "TransformedTargetRegressor": "regressor_",
    "TunedThresholdClassifierCV": "estimator_",
    "FixedThresholdClassifier": "estimator_",
    "FrozenEstimator": "estimator",
    "_CalibratedClassifier": "estimator",
}
"""scikit-learn's containers that hold one fitted model, and in which attribute."""


class _Seen(NamedTuple):
    """An original as it was when its copy was made."""

    original: Any
    values: tuple[Any, ...]
    listed: list[Any]
    entries: tuple[Any, ...]


class Shadow:
    """A model that counts at its boundaries and predicts as the one it stands for.

    Parameters
    ----------
    model
        A fitted scikit-learn model; it stays as it is.
    recording
        Where to count. All series are there, at zero, from now on.

    Attributes
    ----------
    model
        What to predict with: the original itself when nothing in it counts.
    """

    def __init__(self, model: Any, recording: Recording) -> None:
        self._recording = recording
        self._seen: list[_Seen] = []
        self.model = model
        with recording.guard("watch"):
            self.model, _ = self._copy(model, (), _root_names(model, recording))

    def is_current(self) -> bool:
        """Tell whether every original still has the attributes that its copy has."""
        for original, values, listed, entries in self._seen:
            attributes = original.__dict__
            if len(attributes) != len(values) or not all(map(is_, attributes.values(), values)):
                return False
            # Lists are the only attributes that the copies do not share.
            if len(listed) != len(entries) or not all(map(is_, listed, entries)):
                return False
        return True

    def _copy(self, node: Any, path: tuple[str, ...], names: Names) -> tuple[Any, Names]:
        """Return a part of the model or its counting copy, and the names that come out."""
        if node is None or isinstance(node, str):
            return node, (None if node == "drop" else names)
        if hasattr(type(node), "_watch"):
            return node, None  # watched itself: it counts for itself
        if isinstance(node, Pipeline):
            return self._copy_pipeline(node, path, names)
        if isinstance(node, ColumnTransformer):
            return self._copy_columns(node, path, names)
        if isinstance(node, FeatureUnion):
            return self._copy_union(node, path, names)
        if isinstance(node, COUNTING):
            return self._copy_transformer(node, path, names)
        if (attribute := _held(node)) is not None:
            return self._copy_holder(node, attribute, path, names)
        if type(node).__name__ == "CalibratedClassifierCV":
            return self._copy_calibrated(node, path, names)
        self._warn_of_hidden(node)
        return node, _names_after(node, names)

    def _copy_pipeline(self, node: Any, path: tuple[str, ...], names: Names) -> tuple[Any, Names]:
        self._look(node, node.steps)
        steps = []
        for name, step in node.steps:
            copied, names = self._copy(step, (*path, name), names)
            steps.append((name, copied))
        return _with_list(node, "steps", steps), names

    def _copy_columns(self, node: Any, path: tuple[str, ...], names: Names) -> tuple[Any, Names]:
        listed = getattr(node, "transformers_", [])
        self._look(node, listed)
        if not listed:
            return node, None
        columns = _names_into(node, names)
        transformers, after = [], []
        for name, transformer, chosen in listed:
            picked = [columns[i] for i in node._transformer_to_input_indices[name]]
            copied, out = self._copy(transformer, (*path, name), picked)
            transformers.append((name, copied, chosen))
            if transformer != "drop" and picked:
                after.append((name, out))
        return _with_list(node, "transformers_", transformers), _joined(after)

    def _copy_union(self, node: Any, path: tuple[str, ...], names: Names) -> tuple[Any, Names]:
        self._look(node, node.transformer_list)
        transformers, after = [], []
        for name, transformer in node.transformer_list:
            copied, out = self._copy(transformer, (*path, name), names)
            transformers.append((name, copied))
            if transformer != "drop":
                after.append((name, out))
        return _with_list(node, "transformer_list", transformers), _joined(after)

    def _copy_holder(
        self, node: Any, attribute: str, path: tuple[str, ...], names: Names
    ) -> tuple[Any, Names]:
        self._look(node)
        held = vars(node).get(attribute)
        copied, names = self._copy(held, path, names)
        if copied is held:
            return node, names
        shell = _shell(node)
        vars(shell)[attribute] = copied
        return shell, names

    def _copy_calibrated(self, node: Any, path: tuple[str, ...], names: Names) -> tuple[Any, Names]:
        held = getattr(node, "calibrated_classifiers_", [])
        self._look(node, held)
        if len(held) != 1:  # several models answer together: a value would count several times
            self._warn_of_hidden(node)
            return node, None
        copied = self._copy(held[0], path, names)[0]
        return _with_list(node, "calibrated_classifiers_", [copied]), None

    def _copy_transformer(
        self, node: Any, path: tuple[str, ...], names: Names
    ) -> tuple[Any, Names]:
        self._look(node)
        if not hasattr(node, "n_features_in_"):  # of no columns, hence never fitted
            return node, None
        shell = _shell(node, _counting_class(type(node)))  # type: ignore[arg-type]
        tally = make_tally(self._recording, node, _names_into(node, names), "__".join(path))
        vars(shell)[TALLY] = tally
        return shell, _names_after(node, names)

    def _warn_of_hidden(self, node: Any) -> None:
        """Say so, once, when a part that is not looked into has something to count in it."""
        parameters = node.get_params() if hasattr(node, "get_params") else {}
        hidden = sorted(n for n, v in parameters.items() if isinstance(v, COUNTING))
        message = (
            f"what {', '.join(hidden)} of a {type(node).__name__} impute or do not know is not "
            "counted: modelmeter does not look into it; everything else is counted"
        )
        if hidden and message not in self._recording.said:
            self._recording.said.add(message)
            logger.warning(message)

    def _look(self, node: Any, listed: list[Any] | None = None) -> None:
        """Remember what an original looks like now."""
        listed = [] if listed is None else listed
        self._seen.append(_Seen(node, tuple(vars(node).values()), listed, tuple(listed)))


def _shell(node: Any, cls: type | None = None) -> Any:
    """Return an object of the same attributes: the same arrays, not copies of them."""
    shell: Any = object.__new__(cls or type(node))
    vars(shell).update(vars(node))
    return shell


def _with_list(node: Any, attribute: str, entries: list[Any]) -> Any:
    """Return a container with other entries; itself when they are the ones it has."""
    before = [part for entry in getattr(node, attribute) for part in _parts(entry)]
    if all(map(is_, before, [part for entry in entries for part in _parts(entry)])):
        return node
    shell = _shell(node)
    vars(shell)[attribute] = entries
    return shell


def _parts(entry: Any) -> tuple[Any, ...]:
    return entry if isinstance(entry, tuple) else (entry,)


@cache
def _counting_class(cls: type) -> type:
    """Return a class that does what the given one does, and counts."""
    if issubclass(cls, DropIn):
        return cls
    bases = (cls, CountingImputer) if issubclass(cls, _BaseImputer) else (CountingEncoder, cls)

    def __reduce_ex__(self: Any, protocol: Any) -> Any:
        # To a worker process goes the original: there is nobody there to count for.
        original = _shell(self, cls)
        del vars(original)[TALLY]
        return _given, (original,)

    # Messages and warnings name the class; `set_output` is as in the original.
    facts = {
        "__module__": cls.__module__,
        "__qualname__": cls.__qualname__,
        "__reduce_ex__": __reduce_ex__,
    }
    made = new_class(cls.__name__, bases, exec_body=lambda body: body.update(facts))
    made._sklearn_auto_wrap_output_keys = cls._sklearn_auto_wrap_output_keys  # type: ignore[attr-defined]
    return made


def _given(value: Any) -> Any:
    return value


def _held(node: Any) -> str | None:
    """Return the attribute of a container that holds its one fitted model."""
    for base in type(node).__mro__:
        if base.__name__ in HELD and base.__module__.startswith("sklearn."):
            attribute = HELD[base.__name__]
            return attribute if attribute in vars(node) else "estimator"
    return None


def _root_names(model: Any, recording: Recording) -> Names:
    """Return the names of the model's columns, from the profile when it has none itself."""
    if getattr(model, "feature_names_in_", None) is not None:
        return [str(name) for name in model.feature_names_in_]
    known = recording.features
    return known if len(known) == getattr(model, "n_features_in_", None) else None


def _names_into(node: Any, names: Names) -> list[str]:
    """Return the names of a part's columns, its own where those before it are not known."""
    if names is not None and len(names) == node.n_features_in_:
        return names
    return feature_names(node)


def _names_after(node: Any, names: Names) -> Names:
    """Return the names of the columns that a transformer gives, None if it cannot say."""
    if not hasattr(node, "get_feature_names_out") or not hasattr(node, "n_features_in_"):
        return None
    before, own = _names_into(node, names), feature_names(node)
    try:
        if not hasattr(node, "feature_names_in_"):
            return [str(name) for name in node.get_feature_names_out(before)]
        # It insists on its own names; those that come through unchanged are translated.
        translated = dict(zip(own, before, strict=True))
        return [translated.get(name, name) for name in map(str, node.get_feature_names_out())]
    except (ValueError, AttributeError, NotImplementedError):
        return None


def _joined(after: Sequence[tuple[str, Names]]) -> Names:
    """Return the names of columns put side by side, with their step's where they clash."""
    joined: list[tuple[str, str]] = []
    for step, names in after:
        if names is None:
            return None
        joined += [(step, name) for name in names]
    often = Counter(name for _, name in joined)
    return [name if often[name] == 1 else f"{step}__{name}" for step, name in joined]
