"""What several commands ask for in the same words, and where they write."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from modelmeter._errors import ConfigurationError
from modelmeter.serving.monitor import DEFAULT

errors = Console(stderr=True, highlight=False)
output = Console(highlight=False)

Model = Annotated[
    str,
    typer.Argument(
        help="A .skops, .joblib or .pkl file, or module:attribute. "
        "A .joblib or .pkl file executes code when it is loaded.",
        show_default=False,
    ),
]
ProfilePath = Annotated[
    Path,
    typer.Option(
        "--profile",
        help="The model's profile.",
        show_default=False,
        envvar="MODELMETER_PROFILE",
    ),
]
Store = Annotated[
    str | None,
    typer.Option(
        help="Where predictions wait for labels: a file, sqlite:///... or postgresql://... "
        "NAME.labels.db in the working directory by default.",
        show_default=False,
        envvar="MODELMETER_STORE",
    ),
]
Trust = Annotated[
    list[str] | None,
    typer.Option("--trust", help="A type in a .skops file to trust; may be given again."),
]
Windows = Annotated[
    list[str] | None,
    typer.Option(
        "--window",
        help="How far back drift and performance look; may be given again. 24h by default.",
    ),
]
ShortWindow = Annotated[str, typer.Option(help="How far back to look for what breaks suddenly.")]
AlarmsPerMonth = Annotated[
    float, typer.Option(help="False alarms per month and model that you accept.")
]
SmallestDrift = Annotated[
    float, typer.Option(help="PSI beyond sampling noise from which on drift matters.")
]
SmallestRate = Annotated[
    float, typer.Option(help="Change of a rate (missing, unseen, ...) that matters.")
]
SmallestLoss = Annotated[
    float, typer.Option(help="Loss of ROC AUC or F1 that matters; errors: 5 times the share.")
]
SmallestCoverage = Annotated[
    float, typer.Option(help="Share of predictions with a label before labels may alarm.")
]


def store_of(given: str | None, *, none: bool = False) -> str | None:
    """Return where labels are kept, as `Monitor` takes it."""
    if given is not None and none:
        raise ConfigurationError("give either --store or --no-labels")
    return None if none else given or DEFAULT


def windows_of(windows: list[str], short: str) -> tuple[str, ...]:
    """Return the windows from short to long, and refuse a short one that is not."""
    from modelmeter.generate.durations import parse_duration

    limit = parse_duration(short, field="--short-window")
    for text in windows:
        if parse_duration(text, field="--window") <= limit:
            raise ConfigurationError(f"--short-window ({short}) must be shorter than {text}")
    return (short, *windows)
