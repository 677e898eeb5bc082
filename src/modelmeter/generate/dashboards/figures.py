"""Performance: realised from labels, estimated before them, and the baseline of training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from modelmeter.generate import count_series, performance_series
from modelmeter.generate.dashboards import look
from modelmeter.generate.dashboards.queries import (
    ESTIMATED,
    REALISED,
    WINDOW,
    Scope,
    chosen,
    exactly,
    largest,
    overlay,
    spoken,
)
from modelmeter.generate.dashboards.spec import Column, Panel, Query, Row
from modelmeter.generate.promql import sum_by
from modelmeter.generate.recorded import Series
from modelmeter.profile.facts import Y_SCORE
from modelmeter.profile.profile import Profile
from modelmeter.stats.labels import category_labels

_SEGMENT: Final = chosen("segment")
_FIGURE: Final = ("version", "metric", "class")


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure that has a panel of its own.

    Parameters
    ----------
    metric, of_class
        As in the recorded series; `of_class` empty for a figure of all rows.
    title, meaning
        For someone who knows no statistics.
    quantity
        How it looks.
    estimated
        Whether there is an estimate before labels.
    """

    metric: str
    title: str
    meaning: str
    of_class: str = ""
    quantity: look.Quantity = look.SCORE
    estimated: bool = True


_ACCURACY: Final = Figure(
    metric="accuracy", title="Accuracy", meaning="Of 100 answers, how many were right."
)
_AUC: Final = Figure(
    metric="roc_auc",
    title="Ranking (ROC AUC)",
    meaning="How well scores order the cases: of two cases, one of either kind, how often the "
    "right one had the higher score. 50 % is guessing, 100 % is perfect.",
)
_MACRO: Final = Figure(
    metric="macro_f1",
    title="F1, mean of classes",
    meaning="Precision and recall in one number, every class counting alike; 100 % is perfect.",
)
_MCC: Final = Figure(
    metric="mcc",
    title="Correlation (MCC)",
    meaning="How well answers and truth go together: 1 is perfect, 0 is guessing. Fair to rare "
    "classes.",
    quantity=look.FIGURE,
)
_REGRESSION: Final = (
    Figure(
        metric="mae",
        title="Mean absolute error",
        meaning="By how much predictions are off on average, in the unit of the target.",
        quantity=look.ERROR_SIZE,
    ),
    Figure(
        metric="rmse",
        title="Root mean squared error",
        meaning="By how much predictions are off, large misses counting more, in the unit of the "
        "target.",
        quantity=look.ERROR_SIZE,
    ),
    Figure(
        metric="bias",
        title="Bias",
        meaning="Whether predictions are too high (above 0) or too low (below 0) on average.",
        quantity=look.FIGURE,
    ),
    Figure(
        metric="r2",
        title="Explained (R²)",
        meaning="How much of the differences between cases the model explains: 1 is all, 0 is "
        "none. There is no estimate of it before labels come.",
        quantity=look.FIGURE,
        estimated=False,
    ),
)


def performance_row(scope: Scope, profile: Profile) -> Row | None:
    """Return the row; None for a model that has no performance."""
    task = profile.model.task
    if task == "other":
        return None
    figures = [_figure(scope, i, figure) for i, figure in enumerate(_figures(profile))]
    if task == "regression":
        shapes: tuple[Panel, ...] = (_error_bins(scope),)
    else:
        shapes = (
            _confusion(scope, REALISED, "confusion", "Right and wrong, from labels"),
            _confusion(scope, ESTIMATED, "confusion-estimated", "Right and wrong, estimated"),
        )
    if task == "binary" and _has_scores(profile):
        shapes += (_reliability(scope),)
    return Row(
        key="row:performance",
        title="Performance: how good is the model?",
        panels=(*figures, *shapes, _table(scope), _evidence(scope)),
    )


def _has_scores(profile: Profile) -> bool:
    return any(output.name == Y_SCORE for output in profile.predictions)


def _figures(profile: Profile) -> tuple[Figure, ...]:
    """Choose what has a panel of its own, by what the model does."""
    facts = profile.model
    if facts.task == "regression":
        return _REGRESSION
    if facts.task == "multiclass":
        return (_ACCURACY, _MACRO, _MCC)
    positive = category_labels(facts.classes)[1]
    of_class = (
        Figure(
            metric="precision",
            of_class=positive,
            title=f"Precision of '{positive}'",
            meaning=f"Of 100 times the model said '{positive}', how often it was so.",
        ),
        Figure(
            metric="recall",
            of_class=positive,
            title=f"Recall of '{positive}'",
            meaning=f"Of 100 cases that were '{positive}', how many the model found.",
        ),
    )
    return (_AUC if _has_scores(profile) else _MCC, *of_class, _ACCURACY)


