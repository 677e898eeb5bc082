"""Performance in a real Prometheus is what Python computes, whatever becomes of replicas.

One Prometheus sees two stores, replicas that go, come back and cannot read their store; the
tests look at what it recorded from all sides.
"""

from __future__ import annotations

import time

import numpy as np
import pytest

from generate.labelled import SEGMENTS, Binary, Multiclass, Regression, add
from modelmeter import names
from modelmeter.generate import count_series as counts
from modelmeter.generate import label_series as label
from modelmeter.generate import performance_series as series
from modelmeter.generate import series as all_series
from modelmeter.generate.rulefile import render
from modelmeter.generate.rules import recording_rules
from modelmeter.generate.tasks import Tasks
from modelmeter.stats.performance import (
    ERROR_SUMS,
    TARGET_SUMS,
    Estimate,
    binary_performance,
    multiclass_performance,
    regression_performance,
    reliability,
    z_score,
)
from real.prometheus import Prometheus
from real.replica import Replica, render_table

WINDOWS = ("10s", "40s")
SOURCES = ("realised", "estimated")
BINARY = (Binary("delay", "1"), Binary("delay", "2"), Binary("margin", probabilities=False))
CLASSES = (
    Multiclass("iris", ("setosa", 'a "b"\nc', "virginica")),
    Multiclass("plain", ("x", "y", "z"), scores=False),
    Multiclass("coin", ("heads", "tails"), scores=False),
)
MANY = Multiclass("many", tuple("abcdefg"), only_right=True)
REGRESSION = Regression("price")
MODELS = (*BINARY, *CLASSES, MANY, REGRESSION)
BEFORE = 1000


