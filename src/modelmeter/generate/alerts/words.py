"""Templates of Prometheus for what people read: names, numbers, and what else Prometheus knows.

A template must stay right whatever a feature is called: names are only ever put in where they
are text (``{{ $labels.feature }}``), quoted by ``%q`` (in PromQL) or by `literal` (in a
template), and escaped by ``urlquery`` (in a link).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from modelmeter.generate.recorded import Series

MODEL: Final = "{{ $labels.model }} version {{ $labels.version }}"
FEATURE: Final = "{{ $labels.feature }}"
SERVICE: Final = "Service {{ $labels.job }}"
SHARE: Final = "{{ $value | humanizePercentage }}"
DURATION: Final = "{{ $value | humanizeDuration }}"

# Not humanize, which makes 50m of 0.05.
NUMBER: Final = 'printf "%.6g"'
SCORE: Final = 'printf "%.2f"'
WHOLE: Final = '{{ $value | printf "%.0f" }}'
PERCENTAGE: Final = "humanizePercentage"
TIME: Final = "humanizeDuration"


def literal(text: str) -> str:
    r"""Return a text as a string of Go's template language.

    Examples
    --------
    >>> print(literal('say "hi"'), literal("航"))
    "say \"hi\"" "\u822a"
    """
    return '"' + "".join(_escaped(sign) for sign in text) + '"'


def _escaped(sign: str) -> str:
    if sign in '"\\':
        return f"\\{sign}"
    if " " <= sign <= "~":
        return sign
    return f"\\u{ord(sign):04x}" if ord(sign) <= 0xFFFF else f"\\U{ord(sign):08x}"


def plain(text: str) -> str:
    """Return a template that gives just this text, braces included."""
    return f"{{{{ {literal(text)} }}}}" if "{{" in text else text


def matchers(*labels: str, **fixed: str) -> str:
    """Return matchers for `asked`: labels as the alert has them, others as given."""
    found = [f"{label}=%q" for label in labels]
    return ",".join((*found, *(f'{label}="{value}"' for label, value in fixed.items())))


def asked(expr: str, *labels: str) -> str:
    """Return a template's query: PromQL with a ``%q`` for each of these labels of the alert."""
    return _query(expr, *(f"$labels.{label}" for label in labels))


def _query(expr: str, *values: str) -> str:
    return f"query (printf `{expr}` {' '.join(values)})"


def figure(
    recorded: Series, *labels: str, form: str, otherwise: str = "unknown", **fixed: str
) -> str:
    """Return a template that says the value of a series which shares labels with the alert.

    Parameters
    ----------
    recorded
        The series.
    *labels
        What it shares with the alert.
    form
        How the number is written: `NUMBER`, `PERCENTAGE` or `TIME`.
    otherwise
        What is said where there is no such series.
    **fixed
        What else its labels must be.
    """
    query = asked(f"{recorded.name}{{{matchers(*labels, **fixed)}}}", *labels)
    value = f"{{{{ . | first | value | {form} }}}}"
    return f"{{{{ with {query} }}}}{value}{{{{ else }}}}{otherwise}{{{{ end }}}}"


def moved_bins(top: str, live: Series, training: Series, keep: tuple[str, ...]) -> str:
    """Return a template that lists the bins that moved most, one a line, with both shares.

    Parameters
    ----------
    top
        Series of the bins by how much they moved.
    live, training
        Shares of rows by bin.
    keep
        Labels beyond modelmeter's own.
    """
    feature = (*keep, "model", "version", "role", "feature")
    found = matchers(*feature, "window", segment="")
    query = asked(f"sort_desc(topk(3, {top}{{{found}}} > 0))", *feature, "window")
    of_bin = ("kind", "ord", "bin")
    values = [f"$labels.{label}" for label in feature]
    bins = [f"$bin.Labels.{label}" for label in of_bin]
    now = _query(
        f"{live.name}{{{matchers(*feature, 'window', *of_bin, segment='')}}}",
        *values,
        "$labels.window",
        *bins,
    )
    then = _query(f"{training.name}{{{matchers(*feature, *of_bin, segment='')}}}", *values, *bins)
    return (
        f"{{{{ range $bin := {query} }}}}\n- {{{{ $bin.Labels.bin }}}}: "
        f"{_share(then)} of rows in training, {_share(now)} now{{{{ end }}}}"
    )


def _share(query: str) -> str:
    return f"{{{{ with {query} }}}}{{{{ . | first | value | humanizePercentage }}}}{{{{ end }}}}"


def one_of(label: str, words: Mapping[str, str], otherwise: str = "") -> str:
    """Return a template that says the value of a label in words; itself where there are none.

    Examples
    --------
    >>> one_of("x", {"1": "one"}, "many")
    '{{ if eq $labels.x "1" }}one{{ else }}many{{ end }}'
    """
    if not words:
        return otherwise
    found = "".join(
        f"{{{{ {'else ' if i else ''}if eq $labels.{label} {literal(value)} }}}}{text}"
        for i, (value, text) in enumerate(words.items())
    )
    itself = f"{{{{ $labels.{label} }}}}"
    return f"{found}{{{{ else }}}}{otherwise or itself}{{{{ end }}}}"
