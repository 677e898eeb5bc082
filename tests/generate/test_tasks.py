"""Which rules there are for which models."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from generate.conftest import categorical, make_profile, numeric
from modelmeter._errors import ConfigurationError
from modelmeter.generate.rulefile import render
from modelmeter.generate.rules import recording_rules
from modelmeter.generate.tasks import MAX_CLASSES, MAX_POSITIONS, Tasks
from modelmeter.profile.profile import ModelFacts
from real.prometheus import promtool

NONE = Tasks(classes=0, score_positions=0, scored_classes=False, regression=False)
BINARY = make_profile()
VALUES = np.linspace(0.0, 1.0, 50)
REGRESSION = replace(
    BINARY,
    name="price",
    model=ModelFacts("sklearn.Ridge", "regression"),
    predictions=(numeric("y_pred", VALUES, (0.0, 0.5, 1.0)),),
)
THREE = replace(
    BINARY,
    name="iris",
    model=ModelFacts("sklearn.SVC", "multiclass", ("a", "b", "c")),
    predictions=(categorical("y_pred", np.array(["a", "b", "c"] * 9), ("a", "b", "c")),),
)
FEATURES = replace(BINARY, name="none", model=ModelFacts("", "other"), predictions=())


def test_tasks_follow_from_profiles():
    """Classes, score bins and regressions are the most that any profile has."""
    assert Tasks.of([FEATURES]) == NONE
    assert Tasks.of([BINARY]) == replace(NONE, classes=2, score_positions=8)
    assert Tasks.of([REGRESSION]) == replace(NONE, regression=True)
    assert Tasks.of([THREE, FEATURES]) == replace(NONE, classes=3)
    scored = replace(THREE, predictions=(*THREE.predictions, BINARY.predictions[1]))
    assert Tasks.of([scored]) == replace(NONE, classes=3, scored_classes=True)
    everything = Tasks.of([BINARY, THREE, REGRESSION])
    assert everything == replace(NONE, classes=3, score_positions=8, regression=True)
    huge = ModelFacts("", "multiclass", tuple(range(500)))
    assert Tasks.of([replace(THREE, model=huge)]).classes == MAX_CLASSES


@pytest.mark.parametrize(
    ("profiles", "there", "left_out"),
    [
        ([BINARY], ("confusion", "label_bin", "performance", "label"), ("error", "error_bin")),
        ([THREE], ("confusion", "performance", "label"), ("label_bin", "error", "target")),
        ([REGRESSION], ("error", "error_bin", "target", "label"), ("confusion", "class")),
        ([FEATURES], (), ("label", "performance", "confusion", "answer", "error")),
    ],
)
def test_rules_for_other_tasks_are_left_out(profiles, there, left_out, tmp_path):
    """Whoever has no classifier gets no confusion matrix, and so on; what is there is valid."""
    groups = recording_rules(tasks=Tasks.of(profiles), positions=8)
    levels = {rule.record.partition(":")[0] for group in groups for rule in group.rules}
    assert {f"model_{level}" for level in there} <= levels
    assert not {f"model_{level}" for level in left_out} & levels
    (tmp_path / "rules.yml").write_text(render(groups))
    promtool("check", "rules", tmp_path / "rules.yml")


@pytest.mark.parametrize(
    "options",
    [
        {"classes": -1},
        {"classes": MAX_CLASSES + 1},
        {"score_positions": -1},
        {"score_positions": MAX_POSITIONS + 1},
    ],
)
def test_numbers_out_of_range_are_refused(options):
    """The error names the field and echoes the value."""
    ((name, value),) = options.items()
    with pytest.raises(ConfigurationError, match=f"{name} must be 0 to .*, not {value}"):
        Tasks(**options)
