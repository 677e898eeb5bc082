"""What training looked like: a model's features and predictions, counted in bins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from modelmeter.stats.bins import Bins, NumericBins

if TYPE_CHECKING:
    from modelmeter.profile.baseline import Baseline
    from modelmeter.profile.build import Binning
    from modelmeter.profile.calibration import AnyCalibration
    from modelmeter.profile.canary import Canary
    from modelmeter.profile.measuring import Measuring
    from modelmeter.profile.segments import Segmentation

FeatureKind = Literal["numeric", "categorical", "boolean", "datetime"]
Task = Literal["binary", "multiclass", "regression", "other"]
ScoreMethod = Literal["predict_proba", "decision_function"]

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
"""The quantiles that a profile keeps of every numeric feature."""


@dataclass(frozen=True)
class ModelFacts:
    """What a profile knows of the model itself.

    Parameters
    ----------
    class_name
        Qualified name of the model's class, or of the function.
    task
        ``binary``, ``multiclass``, ``regression``, or ``other`` for a model that does not
        predict.
    classes
        Class labels in the model's order; empty when it is no classifier.
    score_method
        Which method gives the scores, None when there are none.
    threshold
        Smallest score that means the positive class; None unless binary with scores.
    """

    class_name: str
    task: Task
    classes: tuple[Any, ...] = ()
    score_method: ScoreMethod | None = None
    threshold: float | None = None


class Moments(NamedTuple):
    """Range, mean and standard deviation of the values present."""

    min: float
    max: float
    mean: float
    std: float


@dataclass(frozen=True)
class FeatureProfile:
    """One feature, or one output of the model, as training saw it.

    Parameters
    ----------
    name, dtype, kind
        The column's name, its type in training, and how it is binned.
    bins
        Its bins.
    counts
        Training rows by bin, in the order of ``bins.bins``.
    centers
        A representative point of every ordered bin (the mean of its training values).
    min, max, mean, std
        Of the values present; None for categories and where there is no value.
    quantiles
        Values at `QUANTILES`; empty for categories and where there is no value.
    importance
        Share of the model's own feature importances, None where the model gives none.
    variation
        Natural day-to-day variation of the drift score: what the PSI of 95 days of training
        in 100 stays under, its noise taken off; None without time stamps.
    """

    name: str
    dtype: str
    kind: FeatureKind
    bins: Bins
    counts: tuple[int, ...]
    centers: tuple[float, ...] = ()
    min: float | None = None
    max: float | None = None
    mean: float | None = None
    std: float | None = None
    quantiles: tuple[float, ...] = ()
    importance: float | None = None
    variation: float | None = None

    @property
    def rows(self) -> int:
        """Training rows."""
        return sum(self.counts)

    @property
    def missing(self) -> int:
        """Training rows whose value was missing."""
        return self.counts[self.bins.missing]

    @property
    def all_missing(self) -> bool:
        """Whether training never had a value."""
        return self.missing == self.rows

    @property
    def moments(self) -> Moments | None:
        """Range, mean and standard deviation; None for categories and without values."""
        if self.min is None or self.max is None or self.mean is None or self.std is None:
            return None
        return Moments(self.min, self.max, self.mean, self.std)

    @property
    def positions(self) -> tuple[tuple[str, str], ...]:
        """Position and name of every bin that has a position, in their order."""
        return tuple((place.ord, place.label) for place in self.bins.bins if place.ord)

    @property
    def constant(self) -> bool:
        """Whether training had one and the same value in every row that had one."""
        if self.kind in ("numeric", "datetime"):
            return self.min is not None and self.min == self.max
        present = [rows for rows in self.counts[: self.bins.missing] if rows]
        # `other` may hold several values.
        return len(present) == 1 and not self.counts[len(self.bins.bins) - 4]

    @property
    def gaps(self) -> tuple[float, ...]:
        """Distance from every ordered bin to the next in standard deviations, the last 0."""
        if not self.std:
            return tuple(0.0 for _ in self.centers)
        steps = zip(self.centers[:-1], self.centers[1:], strict=True)
        return (*((high - low) / self.std for low, high in steps), 0.0)


@dataclass(frozen=True)
class Profile:
    """A model's training data in numbers: small, readable, comparable, and without its rows.

    Only canary rows from ``training``, where they are asked for, are rows of the data.

    Make one with `build`, keep it with `save`, and give it to a ``Monitor``.

    Parameters
    ----------
    name, version
        Of the model; labels of every metric.
    model
        What is known of the model itself.
    features
        One profile per feature, in the model's order.
    predictions
        One profile per output: ``y_pred`` (classes or values) and ``y_score``.
    target
        The true values given at build time, None without.
    rows
        Training rows.
    time_span
        First and last time stamp in seconds since 1970, None without time stamps.
    created
        When the profile was built, ISO 8601 in UTC.
    libraries
        Versions of Python and of the libraries loaded at build time.
    baseline
        How good the model was out of sample; None where it was not measured.
    calibration
        What its answers were worth out of sample, by bin; None likewise.
    unmeasured
        Why there is no baseline, in words; empty where there is one.
    segments
        Outputs and performance by the values of chosen features.
    canary
        Rows kept to be asked again where the model is served; None without.
    """

    name: str
    version: str
    model: ModelFacts
    features: tuple[FeatureProfile, ...]
    predictions: tuple[FeatureProfile, ...] = ()
    target: FeatureProfile | None = None
    rows: int = 0
    time_span: tuple[float, float] | None = None
    created: str = ""
    libraries: Mapping[str, str] = field(default_factory=dict)
    baseline: Baseline | None = None
    calibration: AnyCalibration | None = None
    unmeasured: str = ""
    segments: tuple[Segmentation, ...] = ()
    canary: Canary | None = None

    @staticmethod
    def build(
        model: Any,
        X: Any,
        y: Any = None,
        *,
        name: str,
        version: str,
        timestamps: Any = None,
        drop: Sequence[str] = (),
        feature_names: Sequence[str] | None = None,
        threshold: float | None = None,
        bins_from: Profile | None = None,
        binning: Binning | None = None,
        segments: Sequence[str] = (),
        canary_rows: int = 0,
        X_holdout: Any = None,
        y_holdout: Any = None,
        measuring: Measuring | None = None,
    ) -> Profile:
        """Measure a fitted model's training data, and the model itself.

        With true values the model is measured out of sample: on rows held out, else by
        cross-validation, which fits it anew five times on up to 100,000 rows. Where that
        cannot be, the profile says why in `unmeasured`.

        Parameters
        ----------
        model
            A fitted estimator, any object with ``predict``, a callable, or None to profile
            the features only.
        X
            Training data: a pandas, polars or pyarrow frame, a DuckDB relation, a Dask,
            Spark or lazy polars frame, a numpy array of shape (n_rows, n_features), or a
            path to a ``.parquet`` or ``.csv`` file (read in batches).
        y
            True values, shape (n_rows,), or the name of their column in `X`; None leaves the
            model unmeasured, unless rows are held out.
        name, version
            Of the model; they become the labels of every metric.
        timestamps
            Time of every row, shape (n_rows,), or the name of its column in `X`. With it
            the profile knows how much each feature varies from day to day, and
            cross-validation holds out blocks of time.
        drop
            Columns of `X` to leave out.
        feature_names
            Names of the columns when `X` is an array; by default the model's
            ``feature_names_in_``, else ``x0``, ``x1``, ...
        threshold
            Score from which on a binary classifier says the positive class; by default the
            model's own.
        bins_from
            Use the bins of this profile, so that the two can be merged.
        binning
            Number of bins and limits on categories.
        segments
            Categorical or boolean features: by each of their bins the model's outputs are
            counted and its performance is measured too, in training and in production.
        canary_rows
            Rows to keep with the model's answers, 0 to 1,000, to be asked again where it is
            served.
        X_holdout
            Rows that the model was not trained on, of the same kind and columns as `X`, to
            measure it on. Without them it is fitted anew in folds.
        y_holdout
            Their true values, shape (n_holdout,), or the name of their column in
            `X_holdout`.
        measuring
            How the model is measured, and where canary rows come from.

        Returns
        -------
        Profile

        Raises
        ------
        DataError
            There are no rows, two columns have one name, a column mixes types, holds an
            infinity or a value that cannot be binned, the model does not know a column or
            misses one, or `y`, `timestamps` or groups have another length; `y` holds what
            is none of the model's classes; a segment is no categorical feature, or segments
            add too many series; of `X_holdout` and `y_holdout` one is given without the
            other.
        ModelError
            `model` offers no way to predict, or fails on the data or the canary rows.
        ConfigurationError
            `canary_rows` is out of its range.

        Examples
        --------
        >>> import numpy as np
        >>> X = np.arange(100.0).reshape(-1, 1)
        >>> profile = Profile.build(lambda X: 2 * X[:, 0], X, name="double", version="1")
        >>> profile.features[0].name, profile.rows
        ('x0', 100)
        """
        from modelmeter.profile.build import Asked, Binning, Measuring, build_profile

        asked = Asked(
            name=name,
            version=version,
            timestamps=timestamps,
            drop=drop,
            feature_names=feature_names,
            threshold=threshold,
            bins_from=bins_from,
            binning=binning or Binning(),
            segments=segments,
            canary_rows=canary_rows,
            X_holdout=X_holdout,
            y_holdout=y_holdout,
            measuring=measuring or Measuring(),
        )
        return build_profile(model, X, y, asked)

    @staticmethod
    def load(path: str | Path) -> Profile:
        """Read a profile file.

        Raises
        ------
        ProfileFileError
            The file is truncated, was edited into nonsense, or is of a newer schema.
        """
        from modelmeter.profile import json

        return json.load(Path(path))

    def save(self, path: str | Path) -> None:
        """Write the profile as JSON, replacing the file in one step."""
        from modelmeter.profile import json

        json.save(self, Path(path))

    def _repr_html_(self) -> str:
        from modelmeter.profile.notebook import profile_html

        return profile_html(self)

    def output(self, name: str) -> FeatureProfile | None:
        """Return an output of the model, ``y_pred`` or ``y_score``; None where it has none."""
        return next((output for output in self.predictions if output.name == name), None)

    @property
    def hash(self) -> str:
        """Hash of the content: two profiles with one hash are the same."""
        from modelmeter.profile import json

        return json.content_hash(self)

    def merge(self, other: Profile) -> Profile:
        """Add up two profiles of parts of one training set.

        Counts, missing, minimum and maximum are exactly those of one build over both
        parts; mean and standard deviation are so up to rounding; quantiles are read off
        the merged bins; the natural variation is the larger of the two. What was measured
        out of sample adds up if both parts were measured (each on rows of its own); else
        the merged profile is unmeasured. Canary rows are those of the first that has any.

        Parameters
        ----------
        other
            A profile over the same bins (build it with ``bins_from=``).

        Returns
        -------
        Profile

        Raises
        ------
        MergeError
            Name, version, features, segments or bins differ, or only one was built with `y`;
            the message names the first.
        """
        from modelmeter.profile.merge import merge_profiles

        return merge_profiles(self, other)

    @property
    def ordered_positions(self) -> int:
        """Largest number of ordered bins that any feature or output has."""
        everything = (*self.features, *self.predictions)
        return max(
            (
                len(f.bins.edges) + 1
                for f in everything
                if isinstance(f.bins, NumericBins) and f.bins.edges
            ),
            default=0,
        )
