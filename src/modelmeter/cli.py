"""The command line: each command reads its arguments and calls one function."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from modelmeter import ModelmeterError, __version__
from modelmeter._errors import ConfigurationError, MissingExtraError
from modelmeter.serving.monitor import DEFAULT as DEFAULT_STORE

try:
    import typer
    from rich.console import Console
    from rich.markup import escape
except ImportError:
    print(MissingExtraError("typer", "cli"), file=sys.stderr)  # noqa: T201
    raise SystemExit(2) from None

app = typer.Typer(
    name="modelmeter",
    help="From a fitted model to a monitored model, on Prometheus and Grafana.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
_errors = Console(stderr=True, highlight=False)
_out = Console(highlight=False)

Model = Annotated[
    str,
    typer.Argument(
        help="A .skops, .joblib or .pkl file, or module:attribute. "
        "A .joblib or .pkl file executes code when it is loaded.",
        show_default=False,
    ),
]
ProfilePath = Annotated[
    Path, typer.Option("--profile", help="The model's profile.", show_default=False)
]
Store = Annotated[
    str | None,
    typer.Option(
        help="Where predictions wait for labels: a file, sqlite:///... or postgresql://... "
        "NAME.labels.db in the working directory by default.",
        show_default=False,
    ),
]
Trust = Annotated[
    list[str] | None,
    typer.Option("--trust", help="A type in a .skops file to trust; may be given again."),
]


def _show_version(wanted: bool) -> None:
    if wanted:
        _out.print(f"modelmeter {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Say the version."),
    ] = False,
) -> None:
    """From a fitted model to a monitored model, on Prometheus and Grafana."""


@app.command()
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
    _out.print(f"{path}: {built.rows:,} rows, {len(built.features)} features, {built.model.task}")
    if built.unmeasured:
        _out.print(f"performance is not known: {escape(built.unmeasured)}")


@app.command()
def serve(
    model: Model,
    profile: ProfilePath,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 5000,
    workers: Annotated[int, typer.Option(help="Worker processes.")] = 1,
    token_file: Annotated[
        Path | None,
        typer.Option(help="File with the bearer token that /metrics and /feedback ask for."),
    ] = None,
    store: Store = None,
    no_labels: Annotated[
        bool, typer.Option("--no-labels", help="Keep no predictions, take no labels.")
    ] = False,
    retention_days: Annotated[
        float, typer.Option(help="How long a prediction waits for its label.")
    ] = 90.0,
    trust: Trust = None,
    log_level: Annotated[str, typer.Option(help="Of uvicorn.")] = "info",
) -> None:
    """Serve a model with everything monitored: /predict, /feedback, /metrics, /health, /ready."""
    from modelmeter.serving.app import Settings
    from modelmeter.serving.app import serve as run

    settings = Settings(
        model=model,
        profile=str(profile),
        trusted=tuple(trust or ()),
        token_file=str(token_file) if token_file else None,
        store=_store(store, none=no_labels),
        retention_days=retention_days,
    )
    run(settings, host=host, port=port, workers=workers, log_level=log_level)


@app.command()
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
    where = _store(store) or DEFAULT_STORE
    steps = backfill(labels, Profile.load(profile), store=where, columns=columns)
    draw_backfill(steps, bar_on=_errors, result_on=_out)


@app.command()
def generate(
    profile: ProfilePath,
    out: Annotated[Path, typer.Option(help="Folder to write to; made when it is not there.")],
    target: Annotated[
        list[str] | None,
        typer.Option(help="host:port of a replica; may be given again. localhost:5000 by default."),
    ] = None,
    window: Annotated[
        list[str] | None,
        typer.Option(help="Window of the statistics; may be given again. 1h and 24h by default."),
    ] = None,
    job: Annotated[str, typer.Option(help="Name of the scrape job.")] = "modelmeter",
    scrape_interval: Annotated[str, typer.Option(help="Time between scrapes.")] = "15s",
    token_file: Annotated[
        str | None,
        typer.Option(help="File with the bearer token for /metrics, where Prometheus finds it."),
    ] = None,
    alarms_per_month: Annotated[
        float, typer.Option(help="False alarms per month and model that you accept.")
    ] = 1.0,
    smallest_drift: Annotated[
        float, typer.Option(help="PSI beyond sampling noise from which on drift matters.")
    ] = 0.05,
    smallest_rate: Annotated[
        float, typer.Option(help="Change of a rate (missing, unseen, ...) that matters.")
    ] = 0.02,
) -> None:
    """Write prometheus.yml, the recording rules and Grafana's dashboards for a model."""
    from modelmeter.generate.stack import generate as write
    from modelmeter.profile.profile import Profile

    written = write(
        Profile.load(profile),
        out,
        targets=tuple(target or ("localhost:5000",)),
        windows=tuple(window or ("1h", "24h")),
        job=job,
        scrape_interval=scrape_interval,
        token_file=token_file,
        alarms_per_month=alarms_per_month,
        smallest_drift=smallest_drift,
        smallest_rate=smallest_rate,
    )
    for path in written:
        _out.print(str(path))


@app.command()
def demo(
    duration: Annotated[
        float | None,
        typer.Option(help="Seconds for nine months of flights; without it, serve on until Ctrl-C."),
    ] = None,
    port: Annotated[int, typer.Option(help="Port of the service.")] = 5000,
) -> None:
    """See it work: flights from New York, served, scraped by Prometheus, drift shown live."""
    from modelmeter.demo.run import run

    raise typer.Exit(run(duration=duration, port=port))


def main() -> None:
    """Run the command line; what goes wrong is said in one line."""
    try:
        app()
    except (ModelmeterError, OSError) as error:
        _errors.print(f"[bold red]error:[/] {escape(str(error))}")
        raise SystemExit(2) from None


def _store(given: str | None, *, none: bool = False) -> str | None:
    """Return where labels are kept, as `Monitor` takes it."""
    if given is not None and none:
        raise ConfigurationError("give either --store or --no-labels")
    return None if none else given or DEFAULT_STORE


if __name__ == "__main__":
    main()
