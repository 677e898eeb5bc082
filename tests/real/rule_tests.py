"""Scenarios for ``promtool test rules``: what is scraped, and what must be recorded."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from modelmeter.generate.rulefile import render
from real.prometheus import promtool

SAMPLE_MINUTES = 1


def series(name: str, labels: Mapping[str, str], values: Sequence[object]) -> dict[str, str]:
    """Return one input series; a value may be a number, ``None`` (not scraped) or ``stale``."""
    listed = ",".join(f"{label}={json.dumps(text)}" for label, text in labels.items())
    texts = ("_" if value is None else str(value) for value in values)
    return {"series": f"{name}{{{listed}}}", "values": " ".join(texts)}


class Scenario:
    """What Prometheus sees, one sample a minute, and what the rules must make of it.

    Parameters
    ----------
    groups
        The rules.
    inputs
        Input series, see `series`.
    """

    def __init__(self, groups, inputs) -> None:
        self._groups, self._inputs = groups, list(inputs)
        self._expectations: list[dict[str, object]] = []

    def expect(self, expr: str, value: float, *, minute: int, within: float = 1e-9) -> None:
        """Expect exactly one series, with this value but for `within`."""
        near = f"sum(abs(({expr}) - {float(value)!r}) <= bool {float(within)!r})"
        self._ask(near, minute, {"value": 1})
        self._ask(f"count({expr})", minute, {"value": 1})

    def expect_count(self, expr: str, number: int, *, minute: int) -> None:
        """Expect so many series."""
        self._ask(f"count({expr})", minute, {"value": number} if number else None)

    def _ask(self, expr: str, minute: int, sample: dict[str, object] | None) -> None:
        samples = [] if sample is None else [{"labels": "{}", **sample}]
        self._expectations.append({"expr": expr, "eval_time": f"{minute}m", "exp_samples": samples})

    def check(self, folder: Path) -> None:
        """Run promtool; AssertionError with its words where something is not as expected."""
        (folder / "rules.yml").write_text(render(self._groups))
        document = {
            "rule_files": ["rules.yml"],
            "evaluation_interval": "1m",
            "tests": [
                {
                    "interval": f"{SAMPLE_MINUTES}m",
                    "input_series": self._inputs,
                    "promql_expr_test": self._expectations,
                }
            ],
        }
        # JSON is YAML.
        (folder / "test.yml").write_text(json.dumps(document))
        promtool("test", "rules", folder / "test.yml")
