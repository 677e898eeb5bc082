"""Features: all ranked by drift, and the chosen ones in detail."""

from __future__ import annotations

from typing import Final

from modelmeter.generate import alarm_series, series
from modelmeter.generate.dashboards import look
from modelmeter.generate.dashboards.queries import (
    FEATURES,
    TOP,
    WHOLE,
    WINDOW,
    Scope,
    chosen,
    largest,
    only,
    overlay,
)
from modelmeter.generate.dashboards.spec import Column, Link, Panel, Query, Row
from modelmeter.generate.recorded import Series

_ALL: Final = (FEATURES, WHOLE)
_ONE: Final = (FEATURES, WHOLE, chosen("feature"))
_ROW: Final = ("version", "feature")
_CHECK: Final = ("version", "feature", "check")

_RATES: Final = (
    ("feature-missing", "Missing", "missing", "how many came without a value"),
    (
        "feature-outside",
        "Unseen, out of range",
        "unseen|out_of_range",
        "how many had a category that training had not (unseen), or a number below or above "
        "everything in training (out_of_range)",
    ),
    (
        "feature-invalid",
        "Invalid, absent",
        "invalid|absent",
        "how many had a value of the wrong type (invalid), or no such column at all (absent)",
    ),
)
"""Key, title, checks and meaning of the panels of what is wrong with a feature's values."""


def ranking_row(scope: Scope, *, url: str) -> Row:
    """Return the row of all features; a click on one chooses it.

    Parameters
    ----------
    scope
        What is on the dashboard.
    url
        Of this dashboard, to which the feature is added.
    """
    link = Link(
        title="Show this feature below", url=f"{url}&var-feature=${{__value.raw:percentencode}}"
    )
    return Row(
        key="row:ranking",
        title="Features: which have changed most?",
        panels=(_ranking(scope, link), _drifted(scope), _quality(scope, link)),
    )


def feature_row(scope: Scope) -> Row:
    """Return the row that is shown once for every chosen feature."""
    bars = overlay(scope.of(series.BIN_P, WINDOW, *_ONE), scope.of(series.BIN_Q, *_ONE))
    return Row(
        key="row:feature",
        title="Feature: $feature",
        repeat="feature",
        panels=(
            Panel(
                key="feature-bins",
                title="$feature, live and in training",
                description="How the values are spread: each group of bars is a range of values "
                "or a category. Blue is the share of rows in the chosen window, grey the share in "
                "training. 'below' and 'above' are outside of what training saw, 'unseen' are new "
                "categories, 'other' are rare ones.",
                queries=(Query(expr=bars),),
                quantity=look.SHARE,
                kind="bars",
                width=16,
            ),
            Panel(
                key="feature-drift",
                title="How far it moved",
                description="How much the values differ from training, beyond what chance "
                "explains (PSI beyond noise). Around 0 is no change; above the dashed line it "
                "matters: that is more than days of training differed by, or 0.05.",
                queries=(
                    Query(
                        expr=scope.of(series.PSI_EXCESS, WINDOW, *_ONE),
                        legend="version {{version}}",
                    ),
                    Query(
                        expr=scope.of(alarm_series.DRIFT_THRESHOLD, *_ONE),
                        legend="matters, version {{version}}",
                    ),
                ),
                quantity=look.DRIFT,
            ),
            *(_rates(scope, *rates) for rates in _RATES),
            _ages(scope),
        ),
    )


def _ranking(scope: Scope, link: Link) -> Panel:
    drift = largest(scope.of(series.PSI_EXCESS, WINDOW, *_ALL), *_ROW)
    ranked = f"topk({TOP}, {drift})"

    def column(recorded: Series, *matchers: str) -> Query:
        expr = largest(scope.of(recorded, WINDOW, *_ALL, *matchers), *_ROW)
        return Query(expr=only(expr, ranked, *_ROW))

    return Panel(
        key="ranking",
        title=f"The {TOP} features that moved most",
        description="Features by how far their values moved from training (drift), the furthest "
        "first. 'Verdict' says whether the move both matters and is no chance; 'too little data' "
        "is not 'fine'. Over the shortest window there is no verdict, since the time of day would "
        "be drift. Click on a feature to see it below.",
        queries=(
            Query(expr=ranked),
            column(alarm_series.DRIFT_STATE),
            column(series.G_Z),
            column(series.ROWS),
            column(series.RATE, 'check="missing"'),
            column(series.RATE, 'check="unseen"'),
            column(series.RATE, 'check="out_of_range"'),
        ),
        quantity=look.DRIFT,
        kind="table",
        width=24,
        height=10,
        sort="Drift",
        columns=(
            Column(field="feature", title="Feature", link=link),
            Column(field="version", title="Version"),
            Column(field="Value #A", title="Drift", quantity=look.DRIFT, bar=True),
            Column(field="Value #B", title="Verdict", quantity=look.STATE),
            Column(field="Value #C", title="Standard deviations", quantity=look.STANDARD_ERRORS),
            Column(field="Value #D", title="Rows", quantity=look.ROWS),
            Column(field="Value #E", title="Missing", quantity=look.SHARE),
            Column(field="Value #F", title="Unseen", quantity=look.SHARE),
            Column(field="Value #G", title="Out of range", quantity=look.SHARE),
        ),
    )


