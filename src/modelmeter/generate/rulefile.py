"""Rule files: groups of rules as data, and as YAML with comments for whoever runs them."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from modelmeter.generate.durations import format_duration

SCHEMA_VERSION = 1
"""Of the generated files. Raise it when a recorded series changes its name or meaning."""

_PLAIN: Final = ("record", "alert", "for")
"""Fields that need no quotation marks."""


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
class Alert:
    """One alerting rule.

    Parameters
    ----------
    alert
        The label ``alertname``.
    expr
        PromQL; there is an alert for every series that it returns.
    hold
        Milliseconds for which it must return one without a break; 0 for none.
    labels
        Labels added to those of the series; templates of Prometheus.
    annotations
        What people read; templates of Prometheus.
    comment
        Why it is as it is, for the reader of the file.
    """

    alert: str
    expr: str
    hold: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    comment: str = ""

    def fields(self) -> dict[str, str | Mapping[str, str]]:
        """Return the YAML fields in the order in which they are written."""
        found: dict[str, str | Mapping[str, str]] = {"alert": self.alert, "expr": self.expr}
        if self.hold:
            found["for"] = format_duration(self.hold)
        texts = {"labels": dict(self.labels), "annotations": dict(self.annotations)}
        return {**found, **{name: value for name, value in texts.items() if value}}


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
        if isinstance(value, str):
            yield from _scalar(start, value, 10, plain=key in _PLAIN)
        else:
            yield start
            for name, text in value.items():
                # In labels a block would change what it cannot hold, such as a final line break.
                if key == "labels":
                    yield f"          {name}: {quote(text)}"
                else:
                    yield from _scalar(f"          {name}:", text, 12)
        marker = "  "


def _scalar(start: str, value: str, indent: int, *, plain: bool = False) -> Iterator[str]:
    """Write a text as a block where quotes would make it hard to read."""
    if "\n" in value or '"' in value:
        yield f"{start} |-"
        yield from (f"{' ' * indent}{line}".rstrip() for line in value.split("\n"))
    else:
        yield f"{start} {value if plain else quote(value)}"


def _comment(text: str, indent: str) -> Iterator[str]:
    for line in textwrap.wrap(text, width=98 - len(indent)):
        yield f"{indent}# {line}"
