"""`modelmeter series`: what a model will cost in Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from modelmeter.cli.shared import ProfilePath, output

if TYPE_CHECKING:
    from modelmeter.generate.cost import Cost


def series(
    profile: ProfilePath,
    window: Annotated[
        list[str] | None,
        typer.Option(help="A window of the rules; may be given again. 1h and 24h by default."),
    ] = None,
    scrape_interval: Annotated[str, typer.Option(help="Time between scrapes.")] = "15s",
    replicas: Annotated[int, typer.Option(min=1, help="Replicas of the service.")] = 1,
) -> None:
    """Count the series that a model costs, by metric, and what Prometheus needs for them."""
    from modelmeter.generate.cost import cost_of
    from modelmeter.generate.settings import Settings
    from modelmeter.generate.timing import DEFAULT_WINDOWS
    from modelmeter.profile.profile import Profile

    settings = Settings(windows=tuple(window or DEFAULT_WINDOWS), scrape_interval=scrape_interval)
    _print(cost_of(Profile.load(profile), settings, replicas=replicas))


def _print(cost: Cost) -> None:
    from rich.table import Table

    for title, counts in (
        ("Exported by one replica", cost.exported),
        ("Exported besides, with labels", cost.labels),
        ("Recorded about features and outputs", cost.about_features),
        ("Recorded besides, at most", cost.others),
    ):
        table = Table("metric", title=title, title_justify="left")
        table.add_column("series", justify="right")
        for name, number in counts.items():
            table.add_row(name, f"{number:,}")
        table.add_row("", f"{sum(counts.values()):,}", style="bold")
        output.print(table)
    output.print(
        f"{cost.scraped:,} series are scraped from {cost.replicas} replicas and {cost.recorded:,} "
        "recorded, whatever the number of replicas."
    )
    output.print(
        f"Prometheus needs about {cost.memory_bytes / 1e6:,.0f} MB of memory for them, takes in "
        f"{cost.samples_per_second:,.0f} samples a second, keeps "
        f"{cost.disk_bytes_per_month / 1e9:,.2f} GB a month on disk, and works "
        f"{cost.seconds_per_evaluation:,.1f} s on the rules every "
        f"{cost.evaluation_seconds:g} s."
    )
    if cost.seconds_per_evaluation > cost.evaluation_seconds / 2:
        output.print(
            "[bold yellow]That leaves no room:[/] give it fewer windows, features or segments, or "
            "a longer evaluation interval."
        )
