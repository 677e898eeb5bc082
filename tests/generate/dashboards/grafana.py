"""What Grafana does to a query before Prometheus sees it: variables are filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

# As Grafana's own variable parser knows them: $name, [[name]], ${name.field:format}.
_VARIABLE = re.compile(
    r"\$(?P<plain>\w+)|\[\[(?P<old>\w+?)(?::\w+)?\]\]"
    r"|\$\{(?P<name>\w+)(?:\.[^:^}]+)?(?::(?P<format>[^}]+))?\}"
)


@dataclass(frozen=True)
class All:
    """The choice "All" of a variable with an `allValue`, which Grafana inserts as it is."""

    value: str


Value = str | list[str] | All


def fill(text: str, values: Mapping[str, Value]) -> str:
    """Return a text with its variables filled in, unknown ones left as they are."""

    def replace(match: re.Match[str]) -> str:
        name = match["plain"] or match["old"] or match["name"]
        if name not in values:
            return match[0]
        return _formatted(values[name], match["format"])

    return _VARIABLE.sub(replace, text)


def variables_of(text: str) -> set[str]:
    """Return the names of everything that Grafana would take for a variable."""
    return {m["plain"] or m["old"] or m["name"] for m in _VARIABLE.finditer(text)}


def _formatted(value: Value, form: str | None) -> str:
    if isinstance(value, All):
        return value.value
    if form == "raw":
        assert isinstance(value, str)
        return value
    if form == "regex":
        parts = [_escaped(one) for one in ([value] if isinstance(value, str) else value)]
        return parts[0] if len(parts) == 1 else f"({'|'.join(parts)})"
    assert form is None, form
    # What the Prometheus data source does to a variable of one value, without a format.
    assert isinstance(value, str)
    return value.replace("\\", "\\\\").replace("'", "\\\\'")


def _escaped(text: str) -> str:
    return re.sub(r"[\\^$*+?.()|\[\]{}/]", r"\\\g<0>", text)
