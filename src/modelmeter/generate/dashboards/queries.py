"""PromQL of the panels: selectors with Grafana's variables in them.

Values of variables are put between backquotes, in Grafana's own regular expression format
(``${feature:regex}``): a name may then hold quotes and backslashes, which Grafana does not escape
otherwise. Names that are known when the dashboard is written come as `pattern`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from modelmeter import names
from modelmeter.generate import performance_series
from modelmeter.generate.performance_alarms import HEADLINES
from modelmeter.generate.promql import selector
from modelmeter.generate.recorded import Series
from modelmeter.names import Metric

WINDOW: Final = 'window="$window"'
WHOLE: Final = 'segment=""'
FEATURES: Final = 'role="feature"'
PREDICTIONS: Final = 'role="prediction"'
REALISED: Final = 'source="realised"'
ESTIMATED: Final = 'source="estimated"'
PER_SECOND: Final = "$__rate_interval"

TOP: Final = 20
"""Features in a ranking."""

_PLAIN: Final = re.compile(r"[\w /:,=@%-]")


def pattern(text: str) -> str:
    r"""Return a regular expression for exactly this text, without any sign of its own.

    It holds nothing that Grafana takes for a variable or that ends a quotation.

    Examples
    --------
    >>> pattern("flight-delay"), pattern("a.$b`")
    ('flight-delay', 'a\\x2e\\x24b\\x60')
    """
    return "".join(
        sign if _PLAIN.match(sign) or ord(sign) > 0x7F else f"\\x{ord(sign):02x}" for sign in text
    )


def spoken(text: str) -> str:
    """Return a text to be read, in which Grafana finds no variable.

    Examples
    --------
    >>> spoken("costs $window"), spoken("5 $")
    ('costs $ window', '5 $')
    """
    return re.sub(r"\$(?=[\w{])|\[(?=\[)", r"\g<0> ", text)


def chosen(label: str, variable: str = "") -> str:
    """Return a matcher: the label has (one of) the values chosen at the top.

    Examples
    --------
    >>> chosen("version")
    'version=~`${version:regex}`'
    """
    return f"{label}=~`${{{variable or label}:regex}}`"


def kept_name(label: str) -> str:
    """Return the variable of a label that somebody keeps, apart from modelmeter's own."""
    return f"keep_{label}"


def exactly(label: str, text: str) -> str:
    """Return a matcher for a value that is known when the dashboard is written."""
    return f"{label}=~`{pattern(text)}`"


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Which series belong on a dashboard.

    Parameters
    ----------
    models
        Matchers of the model, and the version.
    keep
        Labels beyond modelmeter's own, one value of each chosen at the top.
    signal_window
        Window of rates and latencies.
    """

    models: tuple[str, ...]
    keep: tuple[str, ...]
    signal_window: str

    def of(self, recorded: Series | Metric, *matchers: str) -> str:
        """Return the series of the models on this dashboard."""
        return selector(recorded.name, *self.models, *self._kept, *matchers)

    def signal(self, recorded: Series, *matchers: str) -> str:
        """Return a rate or latency."""
        return self.of(recorded, f'window="{self.signal_window}"', *matchers)

    def route(self, recorded: Series, *matchers: str) -> str:
        """Return a rate or latency of the routes that serve the models."""
        return self.signal(recorded, chosen("job"), *matchers)

    def process(self, metric: Metric | str, *matchers: str) -> str:
        """Return what is of a process, not of a model."""
        name = metric if isinstance(metric, str) else metric.name
        return selector(name, chosen("job"), *self._kept, *matchers)

    @property
    def _kept(self) -> tuple[str, ...]:
        return tuple(chosen(label, kept_name(label)) for label in self.keep)


def overlay(live: str, training: str, *, training_name: str = "training") -> str:
    """Return live and training shares by bin, as one vector to be cut into bars.

    Parameters
    ----------
    live, training
        Vectors with the labels `version`, `kind`, `ord` and `bin`.
    training_name
        What the second is called.

    Returns
    -------
    str
        With the labels `bin`, `series` (``live, version 1``) and `place`, by which bars are
        sorted: ordered bins in their order, then categories, then the rest.
    """
    both = (
        f'label_replace({live}, "series", "live, version $1", "version", "(?s)(.*)")\nor\n'
        f'label_replace({training}, "series", "{training_name}, version $1", "version", "(?s)(.*)")'
    )
    # "~" sorts behind every digit.
    ordered = f'label_replace(\n{both}\n, "where", "~", "ord", "")'
    ordered = f'label_replace({ordered}, "where", "$1", "ord", "(.+)")'
    return f'label_join({ordered}, "place", " ", "where", "kind", "bin")'


def headline(scope: Scope) -> str:
    """Return the figure that stands for each model, out of sample: which, and how much."""
    identity = "on (model, version)"
    figures = [
        scope.of(performance_series.REFERENCE, f'metric="{metric}"', 'class=""', WHOLE)
        for metric in HEADLINES
    ]
    return f"\nor {identity}\n".join(figures)


def of_headline(scope: Scope, figure: Series, *matchers: str) -> str:
    """Return the same figure of another series: realised, estimated, changed."""
    wanted = scope.of(figure, WINDOW, WHOLE, *matchers)
    return f"({wanted} and on (model, version, metric, class)\n(\n{headline(scope)}\n))"


def largest(expr: str, *by: str) -> str:
    """Return the largest by labels: one value for each row of a table."""
    return f"max by ({', '.join(by)}) ({expr})"


def only(expr: str, ranked: str, *by: str) -> str:
    """Return the values of the rows that a ranking holds."""
    return f"{expr}\nand on ({', '.join(by)})\n{ranked}"


def version_changes(scope: Scope) -> str:
    """Return the versions and profiles that were not there five minutes ago."""
    by = "model, version, profile_hash"
    now = scope.of(names.REFERENCE_INFO)
    return f"count by ({by}) ({now})\nunless on ({by})\n({now} offset 5m)"
