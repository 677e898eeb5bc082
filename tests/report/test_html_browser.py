"""A report in a real Chromium, opened from disk."""

import copy
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import modelmeter as mm
from modelmeter.report.counts import observed as bring
from modelmeter.report.html import html_report
from modelmeter.report.summary import summarise
from real.chromium import chromium
from report import example

LONG = "a_name_" * 40


@pytest.fixture(scope="module")
def browser():
    """Chromium."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def findings(profile, observed):
    """What was found out about the example."""
    return summarise(profile, observed)


@pytest.fixture(scope="module")
def write(tmp_path_factory):
    """Write a report; gives its address."""
    folder = tmp_path_factory.mktemp("reports")

    def to(findings, name="report"):
        file = folder / f"{name}.html"
        file.write_text(html_report(findings), encoding="utf-8")
        return file.as_uri()

    return to


@pytest.fixture(scope="module")
def report(write, findings):
    """The address of the example's report."""
    return write(findings)


def test_a_report_shows_what_changed(browser, report, findings):
    """It opens from disk without an error, asks nobody, and shows the drift that there is."""
    with browser.tab() as tab:
        page = tab.open(report)
        assert findings["verdict"][:40] in page.inner_text(".verdict").replace("\u00a0", " ")
        rows = page.locator(".feature")
        assert rows.count() == len(findings["features"])
        first = rows.nth(0)
        assert first.get_attribute("data-feature") == "temp"
        assert "Drifted" in first.inner_text()
        assert "Drifted, missing" in page.inner_text(".feature[data-feature=pressure]")
        assert "7\u00a0%" in page.inner_text(".feature[data-feature=pressure]")
        assert "As in training" in page.inner_text(".feature[data-feature=weekend]")
        assert tab.drawn(".feature canvas")
        assert tab.hosts == {""}
        assert tab.problems == []


def test_names_full_of_markup_are_texts(browser, report, write, findings):
    """Names that hold elements and quotes are shown as they are, and do nothing."""
    hostile = copy.deepcopy(findings)
    evil = "'\"><img src=x onerror=\"document.title='owned'\"></script>"
    hostile["model"]["name"] = hostile["model"]["version"] = evil
    hostile["model"]["classes"] = [evil, LONG]
    for part in (*hostile["features"], *hostile["predictions"]):
        for bin_ in part["bins"]:
            bin_["label"] = evil
    hostile["features"][0]["name"] = LONG
    with browser.tab(width=360) as tab:
        page = tab.open(report)
        assert page.locator(".feature h3", has_text=example.HOSTILE).count() == 1
        page = tab.open(write(hostile, "hostile"))
        tab.open_all()
        assert page.inner_text("h1").startswith(evil)
        assert page.locator("img, b[onclick]").count() == 0
        assert "owned" not in page.title().partition("onerror")[0]
        assert tab.overflow() <= 0
        assert tab.problems == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_report_is_accessible_in_both_themes(browser, report, scheme):
    """With everything opened, axe-core finds nothing wrong, contrast included."""
    with browser.tab(scheme=scheme) as tab:
        tab.open(report)
        tab.open_all()
        assert tab.violations() == []
        ground = tab.page.evaluate("getComputedStyle(document.body).backgroundColor")
        brightness = sum(map(int, ground[4:-1].split(",")[:3]))
        assert (brightness > 600) == (scheme == "light")
        assert tab.problems == []


@pytest.mark.parametrize("width", [360, 768, 1920])
def test_a_report_fits_its_window(browser, report, width):
    """From phone to wide screen, with everything opened, nothing is wider than the window."""
    with browser.tab(width=width) as tab:
        tab.open(report)
        tab.open_all()
        assert tab.overflow() <= 0


def test_a_feature_opens_by_keyboard(browser, report):
    """Tab reaches a feature, Enter opens it with its bins, Enter closes it."""
    with browser.tab() as tab:
        page = tab.open(report)
        page.locator(".search input").focus()
        on_feature = "document.activeElement.closest('.feature')?.dataset.feature"
        for _ in range(10):
            page.keyboard.press("Tab")
            if page.evaluate(on_feature):
                break
        assert page.evaluate(on_feature) == "temp"
        page.keyboard.press("Enter")
        page.wait_for_selector(".feature[data-feature=temp] .detail canvas")
        assert "PSI beyond noise is 0.566" in page.inner_text(".feature[data-feature=temp] .detail")
        page.keyboard.press("Enter")
        page.wait_for_selector(".feature[data-feature=temp] .detail", state="detached")


def test_features_are_searched_and_filtered(browser, report):
    """The search and the filter leave those features that are meant, and say how many."""
    with browser.tab() as tab:
        page = tab.open(report)
        page.get_by_role("button", name="Changed").click()
        assert page.locator(".feature").count() == 3
        assert page.inner_text("#features [role=status]") == "3 of 5 shown"
        page.fill(".search input", "ORI")
        assert page.locator(".feature").count() == 1
        page.fill(".search input", "nothing like that")
        assert page.is_visible(".nothing")


