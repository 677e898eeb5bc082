"""`modelmeter series`: what a model will cost."""

from __future__ import annotations

import numpy as np
import pytest
from typer.testing import CliRunner

from modelmeter import Profile
from modelmeter.cli import app
from modelmeter.generate.cost import cost_of
from modelmeter.generate.settings import Settings


@pytest.fixture
def path(tmp_path):
    """A profile of three numbers, in a file."""
    X = np.random.default_rng(0).normal(size=(500, 3))
    path = tmp_path / "m.profile.json"
    Profile.build(lambda X: X.sum(axis=1), X, name="m", version="1").save(path)
    return path


def test_it_prints_every_metric_and_what_they_need(path):
    """Every metric with its series, all of them together, memory, samples and disk."""
    options = ["--window", "1h", "--window", "7d", "--replicas", "3"]
    result = CliRunner().invoke(app, ["series", "--profile", str(path), *options])
    assert result.exit_code == 0, result.output
    cost = cost_of(Profile.load(path), Settings(windows=("1h", "7d")), replicas=3)
    for counts in (cost.exported, cost.labels, cost.about_features, cost.others):
        for name in counts:
            assert name in result.output
    said = " ".join(result.output.split())
    assert f"{cost.scraped:,} series are scraped from 3 replicas" in said
    assert f"{cost.recorded:,} recorded" in said
    assert f"{cost.memory_bytes / 1e6:,.0f} MB of memory" in said
    assert f"{cost.samples_per_second:,.0f} samples a second" in said
    assert "That leaves no room" not in said


def test_it_says_when_rules_take_too_long(path):
    """Where the rules would be worked on most of the time, that is said, with what helps."""
    options = [part for n in range(2, 202) for part in ("--window", f"{n}m")]
    result = CliRunner().invoke(app, ["series", "--profile", str(path), *options])
    assert result.exit_code == 0, result.output
    assert "That leaves no room" in result.output
