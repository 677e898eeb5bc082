"""Train-serve skew: whether what serves is what was trained."""

from __future__ import annotations

from modelmeter.generate import skew_series as series
from modelmeter.generate.dashboards import look
from modelmeter.generate.dashboards.queries import Scope
from modelmeter.generate.dashboards.spec import Panel, Query, Row
from modelmeter.profile.profile import Profile


def skew_row(scope: Scope, profile: Profile) -> Row:
    """Return the row; rows asked again only where the profile keeps any."""
    return Row(
        key="row:skew",
        title="Skew: is what serves what was trained?",
        panels=(*([] if profile.canary is None else [_canary(scope)]), *_other(scope)),
    )


def _canary(scope: Scope) -> Panel:
    return Panel(
        key="canary",
        title="Training rows answered otherwise",
        description="Some training rows are asked again when the service starts. This many were "
        "answered in another way than when the model was trained. Should be zero: anything else "
        "is another library, another type or another step before the model.",
        queries=(Query(expr=scope.of(series.CANARY_DIFFERENT), legend="version {{version}}"),),
        quantity=look.PROBLEMS,
    )


def _other(scope: Scope) -> tuple[Panel, ...]:
    return (
        Panel(
            key="libraries",
            title="Libraries unlike training",
            description="How far a library of the service differs from the one that trained the "
            "model: 0 is the same, 1 another patch, 2 another minor, 3 another major version.",
            queries=(
                Query(
                    expr=scope.of(series.LIBRARY_MISMATCH),
                    legend="{{library}}, version {{version}}",
                ),
            ),
            quantity=look.VERSIONS_APART,
        ),
        Panel(
            key="schema",
            title="Columns unlike training",
            description="Of 100 looks at the columns that were served, how many found them unlike "
            "training: one missing, of another type, too many, or in another order.",
            queries=(
                Query(
                    expr=scope.signal(series.SCHEMA_MISMATCH),
                    legend="{{check}} {{feature}}, version {{version}}",
                ),
            ),
            quantity=look.ERROR_SHARE,
        ),
    )
