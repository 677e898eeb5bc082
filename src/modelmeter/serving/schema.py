"""The profile as a request schema: every feature a typed field with an example."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, create_model

from modelmeter.profile.profile import FeatureProfile, Profile
from modelmeter.stats.bins import CategoricalBins


def _no_text(value: object) -> object:
    if isinstance(value, (str, bytes, bool)):
        raise ValueError(f"must be a number, not {type(value).__name__}")
    return value


_Integer = Annotated[int, BeforeValidator(_no_text, json_schema_input_type=int)]
_Number = Annotated[
    float, BeforeValidator(_no_text, json_schema_input_type=float), Field(allow_inf_nan=False)
]
_Text = Annotated[str, Field(strict=True)]
_Flag = Annotated[bool, Field(strict=True)]


def row_model(profile: Profile) -> type[BaseModel]:
    """Make the request model of one row.

    A feature that was sometimes missing in training may be left out or null; the others
    must be there.

    Returns
    -------
    type of pydantic.BaseModel
        Field ``f0`` is the first feature, under its own name as alias.
    """
    fields: dict[str, Any] = {
        f"f{i}": _field(feature) for i, feature in enumerate(profile.features)
    }
    examples = {feature.name: example(feature) for feature in profile.features}
    return create_model(
        "Row",
        __config__=ConfigDict(extra="ignore", json_schema_extra={"example": examples}),
        **fields,
    )


def _field(feature: FeatureProfile) -> tuple[Any, Any]:
    kind = field_type(feature)
    description = describe(feature)
    if feature.missing:
        return kind | None, Field(None, alias=feature.name, description=description)
    return kind, Field(alias=feature.name, description=description)


def field_type(feature: FeatureProfile) -> Any:
    """Return the type that a feature's JSON values must have."""
    if feature.kind == "datetime":
        return datetime
    if feature.kind == "boolean":
        return _Flag
    if isinstance(feature.bins, CategoricalBins):
        return {"str": _Text, "int": _Integer, "float": _Number, "bool": _Flag}[
            feature.bins.value_type
        ]
    return _Integer if feature.dtype.startswith(("int", "uint")) else _Number


def example(feature: FeatureProfile) -> Any:
    """Return a typical value: the most frequent category, or about the median."""
    bins = feature.bins
    if isinstance(bins, CategoricalBins):
        if not bins.categories:
            return None
        frequent = max(range(len(bins.categories)), key=lambda i: feature.counts[i])
        return bins.categories[frequent]
    if not feature.quantiles:
        return None
    median = feature.quantiles[len(feature.quantiles) // 2]
    if bins.is_time:
        return datetime.fromtimestamp(round(median), UTC).isoformat()
    if feature.dtype.startswith(("int", "uint")):
        return round(median)
    return float(f"{median:.4g}")


def describe(feature: FeatureProfile) -> str:
    """Say in a line what training had: the range, or the categories."""
    bins = feature.bins
    if feature.all_missing:
        return "always missing in training"
    if isinstance(bins, CategoricalBins):
        shown = ", ".join(map(str, bins.categories[:8]))
        return f"in training: {shown}{', ...' if len(bins.categories) > 8 else ''}"
    if bins.is_time or feature.min is None or feature.max is None:
        return "a point in time"
    return f"in training: {feature.min:.6g} to {feature.max:.6g}"
