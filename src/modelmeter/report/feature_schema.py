"""The part of findings that is about features and outputs; see `schema`."""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

State = Literal["alarm", "ok", "few_rows", "few_training_rows"]
"""As `modelmeter.stats.alarms.State`: changed so that it matters; not; too few live rows to tell;
too few training rows to tell, whatever comes."""

Time = Annotated[float | None, "Unix time"]


class DriftPart(TypedDict):
    """How far a feature is from training, see docs/rules.md for every statistic."""

    state: State
    psi_excess: Annotated[float | None, "PSI beyond noise: does it matter?"]
    threshold: Annotated[float, "above which `psi_excess` matters"]
    z: Annotated[float | None, "standard deviations of G: is it real?"]
    z_threshold: Annotated[float, "above which `z` is no chance"]
    natural: Annotated[float, "how far days drift by themselves; 0 when not known"]
    detectable: Annotated[float | None, "smallest drift that so many rows would show"]
    rows_needed: Annotated[float | None, "from how many rows on `ok` can be said; None: never"]
    psi: float | None
    kl: float | None
    js_distance: float | None
    hellinger: float | None
    tvd: float | None
    ks: Annotated[float | None, "None without an order"]
    wasserstein: Annotated[float | None, "in standard deviations of training; None without order"]
    g: float | None
    df: float | None


class RatePart(TypedDict):
    """A share of rows that should not be there, live and in training."""

    check: Annotated[str, "missing, unseen, invalid, out_of_range or absent"]
    state: State
    rows: Annotated[float, "live rows that it counts"]
    total: Annotated[float, "of how many"]
    rate: float | None
    training_rate: float | None
    z: float | None
    threshold: Annotated[float, "difference of the rates that matters"]


class BinPart(TypedDict):
    """One bin, in the profile's order."""

    label: str
    kind: Annotated[str, "below, interval, above, category, other, unseen, missing or invalid"]
    ord: Annotated[int | None, "position among the bins that have an order"]
    rows: float
    share: Annotated[float | None, "of the live rows"]
    training_rows: float
    training_share: float | None
    contribution: Annotated[float | None, "to the PSI: the largest moved most"]


class QuantilePart(TypedDict):
    """A quantile of the values present."""

    q: float
    live: Annotated[float | None, "read off the bins; None beyond the training range"]
    training: float


class FeaturePart(TypedDict):
    """One feature, or one output of the model."""

    name: str
    role: Literal["feature", "prediction"]
    kind: Annotated[str, "numeric, categorical, boolean or datetime"]
    dtype: Annotated[str, "in training"]
    importance: Annotated[float | None, "share of the model's own importances"]
    score: Annotated[float, "what features are ranked by: drift times importance"]
    state: Annotated[State, "alarm if drift or any rate is; else that of drift"]
    rows: float
    training_rows: float
    drift: DriftPart
    rates: list[RatePart]
    bins: list[BinPart]
    moved: Annotated[list[int], "places in `bins` of those that moved most, at most 5"]
    quantiles: list[QuantilePart]
    last_value: Time
    last_change: Time