class World:
    """Two stores and three replicas: two share the first store, the third has its own."""

    def __init__(self):
        self.random = np.random.default_rng(7)
        self.reference = {}
        for model in MODELS:
            self.reference.update(model.reference())
        self.stores, self.sent = {"shared": {}, "own": {}}, {}
        for store in self.stores:
            # Labels from before Prometheus came are none of the window's.
            for rows in (0, BEFORE):
                self._label(store, rows)
        self.sent.clear()
        self.live = [{}, {}, {}]
        self.of = ("shared", "shared", "own")
        self.readable = [True, True, True]
        for i in range(3):
            self.predict(i, 0)
        self.replicas = [Replica(self._renderer(i)) for i in range(3)]

    def _renderer(self, i):
        def render():
            stores = [self.stores[self.of[i]]] if self.readable[i] else []
            return render_table(self.reference, self.live[i], *stores)

        return render

    def predict(self, i, rows):
        for model in MODELS:
            add(self.live[i], model.live(self.random, rows))

    def label(self, store, rows):
        self._label(store, rows)

    def _label(self, store, rows):
        more = {}
        for model in MODELS:
            more.update(model.labels(self.random, rows, store))
            lag = (*model.name, store)
            for j, bound in enumerate((*names.LABEL_LAG.buckets, float("inf"))):
                text = "+Inf" if bound == float("inf") else repr(float(bound))
                more[names.LABEL_LAG, (*lag, text)] = rows * min(j, 4) // 4
            more[names.LABELS, (*lag, "counted")] = rows
            more[names.LABELS, (*lag, "orphan")] = rows // 10
        # A scrape sees all of a label or nothing of it.
        now = dict(self.stores[store])
        add(now, more)
        for model in MODELS:
            own = (*model.name, store)
            for age, predictions, labels in (("0 to 1d", 200, 20), ("over 1d", 100, 75)):
                now[names.COVERAGE_PREDICTIONS, (*own, age)] = predictions
                now[names.COVERAGE_LABELS, (*own, age)] = labels
            now[names.PENDING, own] = 205
            now[names.OLDEST_PENDING, own] = 0 if store == "own" else time.time() - 7200
            now[names.LAST_LABEL, own] = time.time()
        self.stores[store] = now
        add(self.sent, {(m, (*v[:2], *v[3:])): value for (m, v), value in more.items()})

    def wait(self, number=2):
        for replica in self.replicas:
            if replica is not None:
                replica.wait_for_scrapes(number)

    def kill(self, i):
        self.replicas[i].stop()
        self.replicas[i], port = None, self.replicas[i].port
        return port

    def start(self, i, port):
        self.live[i] = {}
        self.predict(i, 0)
        self.replicas[i] = Replica(self._renderer(i), port=port)

    def stop(self):
        for replica in self.replicas:
            if replica is not None:
                replica.stop()


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Labels and predictions while replicas go, come back and cannot read; then a moment."""
    world = World()
    out = tmp_path_factory.mktemp("performance")
    tasks = Tasks(classes=7, score_positions=9, scored_classes=True, regression=True)
    groups = recording_rules(
        windows=WINDOWS, scrape_interval="500ms", evaluation_interval="1s", positions=9, tasks=tasks
    )
    (out / "rules.yml").write_text(render(groups))
    targets = ", ".join(f"'{replica.target}'" for replica in world.replicas)
    (out / "prometheus.yml").write_text(
        "global: {scrape_interval: 500ms, scrape_timeout: 500ms}\nrule_files: [rules.yml]\n"
        f"scrape_configs: [{{job_name: j, static_configs: [{{targets: [{targets}]}}]}}]\n"
    )
    try:
        with Prometheus(out) as prometheus:
            prometheus.wait_for(f"count({label.LABEL_TOTAL.name}) == {4 * len(MODELS)}")
            world.wait()
            start = time.time()
            for i, rows in enumerate((300, 500, 400)):
                world.predict(i, rows)
            world.label("shared", 200)
            world.wait()
            # The second dies between a label and its scrape; labels go on coming to the first.
            world.label("shared", 50)
            port = world.kill(1)
            world.label("own", 120)
            prometheus.wait_for(f'up{{instance="127.0.0.1:{port}"}} == 0')
            world.label("shared", 70)
            world.wait()
            world.label("shared", 30)
            world.start(1, port)
            world.wait()
            # Nobody can read the shared store for a while, in which labels come.
            world.readable[:2] = False, False
            world.wait()
            world.label("shared", 40)
            world.predict(1, 200)
            world.readable[0] = True
            world.wait()
            world.readable[1] = True
            world.wait(4)
            moment = time.time()
            assert moment < start + 39, "too slow a machine for these windows"
            prometheus.wait_for_evaluations(moment)
            yield prometheus, moment, world
            assert prometheus.problems() == ""
    finally:
        world.stop()


class Seen:
    """What was recorded of one model, version, segment, source and window."""

    def __init__(self, recorded, model, segment, source, window):
        prometheus, moment, _ = recorded
        self.model = model
        name, version = model.name
        self._ask = lambda selector: prometheus.query(
            f'{{{selector},model="{name}",version="{version}",segment="{segment}",'
            f'source=~"|{source}",window=~"|{window}"}}',
            time=moment,
        )
        self.figures = {}
        for found in self._ask('__name__=~"model_performance:.+"'):
            what = found.labels["__name__"].partition(":")[2]
            figure = found.labels.get("metric", ""), found.labels.get("class", "")
            if what != "mean_loss":
                assert (what, figure) not in self.figures
                self.figures[what, figure] = found.value

    def table(self, one, rows, columns):
        """Return a series as a table of counts; each of `rows` and `columns` names one cell."""
        table = np.zeros((len(rows), len(columns)))
        for found in self._ask(f'__name__="{one.name}"'):
            place = next(i for i, row in enumerate(rows) if row.items() <= found.labels.items())
            column = next(i for i, c in enumerate(columns) if c.items() <= found.labels.items())
            table[place, column] += found.value
        return table

    def confusion(self):
        return self.table(
            counts.CONFUSION_ROWS,
            [{"y_true": one} for one in self.model.classes],
            [{"y_pred": one} for one in self.model.classes],
        )

    def bins(self):
        return self.table(
            counts.BIN_ROWS,
            [{"ord": place, "bin": bin_} for place, bin_ in self.model.bins],
            [
                {"y_true": true, "outcome": outcome}
                for true, outcome in zip(self.model.classes, ("negative", "positive"), strict=True)
            ],
        )

    def errors(self):
        names_ = [{"statistic": one} for one in ERROR_SUMS]
        return self.table(counts.ERROR_SUM, [{}], names_)[0]

    def targets(self):
        names_ = [{"statistic": one} for one in TARGET_SUMS]
        return self.table(counts.TARGET_SUM, [{}], names_)[0]

    def compare(self, expected, *, rel=1e-9):
        """Hold figures and their errors equal to Python's; where those are NaN, absent."""
        for figure, estimate in expected.items():
            for what, value in zip(("value", "error"), estimate, strict=True):
                if np.isnan(value):
                    assert (what, figure) not in self.figures, figure
                else:
                    found = self.figures[what, figure]
                    assert found == pytest.approx(float(value), rel=rel, abs=1e-12), (what, figure)


