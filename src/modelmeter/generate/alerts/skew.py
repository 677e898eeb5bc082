"""Alerts on a model that serves otherwise than it was trained."""

from __future__ import annotations

from collections.abc import Iterator

from modelmeter import names as metrics
from modelmeter.generate import skew_series as series
from modelmeter.generate.alerts import names, words
from modelmeter.generate.alerts.plan import Plan
from modelmeter.generate.rulefile import Alert

_SHOWN = ("version",)


def skew_alerts(plan: Plan) -> Iterator[Alert]:
    """Yield the alerts on answers, libraries, columns, profiles that are not those of training."""
    yield plan.alert(
        names.CANARY_MISMATCH,
        f"{series.CANARY_DIFFERENT.name} > 0",
        severity=names.CRITICAL,
        hold=plan.at_least("1m"),
        summary=f"{words.MODEL}: {{{{ $value }}}} rows are answered otherwise than when it was "
        "trained; normal is 0",
        description="When the service started, it asked the model again about rows that were kept "
        "from training. The answers should be the same. A library, a type or a step of the "
        "preprocessing is not as it was, or it is another model: every prediction may be wrong.",
        panel="canary",
        shown=_SHOWN,
        comment="Said once, when a replica starts: there is no chance in it.",
    )
    yield from _libraries(plan)
    yield plan.alert(
        names.SCHEMA_MISMATCH,
        f"{series.SCHEMA_MISMATCH.name} > {plan.settings.smallest_rate!r}",
        severity=names.WARNING,
        hold=plan.at_least("10m"),
        summary=f"{words.MODEL}: the columns served are not those of training: "
        "{{ with $labels.feature }}{{ . }} {{ end }}{{ $labels.check }}, in "
        f"{words.SHARE} of the comparisons; normal is 0%",
        description="A column is missing or of another type, or columns are extra or in another "
        "order. A model that takes columns by place reads the wrong ones.",
        panel="schema",
        shown=_SHOWN,
        comment="Ten minutes: one caller who gets it wrong once is no alarm.",
    )
    yield _reference(plan)


def _libraries(plan: Plan) -> Iterator[Alert]:
    raw = metrics.LIBRARY_MISMATCH.name
    found = words.asked(
        f"{raw}{{{words.matchers(*plan.keep, 'model', 'version', 'library')}}} > 0",
        *plan.keep,
        "model",
        "version",
        "library",
    )
    versions = (
        f"{{{{ with {found} }}}}{{{{ with first . }}}}{{{{ .Labels.serving }}}}; it was trained "
        "with {{ .Labels.training }}{{ end }}{{ end }}"
    )
    for condition, severity, meaning in (
        (
            ">= 2",
            names.WARNING,
            "Another minor or major version may compute otherwise, or not read the model rightly.",
        ),
        ("== 1", names.INFO, "Another patch should compute the same. It is good to know."),
    ):
        yield plan.alert(
            names.LIBRARY_MISMATCH,
            f"{series.LIBRARY_MISMATCH.name} {condition}",
            severity=severity,
            hold=plan.at_least("10m"),
            summary=f"{words.MODEL}: {{{{ $labels.library }}}} serves in version {versions}",
            description=meaning,
            panel="libraries",
            shown=_SHOWN,
        )


def _reference(plan: Plan) -> Alert:
    rows, by = metrics.REFERENCE_ROWS.name, plan.labels.of(*metrics.REFERENCE_ROWS.labels)
    return plan.alert(
        names.REFERENCE_MISMATCH,
        f"count by ({plan.labels.model()}) (\nmax by ({by}) ({rows}) != min by ({by}) ({rows})\n)",
        severity=names.WARNING,
        hold=plan.at_least("15m"),
        summary=f"{words.MODEL}: replicas serve with different profiles under one version; "
        "{{ $value }} bins differ, normal is 0",
        description="Live rows are compared with a mixture of both. Give a new profile a new "
        "version, or deploy the same everywhere.",
        panel="libraries",
        shown=_SHOWN,
        comment="A quarter of an hour: replicas are replaced one after the other.",
    )
