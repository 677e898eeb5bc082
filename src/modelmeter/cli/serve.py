"""`modelmeter serve`: a model as a monitored service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from modelmeter.cli.shared import Model, ProfilePath, Store, Trust, store_of


def serve(
    model: Model,
    profile: ProfilePath,
    host: Annotated[
        str, typer.Option(help="Address to listen on.", envvar="MODELMETER_HOST")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", envvar="MODELMETER_PORT")] = 5000,
    workers: Annotated[
        int, typer.Option(help="Worker processes.", envvar="MODELMETER_WORKERS")
    ] = 1,
    directory: Annotated[
        Path | None,
        typer.Option(
            help="Where workers keep their counts. Without it they are lost with the service, or "
            "with the only worker.",
            envvar="MODELMETER_DIRECTORY",
        ),
    ] = None,
    on_restart: Annotated[
        Literal["keep", "reset"],
        typer.Option(
            help="Whether a service that starts in a directory counts on or starts at zero.",
            envvar="MODELMETER_ON_RESTART",
        ),
    ] = "keep",
    token_file: Annotated[
        Path | None,
        typer.Option(
            help="File with the bearer token that /metrics and /feedback ask for.",
            envvar="MODELMETER_TOKEN_FILE",
        ),
    ] = None,
    store: Store = None,
    no_labels: Annotated[
        bool, typer.Option("--no-labels", help="Keep no predictions, take no labels.")
    ] = False,
    retention_days: Annotated[
        float, typer.Option(help="How long a prediction waits for its label.")
    ] = 90.0,
    prometheus: Annotated[
        str | None,
        typer.Option(
            help="URL of a Prometheus that /monitor asks for any window and for all replicas.",
            envvar="MODELMETER_PROMETHEUS",
        ),
    ] = None,
    trust: Trust = None,
    log_level: Annotated[str, typer.Option(help="Of uvicorn.")] = "info",
) -> None:
    """Serve a model with everything monitored: /predict, /feedback, /metrics, /monitor, /health."""
    from modelmeter.serving.app import Settings
    from modelmeter.serving.app import serve as run

    settings = Settings(
        model=model,
        profile=str(profile),
        trusted=tuple(trust or ()),
        directory=str(directory) if directory else None,
        on_restart=on_restart,
        token_file=str(token_file) if token_file else None,
        store=store_of(store, none=no_labels),
        retention_days=retention_days,
        prometheus=prometheus,
    )
    run(settings, host=host, port=port, workers=workers, log_level=log_level)
