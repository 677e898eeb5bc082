"""`modelmeter feedback`: labels that arrive as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from modelmeter.cli.shared import ProfilePath, Store, errors, output, store_of
from modelmeter.serving.monitor import DEFAULT


def feedback(
    labels: Annotated[Path, typer.Argument(help="Labels: .parquet or .csv.", show_default=False)],
    profile: ProfilePath,
    store: Store = None,
    id_column: Annotated[str, typer.Option(help="Column with the ids.")] = "prediction_id",
    label_column: Annotated[str, typer.Option(help="Column with the true values.")] = "y_true",
    time_column: Annotated[
        str | None,
        typer.Option(
            help="Column with the time at which the truth became known, in UTC where it has no "
            "zone; 'time' by default, and now where there is no such column."
        ),
    ] = None,
) -> None:
    """Count the labels in a file, for predictions that were made earlier."""
    from modelmeter.drawing import draw_backfill
    from modelmeter.profile.profile import Profile
    from modelmeter.serving.backfill import Columns, backfill

    columns = Columns(prediction_id=id_column, y_true=label_column, time=time_column)
    where = store_of(store) or DEFAULT
    steps = backfill(labels, Profile.load(profile), store=where, columns=columns)
    draw_backfill(steps, bar_on=errors, result_on=output)