def test_the_confusion_matrix_can_be_estimated(browser, report, findings):
    """The matrix from labels gives way to the estimated one."""
    with browser.tab() as tab:
        page = tab.open(report)
        said = findings["performance"]["confusion"]
        cells = page.locator(".confusion tbody td")
        shown = f"{said['realised'][1][1]:,.0f}"
        assert cells.nth(3).inner_text().startswith(shown)
        page.get_by_role("group", name="Confusion matrix").get_by_text("Estimated").click()
        assert cells.nth(3).inner_text().startswith(f"{said['estimated'][1][1]:,.0f}")


def test_curves_of_prometheus_are_drawn(browser, write, findings):
    """Where findings have history, drift, rates, performance and traffic are drawn over time."""
    since, until = findings["window"]["since"], findings["window"]["until"]
    points = [[since + i * 3600, 0.1 + i / 100] for i in range(24)]
    names = (
        ("predictions_per_second", None, None),
        ("psi_excess", "temp", None),
        ("missing", "temp", None),
        ("accuracy", None, "realised"),
        ("accuracy", None, "estimated"),
    )
    curves = [{"name": n, "feature": f, "source": s, "points": points} for n, f, s in names]
    history = {"since": since, "until": until, "step": 3600.0, "curves": curves}
    with browser.tab(height=6000) as tab:
        page = tab.open(write({**findings, "history": history}, "history"))
        page.click(".feature[data-feature=temp] summary")
        for label in (
            "Predictions per second over time",
            "PSI beyond noise of temp over time",
            "Share of temp missing over time",
            "Accuracy over time",
        ):
            assert tab.drawn(f'canvas[aria-label="{label}"]')
        assert tab.problems == []


def test_a_report_is_printed_whole(browser, report, findings):
    """On paper every feature has its picture, also those that were never on screen."""
    with browser.tab(height=400) as tab:
        page = tab.open(report)
        drawn = "[...document.querySelectorAll('.feature canvas')].filter(Chart.getChart).length"
        assert page.evaluate(drawn) < len(findings["features"])
        assert page.pdf()[:5] == b"%PDF-"
        tab.until(f"{drawn} === {len(findings['features'])}")


def test_a_report_without_rows_says_so(browser, write, profile):
    """Findings of nothing make a page that says that there is nothing."""
    nothing = summarise(profile, bring(profile, [], kind="file", window="whole file"))
    with browser.tab() as tab:
        page = tab.open(write(nothing, "nothing"))
        assert "No rows yet" in page.inner_text(".verdict")
        assert page.locator(".feature .state.few_rows").count() == len(nothing["features"])
        assert tab.problems == []


class Guess:
    """A model of three classes."""

    classes_ = np.array(["a", "b", "<i>c</i>"])

    def predict(self, X):
        return self.classes_[np.digitize(np.asarray(X)[:, 0], [-0.5, 0.5])]

    def predict_proba(self, X):
        return np.where(self.predict(X)[:, None] == self.classes_, 0.8, 0.1)


@pytest.mark.parametrize("task", ["multiclass", "regression", "other"])
def test_every_task_is_drawn(browser, write, task):
    """Models of many classes, of numbers, and data without a model have a page that fits them."""
    random = np.random.default_rng(11)
    X = pd.DataFrame(random.normal(0, 1, (2_000, 3)), columns=["one", "two", "three"])
    model = {"multiclass": Guess(), "regression": lambda X: 3 * X["one"] + 1, "other": None}[task]
    said = None if model is None else getattr(model, "predict", model)(X)
    profile = mm.Profile.build(
        model,
        X,
        said,
        name=task,
        version="1",
        X_holdout=None if said is None else X,
        y_holdout=said,
    )
    assert profile.model.task == task
    columns = {} if said is None else {"y_pred": said, "truth": said}
    found = mm.compare(profile, X.assign(**columns), target="truth" if columns else None)
    with browser.tab(width=360) as tab:
        page = tab.open(write(found.findings, task))
        tab.open_all()
        assert page.locator(".feature").count() == 3
        assert page.locator(".confusion tbody tr").count() == (3 if task == "multiclass" else 0)
        assert page.locator("#performance").count() == (task != "other")
        errors = page.get_by_text("Errors by predicted value", exact=True)
        assert errors.first.is_visible() == (task == "regression")
        assert tab.overflow() <= 0
        assert tab.violations() == []
        assert tab.problems == []


def test_the_golden_findings_are_drawn(browser, write, profile):
    """Findings as they were written by the schema's own version can be drawn."""
    golden = json.loads((Path(__file__).parent / "golden" / "findings.json").read_text())
    with browser.tab() as tab:
        page = tab.open(write(golden, "golden"))
        tab.open_all()
        assert page.locator(".feature").count() == len(golden["features"])
        assert tab.problems == []
