"""Write the reference pages that follow from the code: metrics and command line.

Run it after changing a metric or a command; a test compares the pages with what it writes.
"""

from __future__ import annotations

import sys
from pathlib import Path

import typer
from typer.main import get_command

from modelmeter import names
from modelmeter.cli import app

FOLDER = Path(__file__).parent.parent / "docs" / "reference"


def metrics_page() -> str:
    """Describe every metric that modelmeter exports."""
    lines = [
        "# Metrics",
        "",
        "What `/metrics` exports. Written by `scripts/reference.py` from `names/`.",
        "",
        "| metric | type | labels | meaning |",
        "|---|---|---|---|",
    ]
    for metric in names.ALL:
        labels = ", ".join(f"`{label}`" for label in metric.labels) or "none"
        lines.append(f"| `{metric.name}` | {metric.type} | {labels} | {metric.help} |")
    return "\n".join(lines) + "\n"


def cli_page() -> str:
    """Describe every command with its arguments and options."""
    group = get_command(app)
    assert hasattr(group, "commands")
    lines = ["# Command line", "", "Written by `scripts/reference.py` from `modelmeter --help`."]
    for name, command in group.commands.items():
        context = command.make_context(name, [], resilient_parsing=True)
        lines += ["", f"## modelmeter {name}", "", command.help or "", ""]
        lines += ["| argument or option | default | meaning |", "|---|---|---|"]
        for parameter in command.get_params(context):
            if parameter.name != "help":
                lines.append(_parameter_row(parameter))
    return "\n".join(lines) + "\n"


def _parameter_row(parameter: typer.core.TyperOption | typer.core.TyperArgument) -> str:
    is_option = isinstance(parameter, typer.core.TyperOption)
    shown = ", ".join(parameter.opts) if is_option else str(parameter.name).upper()
    default = parameter.default if isinstance(parameter.default, (str, int, float)) else None
    said = "required" if parameter.required else "" if default is None else f"`{default}`"
    return f"| `{shown}` | {said} | {parameter.help or ''} |"


PAGES = {"metrics.md": metrics_page, "cli.md": cli_page}


def main() -> None:
    """Write every page."""
    for file, page in PAGES.items():
        (FOLDER / file).write_text(page(), encoding="utf-8")
        sys.stdout.write(f"{FOLDER / file}\n")


if __name__ == "__main__":
    main()
