"""Cases for ``promtool test rules``: what Prometheus sees, which alerts fire, and which do not."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from modelmeter.generate.rulefile import Group, render
from real.prometheus import promtool

MODEL = {"model": "flight-delay", "version": "1"}


class Case:
    """A past, and what the alerts say of it.

    Parameters
    ----------
    title
        For promtool's words when it is otherwise.
    step
        Time between samples, as Prometheus writes it.
    """

    def __init__(self, title: str, *, step: str = "1m") -> None:
        self._document: dict[str, list[object]] = {
            "input_series": [],
            "promql_expr_test": [],
            "alert_rule_test": [],
        }
        self._title, self._step = title, step

    def sees(self, metric: str, values: str | Sequence[object], /, **labels: str | None) -> Case:
        """Add a series; labels of the model are there unless said otherwise (None: none)."""
        known = {key: text for key, text in {**MODEL, **labels}.items() if text is not None}
        listed = ",".join(f"{label}={json.dumps(text)}" for label, text in known.items())
        texts = values if isinstance(values, str) else " ".join(map(str, values))
        self._document["input_series"].append({"series": f"{metric}{{{listed}}}", "values": texts})
        return self

    def fires(self, alert: str, /, *times: str, number: int = 1, **labels: str) -> Case:
        """Expect so many alerts to fire at these times."""
        self._count(alert, times, number, labels)
        return self

    def silent(self, alert: str, /, *times: str, **labels: str) -> Case:
        """Expect none to fire at these times."""
        self._count(alert, times, 0, labels)
        return self

    def says(self, alert: str, time: str, labels: dict[str, str], texts: dict[str, str]) -> Case:
        """Expect exactly this alert, with these labels and annotations."""
        self._document["alert_rule_test"].append(
            {
                "alertname": alert,
                "eval_time": time,
                "exp_alerts": [{"exp_labels": labels, "exp_annotations": texts}],
            }
        )
        return self

    def computes(self, expr: str, value: float | None, *times: str) -> Case:
        """Expect one value, but for rounding; None for no series."""
        ask = f"round({expr}, 0.000001)"
        samples = [] if value is None else [{"labels": "{}", "value": round(value, 6)}]
        for time in times:
            self._document["promql_expr_test"].append(
                {"expr": f"sum({ask})", "eval_time": time, "exp_samples": samples}
            )
        return self

    def _count(self, alert: str, times: Iterable[str], number: int, labels: dict[str, str]) -> None:
        wanted = {"alertname": alert, "alertstate": "firing", **labels}
        chosen = ",".join(f"{label}={json.dumps(text)}" for label, text in wanted.items())
        samples = [{"labels": "{}", "value": number}] if number else []
        for time in times:
            self._document["promql_expr_test"].append(
                {
                    "expr": f"count(ALERTS{{{chosen}}})",
                    "eval_time": time,
                    "exp_samples": samples,
                }
            )

    def document(self) -> dict[str, object]:
        """Return the case as promtool reads it."""
        return {"name": self._title, "interval": self._step, **self._document}


def only(groups: Iterable[Group], *names: str) -> list[Group]:
    """Return the rules of these alerts or series, in groups as they are."""
    found = (
        Group(group.name, group.interval, [r for r in group.rules if _name(r) in names])
        for group in groups
    )
    return [group for group in found if group.rules]


def _name(rule: object) -> str:
    return rule.fields().get("alert") or rule.fields()["record"]


def check(
    folder: Path, groups: Iterable[Group], cases: Iterable[Case], *, every: str = "1m"
) -> None:
    """Run all cases in one go; AssertionError with promtool's words where one is otherwise."""
    groups = [*groups]
    (folder / "rules.yml").write_text(render(groups))
    document = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": every,
        # Otherwise in any order, and an alert may not see what was recorded for it.
        "group_eval_order": [group.name for group in groups],
        "tests": [case.document() for case in cases],
    }
    # JSON is YAML.
    (folder / "test.yml").write_text(json.dumps(document))
    promtool("test", "rules", folder / "test.yml")
