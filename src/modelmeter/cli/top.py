"""`modelmeter top`: how a model does, live, for people on a server."""

from __future__ import annotations

import select
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from modelmeter._errors import SourceUnavailableError
from modelmeter.cli.shared import output


def top(
    url: Annotated[str, typer.Argument(help="Where the service is.", show_default=False)],
    profile: Annotated[
        Path | None,
        typer.Option(
            help="The model's profile, for importances and performance before labels.",
            envvar="MODELMETER_PROFILE",
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Which model, of several: name or name/version.")
    ] = None,
    every: Annotated[float, typer.Option(help="Seconds between two looks.", min=0.2)] = 5.0,
    once: Annotated[bool, typer.Option("--once", help="Print once and end.")] = False,
    token_file: Annotated[
        Path | None, typer.Option(help="File with the bearer token that the service asks for.")
    ] = None,
) -> None:
    """Watch a service in the terminal; q or Ctrl-C ends it."""
    token = None if token_file is None else token_file.read_text().strip()

    def look() -> RenderableType:
        from modelmeter.cli import reading
        from modelmeter.report.terminal import findings_view

        room = max(output.height - 22, 5)
        findings = reading.of_url(profile, url, token, model=model)
        return findings_view(findings, most=40 if once else room, width=output.width)

    if once:
        output.print(look())
        return
    view = look()  # what is wrong from the start is an error, later it may be a restart
    screen = Live(view, console=output, screen=True, auto_refresh=False)
    with suppress(KeyboardInterrupt), _keys() as pressed, screen as live:
        while not _is_quit(pressed, every):
            try:
                view = look()
                live.update(view, refresh=True)
            except SourceUnavailableError as error:
                live.update(Group(Text(str(error), style="bold red"), view), refresh=True)


@contextmanager
def _keys() -> Iterator[bool]:
    """Let single keys be read; gives whether there is a keyboard that can be."""
    if not sys.stdin.isatty():
        yield False
        return
    import termios
    import tty

    before = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin)
    try:
        yield True
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _is_quit(has_keys: bool, seconds: float) -> bool:
    """Wait, and tell whether q was pressed meanwhile."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        if not has_keys:
            time.sleep(left)
        elif select.select([sys.stdin], [], [], left)[0] and sys.stdin.read(1) in "qQ":
            return True
    return False