def by_class(found, classes):
    """Return the figures of a confusion matrix as the rules name them."""
    figures = {(name, ""): estimate for name, estimate in found.overall.items()}
    for name, estimate in found.by_class.items():
        for i, of_class in enumerate(classes):
            figures[name, of_class] = Estimate(estimate.value[i], estimate.error[i])
    return figures


def every(models, sources=SOURCES):
    """Parametrize over models, segments, sources and windows."""
    cases = [
        pytest.param(
            m, segment, source, window, id=f"{'-'.join(m.name)}-{segment}-{source}-{window}"
        )
        for m in models
        for segment in SEGMENTS
        for source in sources
        for window in WINDOWS
    ]
    return pytest.mark.parametrize(("model", "segment", "source", "window"), cases)


@every((*BINARY, *CLASSES))
def test_confusion_figures_equal_python(recorded, model, segment, source, window):
    """Every figure by class and over all, with its error, is the Python function's."""
    seen = Seen(recorded, model, segment, source, window)
    confusion = seen.confusion()
    figures = by_class(multiclass_performance(confusion), model.classes)
    seen.compare(figures)
    assert seen.figures["rows", ("", "")] == pytest.approx(confusion.sum(), rel=1e-12)
    if confusion.sum():
        shares = confusion.sum(axis=1) / confusion.sum()
        for of_class, share in zip(model.classes, shares, strict=True):
            assert seen.figures["value", ("prevalence", of_class)] == pytest.approx(share)
    else:
        assert {what for what, _ in seen.figures} <= {"rows", "reference", "reference_error"}


@every(BINARY)
def test_score_figures_equal_python(recorded, model, segment, source, window):
    """Every figure from score bins, with its error, is the Python function's."""
    seen = Seen(recorded, model, segment, source, window)
    scores = model.scores if model.probabilities else None
    found = binary_performance(seen.bins(), positive=model.positive, scores=scores)
    of_class = {"prevalence": "yes", "precision": "yes", "recall": "yes", "f1": "yes"}
    expected = {(name, of_class.get(name, "")): e for name, e in found.metrics.items()}
    expected["recall", "no"] = expected.pop(("specificity", ""))
    seen.compare(expected)


@every(BINARY[:1], ["realised"])
def test_reliability_curve_equals_python(recorded, model, segment, source, window):
    """The share of positive outcomes by score bin, with its error, is the Python function's."""
    seen = Seen(recorded, model, segment, source, window)
    curve = reliability(seen.bins())
    rows = [{"ord": place} for place, _ in model.bins]
    for one, expected in zip(
        (counts.POSITIVE_RATIO, counts.POSITIVE_RATIO_ERROR), curve, strict=True
    ):
        found = seen.table(one, rows, [{}])[:, 0]
        assert found == pytest.approx(np.nan_to_num(expected), rel=1e-12)


