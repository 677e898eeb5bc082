"""What can be chosen at the top of a dashboard, and the marks on its time axes."""

from __future__ import annotations

from typing import Final

from modelmeter.generate import performance_series, series
from modelmeter.generate.dashboards import look
from modelmeter.generate.dashboards.queries import (
    FEATURES,
    WHOLE,
    Scope,
    kept_name,
    version_changes,
)
from modelmeter.generate.dashboards.spec import Annotation, Variable
from modelmeter.generate.promql import selector
from modelmeter.generate.settings import Settings
from modelmeter.generate.timing import BATCH
from modelmeter.profile.profile import Profile

ANYTHING: Final = ".*"

NOTHING: Final = "()"
"""Matches the empty text only: all rows, where `segment` names a part of them."""

_DEFAULT_WINDOW: Final = "24h"


def datasource() -> Variable:
    """Return the choice of the Prometheus; drawn as Grafana's own kind of variable."""
    return Variable(
        name="datasource", label="Prometheus", description="The Prometheus to read from."
    )


def kept(settings: Settings) -> tuple[Variable, ...]:
    """Return one choice for every label beyond modelmeter's own: one value at a time."""
    return tuple(
        Variable(
            name=kept_name(label),
            label=label.capitalize(),
            description=f"Which {label} to look at.",
            query=_values(series.REFERENCE_ROWS.name, label),
        )
        for label in settings.keep_labels
    )


def job() -> Variable:
    """Return the choice of the scrape jobs."""
    return Variable(
        name="job",
        label="Job",
        description="The Prometheus scrape job of the services; for requests and processes.",
        query=_values(series.REQUEST_RATE.name, "job"),
        multi=True,
        all_value=ANYTHING,
    )


def models() -> Variable:
    """Return the choice of the models in the overview."""
    return Variable(
        name="model",
        label="Model",
        description="The models to look at.",
        query=_values(series.REFERENCE_ROWS.name, "model"),
        multi=True,
        all_value=ANYTHING,
    )


def one_model(pattern: str) -> Variable:
    """Return the model that a dashboard is for, as a regular expression."""
    return Variable(
        name="model",
        label="Model",
        description="The model that this dashboard is for.",
        values=(pattern,),
        hidden=True,
    )


def version(scope: Scope) -> Variable:
    """Return the choice of the versions."""
    return Variable(
        name="version",
        label="Version",
        description="The versions of the model to look at, side by side.",
        query=_values(scope.of(series.REFERENCE_ROWS), "version"),
        multi=True,
        all_value=ANYTHING,
    )


def window(settings: Settings) -> Variable:
    """Return the choice of the window: a day, or the longest that is recorded."""
    windows = tuple(one.text for one in settings.timing.windows)
    batches = settings.batch_every is not None
    default = _DEFAULT_WINDOW if _DEFAULT_WINDOW in windows else windows[-1]
    return Variable(
        name="window",
        label="Window",
        description="How far back statistics look: at every moment, the rows of this long "
        "before it. A long one is steady, a short one quick."
        + (f" '{BATCH}' is the last batch that was scored." if batches else ""),
        values=(*windows, BATCH) if batches else windows,
        # Without a service nothing else has rows.
        default=default if settings.targets else BATCH,
    )


def segment(scope: Scope) -> Variable:
    """Return the choice of a part of the rows."""
    return Variable(
        name="segment",
        label="Segment",
        description="A part of the rows, such as one airport; All is every row together. For "
        "predictions and performance, not for features.",
        query=_values(scope.of(performance_series.PERFORMANCE_ROWS, 'segment!=""'), "segment"),
        all_value=NOTHING,
    )


def feature(scope: Scope, profile: Profile) -> Variable:
    """Return the choice of features: at first the one that the model relies on most."""
    known = sorted(profile.features, key=lambda one: -(one.importance or 0.0))
    return Variable(
        name="feature",
        label="Feature",
        description="The features to look at in detail; each gets a row of its own.",
        query=_values(scope.of(series.REFERENCE_ROWS, FEATURES, WHOLE), "feature"),
        default=known[0].name if known else "",
        multi=True,
    )


def marks(scope: Scope) -> tuple[Annotation, ...]:
    """Return the marks: new versions, and alerts that fire."""
    return (
        Annotation(
            name="New versions",
            expr=version_changes(scope),
            title="{{model}} {{version}}",
            text="Version {{version}} of {{model}} came, with profile {{profile_hash}}.",
            colour=look.LIVE,
        ),
        Annotation(
            name="Alerts",
            expr=selector("ALERTS", 'alertstate="firing"', *scope.models),
            title="{{alertname}}",
            text="{{alertname}} fires for {{model}} {{version}} {{feature}} ({{severity}}).",
            colour=look.BAD,
        ),
    )


def _values(metric: str, label: str) -> str:
    return f"label_values({metric}, {label})"
