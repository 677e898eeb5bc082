"""The command line: each command reads its arguments and calls one function."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from modelmeter import ModelmeterError, __version__
from modelmeter._errors import MissingExtraError

try:
    import typer
    from rich.console import Console
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
    trust: Trust = None,
) -> None:
    """Measure the training data of a model."""
    from modelmeter.profile.choose import Binning
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
    )
    path = out or Path(f"{name}.profile.json")
    built.save(path)
    _out.print(f"{path}: {built.rows:,} rows, {len(built.features)} features, {built.model.task}")


@app.command()
def serve(
    model: Model,
    profile: ProfilePath,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 5000,
    workers: Annotated[int, typer.Option(help="Worker processes.")] = 1,
    token_file: Annotated[
        Path | None, typer.Option(help="File with the bearer token that /metrics asks for.")
    ] = None,
    trust: Trust = None,
    log_level: Annotated[str, typer.Option(help="Of uvicorn.")] = "info",
) -> None:
    """Serve a model with everything monitored: POST /predict, /metrics, /health, /ready."""
    from modelmeter.serving.app import Settings
    from modelmeter.serving.app import serve as run

    settings = Settings(
        model=model,
        profile=str(profile),
        trusted=tuple(trust or ()),
        token_file=str(token_file) if token_file else None,
    )
    run(settings, host=host, port=port, workers=workers, log_level=log_level)


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
) -> None:
    """Write prometheus.yml and the recording rules for a model."""
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
        _errors.print(f"[bold red]error:[/] {_escape(str(error))}")
        raise SystemExit(2) from None


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)


if __name__ == "__main__":
    main()
