"""A profile as far as a service's metrics tell it, for who has none at hand.

Training's counts by bin, its baseline and the natural variation are exported beside the live
counts: enough for drift, rates and realised performance. What is not exported is left out:
importances, quantiles, edges, and with them performance before labels.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import cast

from modelmeter import names
from modelmeter._errors import ConfigurationError
from modelmeter.live.merge import Family
from modelmeter.names import Metric
from modelmeter.profile.baseline import Baseline, Measure
from modelmeter.profile.facts import Y_PRED
from modelmeter.profile.profile import FeatureProfile, ModelFacts, Profile, Task
from modelmeter.report.counts import FEATURE, PREDICTION, Row
from modelmeter.stats.bins import Bin, Bins

Model = tuple[str, str]


@dataclass(frozen=True)
class KnownBins:
    """Bins by name only: what metrics say of them."""

    bins: tuple[Bin, ...]


@dataclass(frozen=True)
class RememberedProfile(Profile):
    """A profile that metrics tell.

    Parameters
    ----------
    known_hash
        Of the profile that the service has.
    """

    known_hash: str = ""

    @property
    def hash(self) -> str:
        """Hash of the profile that the service has."""
        return self.known_hash


def models_of(families: Iterable[Family]) -> list[Model]:
    """Return name and version of every model that families are about, in order."""
    by_name = {family.metric.name: family for family in families}
    known = by_name.get(names.REFERENCE_ROWS.name)
    return sorted({(row[0], row[1]) for row in (known.rows if known is not None else ())})


def chosen_model(families: Iterable[Family], model: str | None) -> Model:
    """Return the model that is meant.

    Parameters
    ----------
    families
        As scraped.
    model
        ``name`` or ``name/version``; None where there is only one.

    Raises
    ------
    ConfigurationError
        There is none, or there are several; the message names them.
    """
    known = models_of(families)
    meant = [one for one in known if model in (None, one[0], "/".join(one))]
    if len(meant) != 1:
        listed = ", ".join("/".join(one) for one in known)
        hint = f"it has {listed}: name one" if known else "there is no model in these metrics"
        raise ConfigurationError(hint if model is None else f"which model is {model!r}? {hint}")
    return meant[0]


def remembered_profile(families: Iterable[Family], model: Model) -> RememberedProfile:
    """Return the profile of a model as far as its metrics tell it.

    Parameters
    ----------
    families
        Each metric once, reference gauges among them.
    model
        Name and version.
    """
    by_name = {family.metric.name: family for family in families}
    rows: dict[tuple[str, str], dict[Bin, int]] = defaultdict(dict)
    for (role, feature, kind, ord_, label, segment), value in _of(
        by_name, names.REFERENCE_ROWS, model
    ).items():
        if not segment:
            rows[role, feature][Bin(kind, ord_, label)] = int(value)
    variation = _of(by_name, names.REFERENCE_VARIATION, model)
    gaps = _of(by_name, names.REFERENCE_GAP, model)
    features, predictions = (
        tuple(
            _feature(name, counts, gaps, variation, role)
            for (of_role, name), counts in rows.items()
            if of_role == role
        )
        for role in (FEATURE, PREDICTION)
    )
    info = next(iter(_of(by_name, names.REFERENCE_INFO, model)), ("",) * 6)
    most = max((one.rows for one in (*features, *predictions)), default=0)
    return RememberedProfile(
        name=model[0],
        version=model[1],
        model=_facts(by_name, model),
        features=features,
        predictions=predictions,
        rows=most,
        created=info[1],
        baseline=_baseline(by_name, model),
        known_hash=info[0],
    )


def _of(by_name: Mapping[str, Family], metric: Metric, model: Model) -> dict[Row, float]:
    """Return a model's series of a metric, by its labels beyond name and version."""
    family = by_name.get(metric.name)
    if family is None:
        return {}
    pairs = zip(family.rows, family.values.tolist(), strict=True)
    return {row[2:]: value for row, value in pairs if row[:2] == model}


def _feature(
    name: str,
    counts: Mapping[Bin, int],
    gaps: Mapping[Row, float],
    variation: Mapping[Row, float],
    role: str,
) -> FeatureProfile:
    ordered = [place.ord for place in counts if place.ord]
    steps = [gaps.get((role, name, ord_), 0.0) for ord_ in ordered]
    return FeatureProfile(
        name=name,
        dtype="",
        kind="numeric" if ordered else "categorical",
        bins=cast("Bins", KnownBins(tuple(counts))),
        counts=tuple(counts.values()),
        # In standard deviations, so that the distances between them are the gaps.
        centers=tuple(accumulate(steps[:-1], initial=0.0)) if ordered else (),
        std=1.0 if ordered else None,
        variation=variation.get((role, name)) or None,
    )


def _facts(by_name: Mapping[str, Family], model: Model) -> ModelFacts:
    confusion = _of(by_name, names.CONFUSION, model)
    place = names.CONFUSION.labels.index("y_true") - 2
    classes = tuple(dict.fromkeys(row[place] for row in confusion))
    task: Task = "multiclass" if classes else "other"
    predicted = _of(by_name, names.ERROR_SUM, model)
    if predicted or (names.REFERENCE_ERROR.name in by_name and not classes):
        task = "regression"
    outputs = {row[1] for row in _of(by_name, names.REFERENCE_ROWS, model) if row[0] == PREDICTION}
    return ModelFacts("", task if Y_PRED in outputs else "other", classes)


def _baseline(by_name: Mapping[str, Family], model: Model) -> Baseline | None:
    errors = _of(by_name, names.REFERENCE_PERFORMANCE_ERROR, model)
    measures = tuple(
        Measure(row[1], value, errors.get(row), row[2] or None)
        for row, value in _of(by_name, names.REFERENCE_PERFORMANCE, model).items()
        if not row[0]
    )
    return Baseline("as the service says", 0, measures) if measures else None
