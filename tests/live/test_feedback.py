"""From predictions and labels to figures: what the store's totals say is what scikit-learn says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics as sk
from sklearn.preprocessing import StandardScaler

import modelmeter as mm
from live.answering import CITIES, KINDS, built, counted, output, rows, truth, values
from modelmeter import names
from modelmeter._errors import ConfigurationError, StoreUnavailableError
from modelmeter.live.counts import merged
from modelmeter.live.label_families import joined
from modelmeter.stats.labels import category_labels
from modelmeter.stats.performance import (
    ERROR_SUMS,
    TARGET_SUMS,
    binary_performance,
    multiclass_performance,
    positive_bins,
    regression_performance,
)

N = 600
LABELLED = (names.LABEL_BIN, names.CONFUSION, names.ERROR_SUM, names.TARGET_SUM)
EVERY = (*LABELLED, names.LABEL_LAG, names.LABELS)
SEGMENTS = ("", *(f"city={city}" for city in (*CITIES, "unseen", "missing")))


class Served:
    """Rows that a watched model has answered and that have been labelled."""

    def __init__(self, kind, url, number=N):
        self.model, self.profile = built(kind)
        self.X = rows(number, seed=11, cities=(*CITIES, *CITIES, "Rom", None))
        self.y_true = truth(kind, self.X, seed=12)
        self.monitor = mm.Monitor(self.profile, store=url)
        self.feedback = self.monitor.feedback_store
        self.before = self.feedback.families()
        watched, method = self.monitor.watch(self.model), self.profile.model.score_method
        self.ids, parts, scores = [], [], []
        sizes = [50] * (number // 50 - 1) + [1] * 50
        for start, size in zip(np.cumsum([0, *sizes]), sizes, strict=False):
            X = self.X[start : start + size]
            parts.append(watched(X) if kind == "callable" else watched.predict(X))
            self.ids += self.monitor.prediction_ids()
            if method is not None:
                scores.append(getattr(watched, method)(X))
        self.y_pred = np.concatenate(parts)
        self.y_score = np.concatenate(scores) if scores else None
        self.feedback.store.flush()
        self.unlabelled = self.feedback.families()
        items = [
            {"prediction_id": id_, "y_true": true}
            for id_, true in zip(self.ids, self.y_true, strict=True)
        ]
        # As they come: not in the order of the predictions.
        shuffled = [items[i] for i in np.random.default_rng(5).permutation(number)]
        self.outcomes = self.feedback.label(shuffled)
        self.families = self.feedback.families()

    def within(self, segment):
        """Tell which rows are of a segment."""
        if not segment:
            return np.ones(len(self.X), dtype=bool)
        named = self.X["city"].fillna("missing").replace("Rom", "unseen")
        return ("city=" + named == segment).to_numpy()

    def confusion(self, segment):
        """Read rows by true and predicted class."""
        found = values(self.families, names.CONFUSION, store=True)
        classes = category_labels(self.profile.model.classes)
        return np.array([[found[segment, true, said] for said in classes] for true in classes])

    def label_bins(self, segment):
        """Read rows by score bin and outcome."""
        found = values(self.families, names.LABEL_BIN, store=True)
        classes = category_labels(self.profile.model.classes)
        places = [place for place in output(self.profile, "y_score").bins.bins if place.ord]
        return np.array(
            [[found[segment, p.ord, p.label, true] for true in classes] for p in places]
        )

    def error_sums(self, segment):
        """Read the sums over errors, of all bins together."""
        found = values(self.families, names.ERROR_SUM, store=True)
        sums = dict.fromkeys(ERROR_SUMS, 0.0)
        for (of_segment, _, _, statistic), value in found.items():
            if of_segment == segment:
                sums[statistic] += value
        return list(sums.values())

    def target_sums(self, segment):
        """Read the sums over true values."""
        found = values(self.families, names.TARGET_SUM, store=True)
        return [found[segment, statistic] for statistic in TARGET_SUMS]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Serve and label each kind of model once."""
    made = {}

    def serve(kind):
        if kind not in made:
            made[kind] = Served(kind, tmp_path_factory.mktemp("store") / f"{kind}.db")
        return made[kind]

    yield serve
    for one in made.values():
        one.monitor.close()


