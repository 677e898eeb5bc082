"""Rule files: groups of rules as data, and as YAML with comments for whoever runs them."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from modelmeter.generate.durations import format_duration

SCHEMA_VERSION = 1
"""Of the generated files. Raise it when a recorded series changes its name or meaning."""


class Entry(Protocol):
    """Anything that stands in a group: a recording rule, an alert."""

    @property
    def comment(self) -> str:
        """What it is, for the reader of the file; empty for none."""

    def fields(self) -> dict[str, str | Mapping[str, str]]:
        """Return the YAML fields in the order in which they are written."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One recording rule.

    Parameters
    ----------
    record
        Name of the recorded series.
    expr
        PromQL; line breaks are kept.
    labels
        Labels added to the result.
    comment
        What it is, for the reader of the file.
    """

    record: str
    expr: str
    labels: Mapping[str, str] = field(default_factory=dict)
    comment: str = ""

    def fields(self) -> dict[str, str | Mapping[str, str]]:
        """Return the YAML fields in the order in which they are written."""
        fields: dict[str, str | Mapping[str, str]] = {"record": self.record, "expr": self.expr}
        return {**fields, "labels": dict(self.labels)} if self.labels else fields


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that are evaluated together, in order, at one time stamp.

    Parameters
    ----------
    name
        Unique in the file.
    interval
        Milliseconds between evaluations.
    rules
        In an order in which every rule stands after those that it reads.
    comment
        What the group is for.
    """

    name: str
    interval: int
    rules: Sequence[Entry]
    comment: str = ""


def header(version: str, what: str) -> str:
    """Return the comment that every generated file starts with."""
    text = (
        f"Written by modelmeter {version}, schema_version {SCHEMA_VERSION}. {what} "
        "Do not edit: change the settings and generate again."
    )
    return "".join(f"{line}\n" for line in _comment(text, ""))


def render(groups: Sequence[Group]) -> str:
    """Return a rule file as YAML, the same for the same groups, with a final newline.

    Written by hand rather than by a YAML library because the comments belong to it.
    """
    lines = ["groups:"]
    for group in groups:
        lines += ["", *_comment(group.comment, "  ")]
        lines += [f"  - name: {quote(group.name)}"]
        lines += [f"    interval: {format_duration(group.interval)}", "    rules:"]
        for rule in group.rules:
            lines += _rule(rule)
    return "\n".join(lines) + "\n"


def quote(text: str) -> str:
    """Return a string as a YAML scalar: quoted the way JSON does, which YAML reads too."""
    return json.dumps(text, ensure_ascii=False)


def _rule(rule: Entry) -> Iterator[str]:
    if rule.comment:
        yield ""
        yield from _comment(rule.comment, "      ")
    marker = "- "
    for key, value in rule.fields().items():
        start = f"      {marker}{key}:"
        if not isinstance(value, str):
            yield start
            yield from (f"          {name}: {quote(text)}" for name, text in value.items())
        elif "\n" in value or '"' in value:
            yield f"{start} |-"
            yield from (f"          {line}".rstrip() for line in value.split("\n"))
        else:
            yield f"{start} {value if key == 'record' else quote(value)}"
        marker = "  "


def _comment(text: str, indent: str) -> Iterator[str]:
    for line in textwrap.wrap(text, width=98 - len(indent)):
        yield f"{indent}# {line}"