def _figure(scope: Scope, place: int, figure: Figure) -> Panel:
    of_class = exactly("class", figure.of_class) if figure.of_class else 'class=""'
    which = (f'metric="{figure.metric}"', of_class, _SEGMENT)
    value = scope.of(performance_series.VALUE, WINDOW, REALISED, *which)
    spread = f"2 * {scope.of(performance_series.ERROR, WINDOW, REALISED, *which)}"
    estimate = scope.of(performance_series.VALUE, WINDOW, ESTIMATED, *which)
    baseline = scope.of(performance_series.REFERENCE, *which)
    queries = [
        Query(expr=value, legend="realised, version {{version}}"),
        Query(expr=f"{value} + {spread}", legend="upper, version {{version}}"),
        Query(expr=f"{value} - {spread}", legend="lower, version {{version}}"),
        Query(expr=baseline, legend="baseline, version {{version}}"),
    ]
    if figure.estimated:
        queries.append(Query(expr=estimate, legend="estimated, version {{version}}"))
    return Panel(
        key=f"figure-{place}",
        title=spoken(figure.title),
        description=spoken(figure.meaning)
        + " Blue: measured from the labels that arrived in the window; "
        "the dashed lines around it are how far it may be off by chance (two standard errors). "
        "Orange: expected of the predictions made in the window, before their labels. Grey: what "
        "the model reached in training on rows it had not seen. Blue below orange means that the "
        "world has changed in a way that the inputs do not show."
        + _turned(figure)
        + " Without labels there is no blue line.",
        queries=tuple(queries),
        quantity=figure.quantity,
        width=12 if place > 3 else 6,
    )


def _turned(figure: Figure) -> str:
    """Say where small is good."""
    return " (For errors: above.)" if figure.quantity is look.ERROR_SIZE else ""


def _confusion(scope: Scope, source: str, key: str, title: str) -> Panel:
    rows = scope.of(count_series.CONFUSION_ROWS, WINDOW, source, _SEGMENT)
    what = (
        "counted from the labels that arrived in the window"
        if source == REALISED
        else "expected of the predictions made in the window, before their labels"
    )
    return Panel(
        key=key,
        title=title,
        description="Rows by what was true (down) and what the model said (across), "
        f"{what}, of the chosen versions together. The diagonal is right, everything else is a "
        "confusion of one class with another.",
        queries=(Query(expr=sum_by("y_true, y_pred", rows)),),
        quantity=look.ROWS,
        kind="matrix",
        matrix=("y_true", "y_pred"),
    )


def _reliability(scope: Scope) -> Panel:
    came_true = scope.of(count_series.POSITIVE_RATIO, WINDOW, REALISED, _SEGMENT)
    promised = scope.of(count_series.BIN_SCORE)
    return Panel(
        key="reliability",
        title="Can scores be taken at their word?",
        description="Reliability curve. Each group of bars is a range of scores: grey is the "
        "probability that the model promised, blue is how often it came true, from labels. Alike "
        "is good; blue lower than grey is a model that is too sure. (Grey is absent where scores "
        "are not meant as probabilities.)",
        queries=(Query(expr=overlay(came_true, promised, training_name="promised")),),
        quantity=look.RATIO,
        kind="bars",
        series=("live", "promised"),
    )


def _error_bins(scope: Scope) -> Panel:
    live, expected = (
        scope.of(count_series.ERROR_BIN_MAE, WINDOW, source, _SEGMENT, 'ord!=""')
        for source in (REALISED, ESTIMATED)
    )
    return Panel(
        key="error-bins",
        title="Error by prediction",
        description="By how much predictions are off on average, by range of the prediction: "
        "where the model is far off. Blue from the labels that arrived in the window, grey what "
        "was normal in training.",
        queries=(Query(expr=overlay(live, expected, training_name="normal")),),
        quantity=look.ERROR_SIZE,
        kind="bars",
        series=("live", "normal"),
        width=24,
    )


def _table(scope: Scope) -> Panel:
    def figure(recorded: Series, *matchers: str) -> Query:
        return Query(expr=largest(scope.of(recorded, _SEGMENT, *matchers), *_FIGURE))

    return Panel(
        key="figures",
        title="All figures",
        description="Every figure side by side: from labels, how far that may be off by chance "
        "(standard error), expected before labels, and the baseline of training. 'Change' is how "
        "far the figure from labels moved from the baseline, in standard errors of both: within 3 "
        "it may be chance.",
        queries=(
            figure(performance_series.VALUE, WINDOW, REALISED),
            figure(performance_series.ERROR, WINDOW, REALISED),
            figure(performance_series.VALUE, WINDOW, ESTIMATED),
            figure(performance_series.REFERENCE),
            figure(performance_series.Z, WINDOW, REALISED),
        ),
        quantity=look.FIGURE,
        kind="table",
        width=16,
        columns=(
            Column(field="metric", title="Figure"),
            Column(field="class", title="Class"),
            Column(field="version", title="Version"),
            Column(field="Value #A", title="Realised", quantity=look.FIGURE),
            Column(field="Value #B", title="Standard error", quantity=look.FIGURE),
            Column(field="Value #C", title="Estimated", quantity=look.FIGURE),
            Column(field="Value #D", title="Baseline", quantity=look.FIGURE),
            Column(field="Value #E", title="Change", quantity=look.STANDARD_ERRORS),
        ),
    )


def _evidence(scope: Scope) -> Panel:
    return Panel(
        key="evidence",
        title="How much evidence",
        description="How many rows the figures stand on: labels that arrived in the window "
        "(realised), predictions made in it (estimated). Where it is small, read 'too little "
        "data', not 'fine'.",
        queries=(
            Query(
                expr=scope.of(performance_series.PERFORMANCE_ROWS, WINDOW, _SEGMENT),
                legend="{{source}}, version {{version}}",
            ),
        ),
        quantity=look.ROWS,
    )