@every((REGRESSION,))
def test_regression_figures_equal_python(recorded, model, segment, source, window):
    """Every figure from sums of errors, with its error, is the Python function's."""
    seen = Seen(recorded, model, segment, source, window)
    errors = seen.errors()
    targets = seen.targets() if source == "realised" else None
    found = regression_performance(errors, targets)
    seen.compare({(name, ""): estimate for name, estimate in found.metrics.items()}, rel=1e-8)
    assert seen.figures["rows", ("", "")] == pytest.approx(errors[0])


def total(recorded, one, **labels):
    """Return the sum of a recorded series at the moment."""
    prometheus, moment, _ = recorded
    return prometheus.value(f"sum({one.where(**labels)})", time=moment)


def test_every_label_is_counted_exactly_once(recorded):
    """No label is lost or counted twice, whoever dies, returns or cannot read the store.

    Those from before Prometheus are left out.
    """
    prometheus, moment, world = recorded
    for one, metric in (
        (counts.CONFUSION_ROWS, names.CONFUSION),
        (counts.BIN_ROWS, names.LABEL_BIN),
        (label.LABEL_ROWS, names.LABELS),
    ):
        places = [name for name in metric.labels if name != "store"]
        sent = {v: value for (m, v), value in world.sent.items() if m is metric}
        selected = one.where(window="40s")
        if "source" in one.labels:
            selected = one.where(window="40s", source="realised")
        found = {
            tuple(sample.labels.get(name, "") for name in places): sample.value
            for sample in prometheus.query(selected, time=moment)
        }
        assert found == sent
        assert sum(found.values()) > 0
    assert total(recorded, label.LABEL_ROWS, model="iris", outcome="counted", window="40s") == 510


def test_sums_of_errors_are_those_of_the_labels(recorded):
    """Sums of errors and of powers of the truth are what labels added, but for rounding."""
    prometheus, moment, world = recorded
    for one, metric in (
        (counts.ERROR_BIN_SUM, names.ERROR_SUM),
        (counts.TARGET_SUM, names.TARGET_SUM),
    ):
        places = [name for name in metric.labels if name != "store"]
        sent = {v: value for (m, v), value in world.sent.items() if m is metric}
        samples = prometheus.query(one.where(window="40s", source="realised"), time=moment)
        found = {tuple(s.labels.get(name, "") for name in places): s.value for s in samples}
        assert found == pytest.approx(sent, rel=1e-9)


def answers(recorded, model, segment, window):
    """Return live rows by predicted class and score bin, and of a regression by bin."""
    classes = getattr(model, "classes", ("",))
    seen = Seen(recorded, model, segment, "estimated", window)
    rows = [{"y_pred": said} if said else {} for said in classes]
    columns = [{"ord": place, "bin": bin_} if place else {} for place, bin_ in model.bins]
    return seen, seen.table(counts.ANSWER_ROWS, rows, columns)


@pytest.mark.parametrize("segment", SEGMENTS)
@pytest.mark.parametrize("model", MODELS, ids=lambda model: "-".join(model.name))
def test_estimates_are_answers_times_ratios(recorded, model, segment):
    """Expected counts are live rows by answer times what became of such answers in training."""
    seen, rows = answers(recorded, model, segment, "40s")
    # The last of them are not whole yet: the short window has not passed over them.
    # And a busy machine leaves evaluations out.
    assert 140 < rows.sum() < 1700
    if model is REGRESSION:
        expected = rows[0] @ np.column_stack([np.ones(5), model.expected])
        assert seen.errors() == pytest.approx(expected, rel=1e-12)
    elif model is MANY:
        assert seen.confusion().sum() == 0
    elif isinstance(model, Binary):
        assert seen.bins() == pytest.approx(rows.sum(axis=0)[:, None] * model.ratios, rel=1e-12)
        # A bin means one class.
        assert np.all(rows[(~model.positive).astype(int), np.arange(8)] == 0)
    else:
        expected = np.einsum("sb,sbt->ts", rows, model.ratios)
        assert seen.confusion() == pytest.approx(expected, rel=1e-12)


