"""`modelmeter demo`: see it work."""

from __future__ import annotations

from typing import Annotated

import typer


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
