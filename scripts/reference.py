"""Write the reference pages that follow from the code: metrics, command line, findings.

Run it after changing one of these; a test compares the pages with what it writes.
"""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

import typer
from typer.main import get_command

from modelmeter import names
from modelmeter.cli import app
from modelmeter.report import schema

FOLDER = Path(__file__).parent.parent / "docs" / "reference"


def metrics_page() -> str:
    """Describe every metric that modelmeter exports."""
    lines = [
        "# Metrics",
        "",
        "What `/metrics` exports, and (`model_batch_*`) what a batch pushes. Written by "
        "`scripts/reference.py` from `names/`.",
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
    # In place of the option, for containers.
    variable = f" Or `{parameter.envvar}` in the environment." if parameter.envvar else ""
    return f"| `{shown}` | {said} | {parameter.help or ''}{variable} |"


def findings_page() -> str:
    """Describe every field of the findings."""
    lines = [
        "# Findings",
        "",
        f"Schema version {schema.SCHEMA_VERSION}. Written by `scripts/reference.py` from "
        "`report/schema.py`.",
        "",
        "What `modelmeter report --format json` and `modelmeter check --format json` write, and "
        "what the page and the report draw: one JSON object. Numbers are never NaN or infinite; "
        "`null` stands for what is not known or not defined. Rows over a window of Prometheus need "
        "not be whole numbers.",
        "",
        "A `state` is `alarm` (changed, and so that it matters), `ok` (a change that matters would "
        "have been seen, and was not), `few_rows` or `few_training_rows` (insufficient data: too "
        "few live rows to tell, or too few training rows, whatever comes). See "
        "[alarms](../alarms.md). A new field does not raise the version.",
    ]
    for part in _parts_of(schema.Findings):
        title = "The findings" if part is schema.Findings else part.__name__.removesuffix("Part")
        lines += ["", f"## {title}", "", part.__doc__ or "", "", "| field | type | meaning |"]
        lines += ["|---|---|---|"]
        for name, hint in get_type_hints(part, include_extras=True).items():
            meaning = " ".join(getattr(hint, "__metadata__", ())).replace("None", "`null`")
            lines.append(f"| `{name}` | {_type_text(hint)} | {meaning} |")
    return "\n".join(lines) + "\n"


def _parts_of(part: type) -> list[type]:
    """Return an object's type and those of all objects inside, each once."""
    found = [part]
    for known in found:
        for hint in get_type_hints(known).values():
            found += [inner for inner in _inside(hint) if inner not in found]
    return found


def _inside(hint: Any) -> list[type]:
    if is_typeddict(hint):
        return [hint]
    return [inner for argument in get_args(hint) for inner in _inside(argument)]


def _type_text(hint: Any) -> str:
    if hasattr(hint, "__metadata__"):
        return _type_text(hint.__origin__)
    if is_typeddict(hint):
        name = hint.__name__.removesuffix("Part")
        return f"[{name}](#{name.lower()})"
    arguments = get_args(hint)
    if get_origin(hint) in (types.UnionType, Union):
        return " or ".join(_type_text(one) for one in arguments)
    if get_origin(hint) is Literal:
        return ", ".join(f"`{one}`" for one in arguments)
    if get_origin(hint) is list:
        return f"list of {_type_text(arguments[0])}"
    if get_origin(hint) is dict:
        return f"object of {_type_text(arguments[1])}"
    if get_origin(hint) is tuple:
        return "pair of numbers"
    words = {"NoneType": "null", "float": "number", "int": "integer", "str": "text"}
    return words.get(hint.__name__, str(hint.__name__))


PAGES = {"metrics.md": metrics_page, "cli.md": cli_page, "findings.md": findings_page}


def main() -> None:
    """Write every page."""
    for file, page in PAGES.items():
        (FOLDER / file).write_text(page(), encoding="utf-8")
        sys.stdout.write(f"{FOLDER / file}\n")


if __name__ == "__main__":
    main()
