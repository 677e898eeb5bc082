"""What a person looks at: findings about a model, and what draws them."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelmeter.profile.profile import Profile
    from modelmeter.report.summarised import Summary
    from modelmeter.stats.budget import AlarmBudget

__all__ = ["check", "compare"]


def compare(
    profile: Profile,
    data: Any,
    *,
    prediction: str | None = None,
    score: str | None = None,
    target: str | None = None,
    model: Any = None,
    budget: AlarmBudget | None = None,
) -> Summary:
    """Compare rows with training.

    Parameters
    ----------
    profile
        What training looked like.
    data
        A path to a ``.parquet`` or ``.csv`` file, a data frame, or an array; of any size that
        `Profile.build` takes.
    prediction, score
        Columns with the model's answers; ``y_pred`` and ``y_score`` by default, where there
        are such columns.
    target
        Column with true values; None for none.
    model
        Is asked for its answers, instead.
    budget
        What somebody is willing to be woken for.

    Returns
    -------
    Summary
        Shows itself in a notebook.

    Raises
    ------
    DataError
        The data cannot be read or have none of the features, or a column is not there.
    ModelError
        The model failed.

    Examples
    --------
    >>> import numpy as np
    >>> from modelmeter import Profile
    >>> X = np.arange(2000.0).reshape(-1, 1)
    >>> profile = Profile.build(None, X, name="numbers", version="1")
    >>> compare(profile, X + 1000).verdict[:26]
    '1 of 1 feature drifted; 50'
    """
    from modelmeter.report.data import Columns, observe_data
    from modelmeter.report.judging import judge_batch
    from modelmeter.report.summarised import Summary
    from modelmeter.report.summary import summarise

    columns = Columns(prediction=prediction, score=score, target=target)
    found = observe_data(profile, data, columns=columns, model=model)
    return Summary(summarise(profile, found, judging=judge_batch(budget)))


def check(
    profile: Profile,
    data: Any,
    *,
    fail_on: Collection[str] | None = None,
    prediction: str | None = None,
    score: str | None = None,
    target: str | None = None,
    model: Any = None,
    budget: AlarmBudget | None = None,
) -> Summary:
    """Assert that rows are as in training, for a test or a pipeline.

    Parameters
    ----------
    profile, data, prediction, score, target, model, budget
        As in `compare`.
    fail_on
        Checks that count: ``drift``, ``missing``, ``schema``, ``performance``, ... All of them
        by default.

    Returns
    -------
    Summary
        When all is well.

    Raises
    ------
    AssertionError
        Something is wrong, or the rows are too few to tell; the message says what.
    DataError, ModelError
        As `compare`.
    ConfigurationError
        `fail_on` names no check.

    Examples
    --------
    >>> import numpy as np
    >>> from modelmeter import Profile
    >>> X = np.arange(2000.0).reshape(-1, 1)
    >>> profile = Profile.build(None, X, name="numbers", version="1")
    >>> check(profile, X).verdict
    'The feature did not drift'
    >>> check(profile, X[:3])
    Traceback (most recent call last):
    ...
    AssertionError: cannot tell drift of numbers/1 from 3 rows
    """
    from modelmeter.report.check import PASSED, check_findings

    found = compare(
        profile,
        data,
        prediction=prediction,
        score=score,
        target=target,
        model=model,
        budget=budget,
    )
    checked = check_findings(found.findings, fail_on)
    if checked.exit_code != PASSED:
        raise AssertionError(checked.text)
    return found
