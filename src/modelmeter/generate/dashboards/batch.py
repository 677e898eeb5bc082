"""Batches: when the last one came, how many rows it had, and how long it took."""

from __future__ import annotations

from modelmeter import names
from modelmeter.generate.batch import PUSHERS
from modelmeter.generate.dashboards import look
from modelmeter.generate.dashboards.queries import Scope
from modelmeter.generate.dashboards.spec import Panel, Query, Row
from modelmeter.names import Metric

_VERSION = "version {{version}}"


def batch_row(scope: Scope) -> Row:
    """Return the row, for models that score in batches."""
    success = _pushed(scope, names.BATCH_LAST_SUCCESS)
    return Row(
        key="row:batch",
        title="Batches: do they come?",
        panels=(
            Panel(
                key="batch-age",
                title="Time since the last batch",
                description="How long ago a batch last ended well and said what it counted. A "
                "line that climbs past the usual time between two batches means that one did not "
                "come; what is shown of the window 'batch' is then still the one before.",
                queries=(Query(expr=f"time() - ({success} > 0)", legend=_VERSION),),
                quantity=look.SECONDS,
            ),
            Panel(
                key="batch-rows",
                title="Rows of the last batch",
                description="How many rows the last batch had: those that the model answered, and "
                "those that it failed on. Far fewer than usual means that something is missing "
                "before it.",
                queries=(
                    Query(expr=_pushed(scope, names.BATCH_ROWS), legend=f"answered, {_VERSION}"),
                    Query(
                        expr=_pushed(scope, names.BATCH_FAILED_ROWS), legend=f"failed, {_VERSION}"
                    ),
                ),
                quantity=look.ROWS,
            ),
            Panel(
                key="batch-duration",
                title="How long the last batch took",
                description="From its start until it said what it counted.",
                queries=(Query(expr=_pushed(scope, names.BATCH_DURATION), legend=_VERSION),),
                quantity=look.SECONDS,
            ),
        ),
    )


def _pushed(scope: Scope, metric: Metric) -> str:
    return f"max without ({PUSHERS}) ({scope.of(metric)})"