@pytest.mark.parametrize("kind", KINDS)
def test_every_label_is_counted(kind, served):
    """Each label of each row is counted, nothing fails and nothing is dropped."""
    one = served(kind)
    assert {str(outcome.kind) for outcome in one.outcomes} == {"counted"}
    assert values(one.families, names.LABELS, store=True)["counted",] == N
    for metric in (names.FAILURES, names.DROPPED):
        [found] = [f for f in merged([one.monitor.counts]) if f.metric is metric]
        assert not found.values.any()
    assert values(one.unlabelled, names.PENDING, store=True) == {(): N}
    assert values(one.families, names.PENDING, store=True) == {(): 0}


@pytest.mark.parametrize("kind", KINDS)
def test_every_series_is_there_before_any_label(kind, served):
    """All that labels add to is exported at zero from the start, and nothing is added later."""
    one = served(kind)
    for metric in EVERY:
        start, end = (values(found, metric, store=True) for found in (one.before, one.families))
        assert start.keys() == end.keys()
        assert not any(np.any(value) for value in start.values())
    of_task = [bool(values(one.before, metric)) for metric in LABELLED]
    by_class, by_score = kind != "number", kind in ("probability", "margin")
    assert of_task == [by_score, by_class, not by_class, not by_class]
    classes, segments = len(one.profile.model.classes), 1 + len(CITIES) + 4
    assert len(values(one.before, names.CONFUSION)) == segments * classes**2
    assert len(values(one.before, names.TARGET_SUM)) == (0 if by_class else segments * 9)
    assert len(values(one.before, names.LABELS)) == 6


@pytest.mark.parametrize("segment", SEGMENTS)
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "number"])
def test_the_confusion_equals_scikit_learns(kind, segment, served):
    """What follows from the confusion matrix is exact, as a whole and by segment."""
    one = served(kind)
    mine = one.within(segment)
    y_true, y_pred = one.y_true[mine], one.y_pred[mine]
    classes = list(one.profile.model.classes)
    table = one.confusion(segment)
    assert table.tolist() == sk.confusion_matrix(y_true, y_pred, labels=classes).tolist()
    assert table.sum() == mine.sum() > 30
    found = multiclass_performance(table)
    assert found.accuracy.value == pytest.approx(sk.accuracy_score(y_true, y_pred), abs=1e-12)
    assert found.mcc.value == pytest.approx(sk.matthews_corrcoef(y_true, y_pred), abs=1e-12)
    by_class = sk.precision_recall_fscore_support(y_true, y_pred, labels=classes)[:3]
    for name, expected in zip(("precision", "recall", "f1"), by_class, strict=True):
        assert found.by_class[name].value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("segment", SEGMENTS)
@pytest.mark.parametrize("kind", ["probability", "margin"])
def test_figures_from_score_bins_equal_scikit_learns(kind, segment, served):
    """The threshold's figures are exact; those of the scores are within what bins cost."""
    one = served(kind)
    mine = one.within(segment)
    negative, positive = one.profile.model.classes
    y_true, y_pred, y_score = one.y_true[mine], one.y_pred[mine], one.y_score[mine]
    y_score = y_score[:, 1] if y_score.ndim == 2 else y_score
    is_true = y_true == positive
    bins = output(one.profile, "y_score").bins
    counts = one.label_bins(segment)
    points = np.array(one.profile.calibration.scores) if kind == "probability" else None
    sides = positive_bins(bins.edges, one.profile.model.threshold)
    found = binary_performance(counts, positive=sides, scores=points)
    confusion = sk.confusion_matrix(y_true, y_pred, labels=[negative, positive])
    assert found.confusion.tolist() == confusion.tolist() == one.confusion(segment).tolist()
    exact = {
        "prevalence": is_true.mean(),
        "accuracy": sk.accuracy_score(y_true, y_pred),
        "precision": sk.precision_score(y_true, y_pred, pos_label=positive),
        "recall": sk.recall_score(y_true, y_pred, pos_label=positive),
        "specificity": sk.recall_score(y_true, y_pred, pos_label=negative),
        "f1": sk.f1_score(y_true, y_pred, pos_label=positive),
        "mcc": sk.matthews_corrcoef(y_true, y_pred),
    }
    for name, expected in exact.items():
        assert found.metrics[name].value == pytest.approx(expected, abs=1e-12)
    ties = (counts[:, 0] * counts[:, 1]).sum() / counts.sum(axis=0).prod()
    assert ties < 0.1
    assert found.roc_auc.value == pytest.approx(sk.roc_auc_score(is_true, y_score), abs=ties / 2)
    if points is None:
        assert np.isnan(found.brier.value)
        return
    point = points[np.digitize(y_score, bins.edges)]
    width = 2 * np.abs(y_score - point).mean()
    assert width < 0.04
    assert found.brier.value == pytest.approx(sk.brier_score_loss(is_true, y_score), abs=width)
    moved = np.where(is_true, y_score / point, (1 - y_score) / (1 - point))
    surprise = np.abs(np.log(moved))
    assert surprise.mean() < 0.1
    expected = sk.log_loss(is_true, y_score)
    assert found.log_loss.value == pytest.approx(expected, abs=surprise.mean())
    # With every score moved to its bin's, nothing is left of the difference.
    assert found.brier.value == pytest.approx(sk.brier_score_loss(is_true, point), abs=1e-12)
    assert found.log_loss.value == pytest.approx(sk.log_loss(is_true, point), abs=1e-9)
    assert found.roc_auc.value == pytest.approx(sk.roc_auc_score(is_true, point), abs=1e-12)


