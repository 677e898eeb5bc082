"""Findings: their schema, what they say, and that they are the statistics' own numbers."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from modelmeter.report.summary import summarise
from report.schema import check_schema

GOLDEN = Path(__file__).parent / "golden" / "findings.json"
VARYING = ("created", "modelmeter")


def as_written(findings):
    """Return findings as a reader of their JSON has them; ValueError for a NaN."""
    return json.loads(json.dumps(findings, allow_nan=False))


def near(value):
    """Approximate every number inside: other machines round otherwise."""
    if isinstance(value, dict):
        return {key: near(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [near(inner) for inner in value]
    return pytest.approx(value, rel=1e-6, abs=1e-9) if isinstance(value, float) else value


def test_findings_are_as_the_golden_file(profile, observed):
    """The example's findings are those of the golden file, which the page is tested on too."""
    found = as_written(summarise(profile, observed))
    found |= dict.fromkeys(VARYING, "")
    if os.environ.get("MODELMETER_WRITE_GOLDEN"):
        GOLDEN.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    assert found == near(json.loads(GOLDEN.read_text()))


def test_findings_keep_the_schema(profile, observed):
    """Every field of the schema is there, nothing else is, and each is of its type."""
    check_schema(as_written(summarise(profile, observed)))
