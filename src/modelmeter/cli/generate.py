"""`modelmeter generate`: what Prometheus and Grafana are to run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from modelmeter.cli.shared import ProfilePath, output


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
        output.print(str(path))