@pytest.mark.parametrize("segment", SEGMENTS)
def test_errors_equal_scikit_learns(segment, served):
    """The figures of a regression are exact up to rounding, as a whole and by segment."""
    one = served("number")
    mine = one.within(segment)
    y_true, y_pred = one.y_true[mine], one.y_pred[mine]
    found = regression_performance(one.error_sums(segment), one.target_sums(segment))
    assert found.rows == mine.sum() > 30
    expected = {
        "mae": sk.mean_absolute_error(y_true, y_pred),
        "rmse": sk.root_mean_squared_error(y_true, y_pred),
        "bias": (y_pred - y_true).mean(),
        "r2": sk.r2_score(y_true, y_pred),
    }
    for name, value in expected.items():
        assert found.metrics[name].value == pytest.approx(value, rel=1e-9)


def test_errors_are_kept_by_prediction_bin(served):
    """As a whole, the sums of errors are of each bin of the predictions for itself."""
    one = served("number")
    bins = output(one.profile, "y_pred").bins
    places = np.digitize(one.y_pred, bins.edges)
    found = values(one.families, names.ERROR_SUM, store=True)
    for i, place in enumerate(place for place in bins.bins if place.ord):
        error = (one.y_pred - one.y_true)[places == i]
        sums = len(error), error.clip(0).sum(), (-error).clip(0).sum(), (error**2).sum()
        for statistic, expected in zip(ERROR_SUMS, sums, strict=False):
            assert found["", place.ord, place.label, statistic] == pytest.approx(expected)
    assert len({key[1] for key in found if key[0] == ""}) == len(bins.edges) + 1
    assert {key[1:3] for key in found if key[0]} == {("", "")}


def test_the_profiles_own_rows_give_its_baseline(tmp_path):
    """Served the rows that the baseline was measured on, labels give just its figures."""
    model, profile = built("probability")
    held = rows(1500, seed=3)
    monitor = mm.Monitor(profile, store=tmp_path / "labels.db")
    monitor.watch(model).predict_proba(held)
    labelled = monitor.feedback(truth("probability", held, seed=4), monitor.prediction_ids())
    assert {str(outcome.kind) for outcome in labelled} == {"counted"}
    found = values(monitor.feedback_store.families(), names.LABEL_BIN, store=True)
    for (segment, ord_, _, true), n in found.items():
        if not segment:
            place = profile.model.classes.index(true)
            assert n == profile.calibration.counts[0][int(ord_)][place]
    assert sum(n for key, n in found.items() if not key[0]) == 1500
    monitor.close()


def label(monitor, ids, y_true):
    outcomes = monitor.feedback_store.label(
        [{"prediction_id": id_, "y_true": true} for id_, true in zip(ids, y_true, strict=True)]
    )
    return [str(outcome.kind) for outcome in outcomes]