def _drifted(scope: Scope) -> Panel:
    return Panel(
        key="drifted",
        title="Features that drifted",
        description="How many features moved from training, so far that it matters and that it "
        "is not chance. One alone is often a fault in its source; many at once are a changed "
        "world, or a broken table. Not judged over the shortest window.",
        queries=(
            Query(
                expr=scope.of(alarm_series.DRIFTED_FEATURES, WINDOW), legend="version {{version}}"
            ),
        ),
        quantity=look.PROBLEMS,
    )


def _quality(scope: Scope, link: Link) -> Panel:
    surprise = f"abs({scope.of(series.RATE_Z, WINDOW, *_ALL)})"
    ranked = f"topk({TOP}, {largest(surprise, *_CHECK)})"
    live = largest(scope.of(series.RATE, WINDOW, *_ALL), *_CHECK)
    normal = largest(scope.of(series.REFERENCE_RATE, *_ALL), *_CHECK)
    verdict = largest(scope.of(alarm_series.RATE_STATE, WINDOW, *_ALL), *_CHECK)
    return Panel(
        key="quality",
        title="Data quality that changed most",
        description="Shares of rows with something wrong in a feature (missing, unseen, invalid, "
        "out of range, column absent) beside what was normal in training, the most surprising "
        "first. 'Verdict' says whether the change both matters and is no chance.",
        queries=(
            Query(expr=ranked),
            Query(expr=only(live, ranked, *_CHECK)),
            Query(expr=only(normal, ranked, *_CHECK)),
            Query(expr=only(verdict, ranked, *_CHECK)),
        ),
        quantity=look.SHARE,
        kind="table",
        width=16,
        sort="Standard deviations",
        columns=(
            Column(field="feature", title="Feature", link=link),
            Column(field="version", title="Version"),
            Column(field="check", title="What is wrong"),
            Column(field="Value #B", title="Live", quantity=look.SHARE, bar=True),
            Column(field="Value #C", title="Normal", quantity=look.SHARE),
            Column(field="Value #D", title="Verdict", quantity=look.STATE),
            Column(field="Value #A", title="Standard deviations", quantity=look.STANDARD_ERRORS),
        ),
    )


def _rates(scope: Scope, key: str, title: str, checks: str, what: str) -> Panel:
    which = (*_ONE, f'check=~"{checks}"')
    return Panel(
        key=key,
        title=title,
        description=f"Of 100 rows, {what}: live (line) and in training (dashed). "
        "A jump usually means that something upstream broke.",
        queries=(
            Query(
                expr=scope.of(series.RATE, WINDOW, *which),
                legend="live {{check}}, version {{version}}",
            ),
            Query(
                expr=scope.of(series.REFERENCE_RATE, *which),
                legend="normal {{check}}, version {{version}}",
            ),
        ),
        quantity=look.SHARE,
        width=6,
    )


def _ages(scope: Scope) -> Panel:
    one = (FEATURES, chosen("feature"))
    return Panel(
        key="feature-age",
        title="Last value, last change",
        description="How long ago the feature last had a value, and how long ago its value last "
        "changed. A change that lies far back while values still come is a frozen source.",
        queries=(
            Query(
                expr=scope.of(series.SECONDS_SINCE_VALUE, *one),
                legend="value, version {{version}}",
            ),
            Query(
                expr=scope.of(series.SECONDS_SINCE_CHANGE, *one),
                legend="change, version {{version}}",
            ),
        ),
        quantity=look.SECONDS,
        width=6,
    )
