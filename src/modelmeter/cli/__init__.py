"""The command line: each command reads its arguments and calls one function.

One module a command; `shared` holds what they have in common.
"""

from __future__ import annotations

import sys
from typing import Annotated

from modelmeter import ModelmeterError, __version__
from modelmeter._errors import MissingExtraError

try:
    import typer
    from rich.markup import escape
except ImportError:
    print(MissingExtraError("typer", "cli"), file=sys.stderr)  # noqa: T201
    raise SystemExit(2) from None

from modelmeter.cli.check import check
from modelmeter.cli.demo import demo
from modelmeter.cli.feedback import feedback
from modelmeter.cli.generate import generate
from modelmeter.cli.profile import profile
from modelmeter.cli.rehearse import rehearse
from modelmeter.cli.report import report
from modelmeter.cli.score import score
from modelmeter.cli.series import series
from modelmeter.cli.serve import serve
from modelmeter.cli.shared import errors, output
from modelmeter.cli.top import top

app = typer.Typer(
    name="modelmeter",
    help="From a fitted model to a monitored model, on Prometheus and Grafana.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        output.print(f"modelmeter {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Say the version."),
    ] = False,
) -> None:
    """From a fitted model to a monitored model, on Prometheus and Grafana."""


for command in (
    profile,
    serve,
    score,
    feedback,
    report,
    check,
    top,
    generate,
    series,
    rehearse,
    demo,
):
    app.command()(command)


def main() -> None:
    """Run the command line; what goes wrong is said in one line."""
    try:
        app()
    except (ModelmeterError, OSError) as error:
        errors.print(f"[bold red]error:[/] {escape(str(error))}")
        raise SystemExit(2) from None
