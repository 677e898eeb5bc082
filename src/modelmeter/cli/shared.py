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


def store_of(given: str | None, *, none: bool = False) -> str | None:
    """Return where labels are kept, as `Monitor` takes it."""
    if given is not None and none:
        raise ConfigurationError("give either --store or --no-labels")
    return None if none else given or DEFAULT
