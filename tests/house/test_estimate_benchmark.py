"""The comparison with NannyML, on small data and without NannyML."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
try:
    import estimate
    from peers import environment
    from peers.own import recorded
finally:
    sys.path.remove(str(ROOT / "benchmarks"))

ROWS = 8_000


def logistic(x):
    return 1 / (1 + np.exp(-x))


def binary(spread, *, drift=0.0, seed=0):
    """Rows whose score is the truth's probability, but for `drift` in log odds."""
    random = np.random.default_rng(seed)
    x = random.normal(scale=spread, size=ROWS)
    score = logistic(x)
    truth = random.random(ROWS) < logistic(x + drift)
    frame = {"y_true": truth.astype(int), "y_pred": (score >= 0.5).astype(int), "score": score}
    return pd.DataFrame(frame).assign(chunk=["first"] * (ROWS // 2) + ["second"] * (ROWS // 2))


def three_classes(spread, *, seed=0):
    """Rows with the true probability of each of three classes."""
    random = np.random.default_rng(seed)
    odds = np.exp(random.normal(loc=(1.0, 0.0, -1.0), scale=spread, size=(ROWS, 3)))
    scores = odds / odds.sum(axis=1, keepdims=True)
    truth = (scores.cumsum(axis=1) < random.random(ROWS)[:, None]).sum(axis=1)
    names = np.asarray(["a", "b", "c"], dtype=object)
    frame = {"y_true": names[truth], "y_pred": names[scores.argmax(axis=1)], "chunk": "all"}
    return pd.DataFrame(frame | dict(zip(("p_a", "p_b", "p_c"), scores.T, strict=True)))


def regression(center, *, seed=0):
    """Rows whose error grows with the prediction."""
    random = np.random.default_rng(seed)
    said = np.exp(random.normal(loc=center, size=ROWS))
    truth = said + 0.3 * said * random.normal(size=ROWS)
    return pd.DataFrame({"y_true": truth, "y_pred": said, "chunk": "all"})


def binary_case(analysis):
    reference = binary(3.0, seed=1)
    return recorded("Small", "binary", reference, analysis, scores="score", threshold=0.5)


class Echo:
    """Stands for NannyML: estimates 0.5 of everything, and keeps what it was given."""

    def estimate(self, reference, analysis, request):
        self.given = reference, analysis, request
        values = {metric: dict.fromkeys(analysis["chunk"], 0.5) for metric in request["metrics"]}
        return {"values": values, "calibrate": 1.0, "estimate": 2.0, "versions": {"nannyml": "0"}}


def multiclass_case():
    scores = {"a": "p_a", "b": "p_b", "c": "p_c"}
    reference, analysis = three_classes(3.0, seed=1), three_classes(1.0)
    return recorded("Small", "multiclass", reference, analysis, scores=scores)


def regression_case():
    return recorded("Small", "regression", regression(0.0, seed=1), regression(0.5))


@pytest.mark.parametrize(
    "make", [lambda: binary_case(binary(0.8)), multiclass_case, regression_case]
)
def test_the_estimate_follows_covariate_shift(make):
    """Where rows move to other answers of equal worth, the estimate moves as the truth does."""
    case = make()
    for one in estimate.compare(case).series:
        ours, theirs, no_change = one.errors()
        assert theirs is None
        assert no_change > 0.1
        assert ours < no_change / 4, one.metric.title
        assert np.abs(one.surprises()).max() < 4, one.metric.title


def test_the_estimate_does_not_see_concept_drift():
    """Where answers are worth less than they were, the estimate stays and the truth falls."""
    accuracy, _ = estimate.compare(binary_case(binary(3.0, drift=2.0))).series
    assert np.abs(np.subtract(accuracy.ours, accuracy.before)).max() < 0.02
    assert max(accuracy.realised) < accuracy.before - 0.03
    assert accuracy.surprises().max() < -5


def test_the_other_side_never_gets_the_truth():
    """NannyML is given the model's answers, and the truth of the reference only."""
    peer = Echo()
    found = estimate.compare(binary_case(binary(0.8)), peer)
    reference, analysis, request = peer.given
    assert "y_true" in reference
    assert sorted(analysis.columns) == ["chunk", "score", "y_pred"]
    assert request["metrics"] == ["accuracy", "roc_auc"]
    assert [one.theirs for one in found.series] == [[0.5, 0.5]] * 2
    assert found.theirs == (1.0, 2.0)


def test_tables_say_what_was_found():
    """Text and Markdown hold every chunk with rows, truth and both estimates, and the error."""
    found = estimate.compare(binary_case(binary(0.8)), Echo())
    accuracy, _ = found.series
    expected = [f"{accuracy.realised[0]:.3f}", f"{accuracy.ours[0]:.3f}", "0.500"]
    table = estimate.detail(found)
    [line] = [line.split() for line in table.text().splitlines() if line.startswith("first")]
    assert line[:5] == ["first", "4,000", *expected]
    assert f"| first | 4,000 | {' | '.join(expected)} |" in table.markdown()
    assert table.rows[-1][3:5] == tuple(f"{off:.4f}" for off in accuracy.errors()[:2])
    worth = estimate.worth(found)
    last = found.case.reference.loc[lambda rows: rows["score"] >= 0.9, "y_true"]
    assert worth.header == ("score", "before", "first", "second")
    assert worth.rows[-1][:2] == ("0.9 to 1.0", f"{last.mean():.3f}")
    whole = estimate.document([found], quick=True)
    assert whole.count("\n### ") == 5
    assert "nannyml 0" in whole


def test_without_nannyml_ours_is_printed_and_no_result_replaced(monkeypatch, tmp_path, capsys):
    """Where NannyML cannot be installed the run says so, and prints what modelmeter estimates."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(environment.NotInstalledError, match="cannot be installed"):
        environment.nannyml()
    assert not list(tmp_path.rglob("installed.txt"))

    case = binary_case(binary(0.8))
    monkeypatch.setattr(estimate, "flight_cases", lambda **_: [case])
    monkeypatch.setattr(estimate, "RESULTS", tmp_path / "estimate.md")
    estimate.main([])
    printed = capsys.readouterr().out
    assert "cannot be installed" in printed
    assert "NannyML's environment: absent" in printed
    assert f"{estimate.compare(case).series[0].ours[0]:.3f}" in printed
    assert not estimate.RESULTS.exists()
    estimate.main(["--output", str(tmp_path / "asked.md")])
    assert "### Small" in (tmp_path / "asked.md").read_text()


def test_answers_that_do_not_follow_from_the_threshold_are_refused():
    """A threshold that is not the model's own ends the run instead of giving wrong figures."""
    rows = binary(1.0)
    with pytest.raises(ValueError, match=r"threshold of 0\.6"):
        recorded("Small", "binary", rows, rows, scores="score", threshold=0.6)


def test_the_documented_figures_are_those_of_the_last_run():
    """Every line of a table in docs/estimate.md is in the results that the benchmark wrote."""
    written = estimate.RESULTS.read_text().splitlines()
    lines = (ROOT / "docs" / "estimate.md").read_text().splitlines()
    tables = [line for line in lines if line.startswith("|")]
    assert len(tables) > 30
    assert set(tables) <= set(written)
