"""A profile as a notebook shows it: self-contained HTML, on a light or a dark ground."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from modelmeter.profile.profile import FeatureProfile, Profile

MOST_ROWS: Final = 30
"""So many features are shown."""

_BOX: Final = (
    "font:13px system-ui,sans-serif;border:1px solid #8888;border-radius:6px;padding:12px;"
    "max-width:64em;overflow-x:auto"
)
_CELL: Final = "padding:2px 14px 2px 0;text-align:left;white-space:nowrap"
# Some pages let no table inherit.
_TABLE: Final = "border-collapse:collapse;color:inherit;font:inherit;background:none"
_WIDTH: Final = 120
_HEIGHT: Final = 22


def profile_html(profile: Profile) -> str:
    """Return what a notebook shows of a profile.

    Parameters
    ----------
    profile
        Any.
    """
    model = profile.model
    title = f"{model.class_name}, {model.task}, {profile.rows:,} training rows"
    measured = "; ".join(
        f"{one.metric.replace('_', ' ')} {one.value:.3g}"
        for one in (profile.baseline.measures if profile.baseline else ())
        if one.of_class is None
    )
    if not measured and profile.unmeasured:
        measured = f"performance is not known: {profile.unmeasured}"
    shown = (*profile.predictions, *profile.features[:MOST_ROWS])
    header = ("", "kind", "training", "bins", "missing", "from", "to", "importance")
    parts = [
        f"<strong>{escape(profile.name)} {escape(profile.version)}</strong>, {escape(title)}",
        f'<p style="margin:8px 0">{escape(measured)}</p>' if measured else "",
        table(header, map(_feature, shown)),
        more(len(profile.features)),
    ]
    return box("".join(parts))


def box(inner: str) -> str:
    """Return HTML in a frame."""
    return f'<div style="{_BOX}">{inner}</div>'


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of cells that are HTML already."""
    lines = [_row(header, "th"), *(_row(row, "td") for row in rows)]
    return f'<table style="{_TABLE}">{"".join(lines)}</table>'


def more(features: int) -> str:
    """Say how many features are not shown; nothing if all are."""
    left = features - MOST_ROWS
    return f'<p style="margin:8px 0 0">and {left:,} more features</p>' if left > 0 else ""


def picture(training: Sequence[float | None], live: Sequence[float | None] = ()) -> str:
    """Draw shares by bin, as high as a line of text: bars, with training as a line over live."""
    bars = live or training
    highest = max((share or 0.0 for share in (*bars, *training)), default=0.0)
    if not highest:
        return ""
    width = _WIDTH / len(bars)
    drawn = []
    for i, (share, normal) in enumerate(zip(bars, training, strict=True)):
        left, wide = f"{i * width:.1f}", f"{max(width - 1, 0.5):.1f}"
        height, line = ((value or 0.0) / highest * _HEIGHT for value in (share, normal))
        drawn.append(
            f'<rect x="{left}" y="{_HEIGHT - height:.1f}" width="{wide}" '
            f'height="{height:.1f}" fill="#4c8bd6"/>'
        )
        if live:
            stroke = 'stroke="currentColor" stroke-width="1.5"'
            drawn.append(f'<path d="M{left} {_HEIGHT - line:.1f}h{wide}" {stroke}/>')
    size = f'width="{_WIDTH}" height="{_HEIGHT}" viewBox="0 -1 {_WIDTH} {_HEIGHT + 1}"'
    return f'<svg {size} role="img" aria-label="share of rows by bin">{"".join(drawn)}</svg>'


def _row(cells: Sequence[str], tag: str) -> str:
    inner = "".join(f'<{tag} style="{_CELL}">{cell}</{tag}>' for cell in cells)
    return f"<tr>{inner}</tr>"


def _feature(feature: FeatureProfile) -> Sequence[str]:
    total = feature.rows or 1
    low, high = (
        "" if value is None or feature.kind == "datetime" else f"{value:.4g}"
        for value in (feature.min, feature.max)
    )
    return (
        escape(feature.name),
        feature.kind,
        picture([count / total for count in feature.counts]),
        f"{len(feature.bins.bins)}",
        f"{feature.missing / total:.1%}",
        low,
        high,
        "" if feature.importance is None else f"{feature.importance:.1%}",
    )
