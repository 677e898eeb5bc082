"""Where `report`, `check` and `top` read from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from modelmeter._errors import ConfigurationError
from modelmeter.cli.shared import errors
from modelmeter.profile.profile import Profile
from modelmeter.stats.budget import AlarmBudget

if TYPE_CHECKING:
    from modelmeter.report.data import Columns
    from modelmeter.report.schema import Findings


def columns_of(prediction: str | None, score: str | None, target: str | None) -> Columns:
    """Return which columns hold what is no feature."""
    from modelmeter.report.data import Columns

    return Columns(prediction=prediction, score=score, target=target)


def profile_of(path: Path | None, reference: Path | None = None) -> Profile:
    """Read a profile, or make one of reference rows.

    Raises
    ------
    ConfigurationError
        Neither is given, or both are.
    """
    if path is not None and reference is not None:
        raise ConfigurationError("give either --profile or --reference")
    if path is not None:
        return Profile.load(path)
    if reference is None:
        raise ConfigurationError("give the model's --profile")
    return Profile.build(None, reference, name=reference.name, version="reference")


def of_data(
    profile: Profile,
    data: Path,
    columns: Columns,
    model: str | None,
    trusted: Sequence[str],
    budget: AlarmBudget,
) -> Findings:
    """Count a file, with a bar, and summarise it."""
    from modelmeter.report.data import DataCount
    from modelmeter.report.judging import judge_batch
    from modelmeter.report.summary import summarise
    from modelmeter.report.terminal import counting_bar
    from modelmeter.serving.load import load_model

    asked = None if model is None else load_model(model, trusted=trusted)
    counted = DataCount(profile, data, columns=columns, model=asked)
    with counting_bar(errors) as bar:
        task = bar.add_task("", total=counted.total)
        for rows in counted:
            bar.update(task, completed=rows)
    return summarise(profile, counted.observed(), judging=judge_batch(budget))


def of_url(
    path: Path | None,
    url: str,
    token: str | None,
    budget: AlarmBudget | None = None,
    *,
    model: str | None = None,
) -> Findings:
    """Ask a service, with a profile or with what it says of its own."""
    from modelmeter.report.judging import judge_window
    from modelmeter.report.scraped import observe_url, scrape
    from modelmeter.report.summary import summarise

    families = scrape(url, token=token)
    profile = None if path is None else Profile.load(path)
    profile, found = observe_url(families, url, profile=profile, model=model)
    return summarise(profile, found, judging=judge_window(found.seconds, budget))


def of_prometheus(
    path: Path | None, url: str, window: str, token: str | None, budget: AlarmBudget
) -> Findings:
    """Ask a Prometheus, for curves too."""
    from modelmeter.report.curves import history_of
    from modelmeter.report.judging import judge_window
    from modelmeter.report.prometheus import Client, observe_prometheus
    from modelmeter.report.summary import summarise

    profile = profile_of(path)
    client = Client(url, token=token)
    found = observe_prometheus(profile, client, window=window)
    findings = summarise(profile, found, judging=judge_window(found.seconds, budget))
    findings["history"] = history_of(profile, client, findings)
    return findings