def test_versions_share_a_store(url):
    """Labels of one version's predictions may come to another's process, and count as its own."""
    monitors = [mm.Monitor(built("three", version=v)[1], store=url) for v in ("1", "2")]
    X = rows(30, seed=20)
    ids = []
    for monitor in monitors:
        monitor.watch(built("three")[0]).predict_proba(X)
        ids.append(monitor.prediction_ids())
    assert monitors[0].feedback_store.store.flush()
    y_true = truth("three", X)
    assert label(monitors[1], ids[0], y_true) == ["counted"] * 30
    assert label(monitors[0], ids[0], y_true) == ["duplicate"] * 30
    found = monitors[0].feedback_store.families()
    assert [(f.metric, f.rows) for f in found] == [
        (f.metric, f.rows) for f in monitors[1].feedback_store.families()
    ]
    [confusion] = [f for f in found if f.metric is names.CONFUSION]
    totals = {"1": 0, "2": 0}
    for row, value in zip(confusion.rows, confusion.values, strict=True):
        totals[row[1]] += value * (row[3] == "")
    assert totals == {"1": 30, "2": 0}
    for monitor in monitors:
        assert monitor.close()


def test_two_versions_answer_under_one_id(url):
    """A champion's and a challenger's prediction of one id are both counted by one label."""
    monitors = [mm.Monitor(built("bare", version=v)[1], store=url) for v in ("1", "2")]
    X = rows(5, seed=21)
    ids = [f"order-{i}" for i in range(5)]
    for monitor, y_pred in zip(monitors, (["yes"] * 5, ["no"] * 5), strict=True):
        monitor.observe(X, y_pred, prediction_id=ids)
        assert monitor.feedback_store.store.flush()
    assert label(monitors[0], ids, ["yes"] * 5) == ["counted"] * 5
    [found] = [f for f in monitors[1].feedback_store.families() if f.metric is names.CONFUSION]
    hits = {
        row[1:2] + row[4:]: n for row, n in zip(found.rows, found.values, strict=True) if not row[3]
    }
    assert hits["1", "yes", "yes"] == hits["2", "yes", "no"] == sum(hits.values()) / 2 == 5
    for monitor in monitors:
        monitor.close()


def test_models_in_one_store_do_not_mix(url):
    """Two models of one application keep their predictions, labels and totals apart."""
    bare, number = (mm.Monitor(built(kind)[1], store=url) for kind in ("bare", "number"))
    X = rows(4, seed=22)
    bare.observe(X, ["yes"] * 4, prediction_id="a")
    number.observe(X, [1.0, 2.0, 3.0, 4.0], prediction_id="a")
    ids = [f"a-{i}" for i in range(4)]
    assert bare.feedback_store.store.flush()
    assert number.feedback_store.store.flush()
    assert label(bare, ids, ["yes"] * 4) == ["counted"] * 4
    assert label(number, ids[:2], [1.5, 2.5]) == ["counted"] * 2
    of_bare, of_number = (m.feedback_store.families() for m in (bare, number))
    for families, name in ((of_bare, "bare"), (of_number, "number")):
        models = {
            row[0] for f in families if f.metric is not names.LABELS_WAITING for row in f.rows
        }
        assert models == {name}
    assert not values(of_bare, names.ERROR_SUM)
    assert not values(of_number, names.CONFUSION)
    assert values(of_bare, names.PENDING, store=True) == {(): 0}
    assert values(of_number, names.PENDING, store=True) == {(): 2}
    together = joined([*of_bare, *of_number])
    assert len({f.metric.name for f in together}) == len(together)
    [pending] = [f for f in together if f.metric is names.PENDING]
    assert [row[0] for row in pending.rows] == ["bare", "number"]
    assert pending.values.tolist() == [0, 2]
    [waiting] = [f for f in together if f.metric is names.LABELS_WAITING]
    assert len(waiting.rows) == 1
    for monitor in (bare, number):
        monitor.close()


def test_a_stranger_among_the_classes_is_kept_and_adds_to_no_series(tmp_path):
    """A prediction of no known class, or no number, has its label counted, and no figure of it."""
    for kind, strange, true in (("three", "lost", "low"), ("number", "much", 3.0)):
        monitor = mm.Monitor(built(kind)[1], store=tmp_path / f"{kind}.db")
        start = [f.rows for f in monitor.feedback_store.families() if f.metric in LABELLED]
        monitor.observe(rows(3), [strange, None, np.nan], prediction_id="a")
        assert label(monitor, ["a-0", "a-1", "a-2"], [true] * 3) == ["counted"] * 3
        found = monitor.feedback_store.families()
        assert [f.rows for f in found if f.metric in LABELLED] == start
        assert not any(f.values.any() for f in found if f.metric in LABELLED)
        assert not any(counted(monitor, names.FAILURES).values())
        monitor.close()