def test_too_many_classes_leave_what_can_be_told(recorded):
    """Where only ratios of being right are known, only accuracy and precision are estimated."""
    seen, rows = answers(recorded, MANY, "", "40s")
    right = rows * np.stack([MANY.ratios[i, :, i] for i in range(7)])
    assert seen.figures["value", ("accuracy", "")] == pytest.approx(right.sum() / rows.sum())
    for i, of_class in enumerate(MANY.classes):
        precision = right[i].sum() / rows[i].sum()
        assert seen.figures["value", ("precision", of_class)] == pytest.approx(precision)
    found = {figure for what, (figure, _) in seen.figures if what in ("value", "error")}
    assert found == {"accuracy", "precision"}
    realised = Seen(recorded, MANY, "", "realised", "40s")
    realised.compare(by_class(multiclass_performance(realised.confusion()), MANY.classes))


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("model", MODELS, ids=lambda model: "-".join(model.name))
def test_change_and_z_compare_with_training(recorded, model, source):
    """Change and z are those of value and reference, for segments with a reference only."""
    for segment in SEGMENTS:
        seen = Seen(recorded, model, segment, source, "40s")
        known = {figure for what, figure in seen.figures if what == "value"} & set(model.baseline)
        compared = {figure for what, figure in seen.figures if what == "change"}
        assert compared == (set() if segment == SEGMENTS[2] else known)
        for figure in compared:
            live = Estimate(*(seen.figures[what, figure] for what in ("value", "error")))
            reference = Estimate(*model.baseline[figure])
            change = pytest.approx(live.value - reference.value)
            assert seen.figures["change", figure] == change
            z = float(z_score(live, reference))
            assert seen.figures["z", figure] == pytest.approx(z, rel=1e-9)
        assert known


def test_labels_on_their_way_are_described(recorded):
    """Lag, coverage, what waits and since when: over both stores, each counted once."""
    selected = {"model": "delay", "version": "1"}
    lags = [
        total(recorded, label.LAG_ROWS, le=le, window="40s", **selected)
        for le in ("3600.0", "+Inf")
    ]
    assert lags == [pytest.approx(510 / 2, abs=3), 510]
    for quantile, low, high in (("0.5", 600, 3600.1), ("0.95", 21600, 86400)):
        value = total(recorded, label.LAG_SECONDS, quantile=quantile, window="40s", **selected)
        assert low <= value <= high
    assert total(recorded, label.COVERAGE, age="0 to 1d", **selected) == 0.1
    assert total(recorded, label.COVERAGE, age="over 1d", **selected) == 0.75
    assert total(recorded, label.PENDING, **selected) == 410
    assert 0 < total(recorded, label.SECONDS_SINCE_LABEL, **selected) < 30
    assert total(recorded, label.OLDEST_PENDING_SECONDS, **selected) == pytest.approx(7200, abs=60)


def test_series_have_the_labels_they_are_said_to_have(recorded):
    """No recorded series has a label beyond those of its level and its own; none is NaN."""
    prometheus, moment, _ = recorded
    documented = {one.name: one for one in all_series.ALL}
    found = prometheus.query('{__name__=~"model.*:.*"}', time=moment)
    for sample in found:
        one = documented[sample.labels["__name__"]]
        level = all_series.LEVELS[one.name.partition(":")[0]]
        assert set(sample.labels) - {"__name__"} <= {*level, *one.labels}, one.name
        assert not np.isnan(sample.value), sample.labels
    expected = {one.name for one in (*counts.ALL, *label.ALL, *series.ALL)}
    assert expected <= {sample.labels["__name__"] for sample in found}
