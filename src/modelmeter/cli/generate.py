"""`modelmeter generate`: everything that is to run around a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from modelmeter.cli.shared import (
    AlarmsPerMonth,
    ShortWindow,
    SmallestCoverage,
    SmallestDrift,
    SmallestLoss,
    SmallestRate,
    Windows,
    output,
    windows_of,
)


def generate(
    profile: Annotated[
        list[Path],
        typer.Option(
            help="A model's profile; may be given again, for all models of one Prometheus.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder to write to; made when it is not there.")],
    target: Annotated[
        list[str] | None,
        typer.Option(help="host:port of a replica; may be given again. localhost:5000 by default."),
    ] = None,
    window: Windows = None,
    short_window: ShortWindow = "1h",
    job: Annotated[str, typer.Option(help="Name of the scrape job.")] = "modelmeter",
    scrape_interval: Annotated[str, typer.Option(help="Time between scrapes.")] = "15s",
    token_file: Annotated[
        str | None,
        typer.Option(help="File with the bearer token for /metrics, where Prometheus finds it."),
    ] = None,
    alertmanager: Annotated[
        list[str] | None,
        typer.Option(
            help="host:port of an Alertmanager; may be given again. localhost:9093 by default."
        ),
    ] = None,
    no_alertmanager: Annotated[
        bool, typer.Option("--no-alertmanager", help="Send alerts nowhere.")
    ] = False,
    no_target: Annotated[
        bool,
        typer.Option("--no-target", help="No service to scrape: models only run in batches."),
    ] = False,
    batch_every: Annotated[
        str | None,
        typer.Option(
            help="How often every model scores a batch and pushes what it counted, such as 24h."
        ),
    ] = None,
    pushgateway: Annotated[
        str | None,
        typer.Option(help="host:port of the Pushgateway, for Prometheus to scrape."),
    ] = None,
    prometheus: Annotated[
        str, typer.Option(help="host:port where Prometheus finds itself, to watch its rules.")
    ] = "localhost:9090",
    notify: Annotated[
        Path | None,
        typer.Option(
            help="TOML file that says who is told of alerts, see docs/alerts.md. Nobody by default."
        ),
    ] = None,
    image: Annotated[
        str | None,
        typer.Option(help="Image of the model's service, which Compose or Kubernetes is to run."),
    ] = None,
    kubernetes: Annotated[
        bool, typer.Option("--kubernetes", help="Write a kustomize base for Kubernetes too.")
    ] = False,
    store_secret: Annotated[
        str | None,
        typer.Option(
            help="Secret with the URL of the PostgreSQL that holds labels, in Kubernetes. "
            "A volume by default."
        ),
    ] = None,
    alarms_per_month: AlarmsPerMonth = 1.0,
    smallest_drift: SmallestDrift = 0.05,
    smallest_rate: SmallestRate = 0.02,
    smallest_loss: SmallestLoss = 0.02,
    smallest_coverage: SmallestCoverage = 0.5,
    availability: Annotated[
        float, typer.Option(help="Share of the requests that must not fail.")
    ] = 0.99,
    latency: Annotated[
        float, typer.Option(help="Share of the requests that must be answered in time.")
    ] = 0.95,
    latency_seconds: Annotated[float, typer.Option(help="What in time is, in seconds.")] = 0.5,
    grafana_url: Annotated[
        str, typer.Option(help="Where people find Grafana, for links in alerts.")
    ] = "http://localhost:3000",
    runbook_url: Annotated[
        str, typer.Option(help="Where people find docs/runbook.md, for links in alerts.")
    ] = "docs/runbook.md",
) -> None:
    """Write what is to run around models: Prometheus, rules, alerts, dashboards, manifests."""
    from modelmeter.generate.notify import Notify
    from modelmeter.generate.stack import generate as write
    from modelmeter.profile.profile import Profile

    written = write(
        [Profile.load(path) for path in profile],
        out,
        targets=() if no_target else tuple(target or ("localhost:5000",)),
        windows=windows_of(window or ["24h"], short_window),
        job=job,
        scrape_interval=scrape_interval,
        token_file=token_file,
        alertmanagers=() if no_alertmanager else tuple(alertmanager or ("localhost:9093",)),
        batch_every=batch_every,
        pushgateway=pushgateway,
        prometheus=prometheus,
        notify=Notify() if notify is None else Notify.load(notify),
        image=image,
        kubernetes=kubernetes,
        store_secret=store_secret,
        alarms_per_month=alarms_per_month,
        smallest_drift=smallest_drift,
        smallest_rate=smallest_rate,
        smallest_loss=smallest_loss,
        smallest_coverage=smallest_coverage,
        availability=availability,
        latency=latency,
        latency_seconds=latency_seconds,
        grafana_url=grafana_url,
        runbook_url=runbook_url,
    )
    for path in written:
        output.print(str(path))
