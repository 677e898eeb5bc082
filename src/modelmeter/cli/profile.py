"""`modelmeter profile`: what a model was trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from modelmeter.cli.shared import Model, Trust, output


def profile(
    model: Model,
    data: Annotated[Path, typer.Argument(help="Training data: .parquet or .csv.")],
    name: Annotated[str, typer.Option(help="Name of the model: a label of every metric.")],
    version: Annotated[str, typer.Option(help="Its version: a label of every metric.")] = "1",
    target: Annotated[
        str | None, typer.Option(help="Column with the true values, not given to the model.")
    ] = None,
    timestamps: Annotated[
        str | None, typer.Option(help="Column with the time of each row, not given to the model.")
    ] = None,
    drop: Annotated[
        list[str] | None, typer.Option(help="A column to leave out; may be given again.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Where to write; NAME.profile.json by default.")
    ] = None,
    bins: Annotated[int, typer.Option(help="Intervals of a numeric feature.")] = 10,
    segment: Annotated[
        list[str] | None,
        typer.Option(
            help="A categorical or boolean feature by whose values the model is measured too; "
            "may be given again."
        ),
    ] = None,
    canary_rows: Annotated[
        int, typer.Option(help="Rows to keep with the model's answers, to be asked when served.")
    ] = 0,
    holdout: Annotated[
        Path | None,
        typer.Option(help="Rows to measure the model on, like the training data: .parquet, .csv."),
    ] = None,
    folds: Annotated[
        int,
        typer.Option(help="Without --holdout: parts to leave out and fit anew for; 0 for none."),
    ] = 5,
    group: Annotated[
        str | None,
        typer.Option(
            help="Column of rows that belong together, such as a customer, not given to the model."
        ),
    ] = None,
    trust: Trust = None,
) -> None:
    """Measure the training data of a model, and how good it is on rows that it has not seen."""
    from modelmeter.profile.choose import Binning
    from modelmeter.profile.measuring import Measuring
    from modelmeter.profile.profile import Profile
    from modelmeter.serving.load import load_model

    built = Profile.build(
        load_model(model, trusted=trust or ()),
        data,
        target,
        name=name,
        version=version,
        timestamps=timestamps,
        drop=drop or (),
        binning=Binning(bins=bins),
        segments=segment or (),
        canary_rows=canary_rows,
        X_holdout=holdout,
        y_holdout=target if holdout else None,
        measuring=Measuring(folds=folds, groups=group),
    )
    path = out or Path(f"{name}.profile.json")
    built.save(path)
    output.print(f"{path}: {built.rows:,} rows, {len(built.features)} features, {built.model.task}")
    if built.unmeasured:
        output.print(f"performance is not known: {escape(built.unmeasured)}")