@pytest.mark.parametrize("number", [1e76, -1e300, 1.7e308])
def test_numbers_whose_powers_overflow_do_no_harm(number, tmp_path):
    """A true value of such size is refused, a prediction left out: no sum becomes infinite."""
    monitor = mm.Monitor(built("number")[1], store=tmp_path / "labels.db")
    monitor.observe(rows(3), [number, 100.0, np.inf], prediction_id="a")
    ids = ["a-0", "a-1", "a-2"]
    assert label(monitor, ids, [100.0, number, 100.0]) == ["counted", "invalid", "counted"]
    assert label(monitor, ids[1:2], [1e75]) == ["counted"]
    found = monitor.feedback_store.families()
    for metric in (names.ERROR_SUM, names.TARGET_SUM):
        assert np.isfinite(list(values(found, metric).values())).all()
    assert sum(
        n for key, n in values(found, names.ERROR_SUM, store=True).items()
        if key[0] == "" and key[-1] == "rows"
    ) == 1  # fmt: skip
    monitor.close()


def test_the_store_is_opened_once(tmp_path):
    """Asked again, a monitor gives the same taker of labels."""
    monitor = mm.Monitor(built("bare")[1], store=None)
    assert monitor.feedback_store is None
    first = monitor.keep_for_labels(tmp_path / "a.db")
    assert monitor.keep_for_labels(tmp_path / "b.db") is first is monitor.feedback_store
    assert not (tmp_path / "b.db").exists()
    monitor.close()


def test_what_does_not_predict_takes_no_labels(tmp_path):
    """A transformer, or a model of free text, is refused with the reason, and no file is made."""
    X = rows(600)
    scaler = StandardScaler().fit(X[["a", "b"]])
    profiles = [
        mm.Profile.build(scaler, X[["a", "b"]], name="scaler", version="1"),
        mm.Profile.build(lambda X: [f"text {a}" for a in X["a"]], X, name="text", version="1"),
    ]
    assert [profile.model.task for profile in profiles] == ["other", "multiclass"]
    for profile in profiles:
        with pytest.raises(ConfigurationError, match=f"{profile.name}/1 predicts neither"):
            mm.Monitor(profile, store=None).keep_for_labels(tmp_path / "labels.db")
    assert list(tmp_path.iterdir()) == []


class Unreachable:
    """A store whose database does not answer."""

    def snapshot(self):
        raise StoreUnavailableError("no answer")

    def close(self, timeout):
        return True


def test_a_store_that_cannot_be_read_exports_nothing(tmp_path):
    """While the database does not answer there are no totals, and the failure is counted."""
    monitor = mm.Monitor(built("bare")[1], store=tmp_path / "labels.db")
    assert monitor.feedback_store.families()
    monitor.feedback_store.store.close()
    monitor.feedback_store.store = Unreachable()
    assert monitor.feedback_store.families() == []
    [failures] = [f for f in merged([monitor.counts]) if f.metric is names.FAILURES]
    assert dict(zip(failures.rows, failures.values, strict=True))["labels",] == 1


def test_every_reason_for_a_loss_is_counted(tmp_path):
    """Predictions that find no room, come too late, twice, or with a bad id are counted by why."""
    monitor = mm.Monitor(built("bare")[1], store=tmp_path / "labels.db")
    store = monitor.feedback_store.store
    store._writer._capacity = 10
    monitor.observe(rows(15), ["yes"] * 15, prediction_id=[*"aab", None, *map(str, range(11))])
    store.flush()
    store.close()
    monitor.observe(rows(2), ["yes"] * 2)
    [found] = [f for f in merged([monitor.counts]) if f.metric is names.DROPPED]
    dropped = dict(zip(found.rows, found.values, strict=True))
    reasons = {reason: n for (_, reason), n in dropped.items()}
    assert reasons == {"full": 5, "closed": 2, "invalid": 1, "repeated": 1, "refused": 0}


def test_a_profile_without_segments_has_none(tmp_path):
    """Without segments, labels are counted as a whole only."""
    profile = replace(built("bare")[1], segments=())
    monitor = mm.Monitor(profile, store=tmp_path / "labels.db")
    monitor.observe(rows(3), ["yes"] * 3, prediction_id="a")
    assert label(monitor, ["a-0", "a-1"], ["yes", "no"]) == ["counted"] * 2
    found = values(monitor.feedback_store.families(), names.CONFUSION, store=True)
    assert {key[0] for key in found} == {""}
    assert sum(found.values()) == 2
    monitor.close()
