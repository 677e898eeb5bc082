"""The dashboard of one model: from the service that runs it down to a single feature."""

from __future__ import annotations

from collections.abc import Sequence

from modelmeter.generate.dashboards import variables
from modelmeter.generate.dashboards.answers import answers_row
from modelmeter.generate.dashboards.batch import batch_row
from modelmeter.generate.dashboards.features import feature_row, ranking_row
from modelmeter.generate.dashboards.figures import performance_row
from modelmeter.generate.dashboards.ids import MODEL_PANELS, model_uid
from modelmeter.generate.dashboards.labels import labels_row
from modelmeter.generate.dashboards.queries import Scope, chosen, kept_name, pattern, spoken
from modelmeter.generate.dashboards.signals import signals_row
from modelmeter.generate.dashboards.skew import skew_row
from modelmeter.generate.dashboards.spec import Board
from modelmeter.generate.settings import Settings
from modelmeter.profile.profile import Profile


def model_board(versions: Sequence[Profile], settings: Settings) -> Board:
    """Return the dashboard of a model.

    Parameters
    ----------
    versions
        Its profiles; what is on the dashboard follows from the last.
    settings
        Windows, and labels that are kept.
    """
    profile = versions[-1]
    uid = model_uid(profile.name)
    scope = Scope(
        models=("model=~`${model:raw}`", chosen("version")),
        keep=settings.keep_labels,
        signal_window=settings.timing.signal_window,
    )
    # The choice of versions is not limited by itself.
    of_model = Scope(models=scope.models[:1], keep=scope.keep, signal_window=scope.signal_window)
    features = (ranking_row(scope, url=_url(uid, settings)), feature_row(scope))
    rows = (
        signals_row(scope),
        batch_row(scope) if settings.batch_every is not None else None,
        answers_row(scope, profile),
        *(features if profile.features else ()),
        performance_row(scope, profile),
        labels_row(scope, profile),
        skew_row(scope, profile),
    )
    return Board(
        uid=uid,
        title=f"Model: {profile.name}",
        description=f"All that modelmeter knows of {spoken(profile.name)}: the service, its "
        "predictions, its features against training, how good it is, and whether labels come back.",
        ids=MODEL_PANELS,
        variables=(
            variables.datasource(),
            *variables.kept(settings),
            variables.job(),
            variables.one_model(pattern(profile.name)),
            variables.version(of_model),
            variables.window(settings),
            variables.segment(scope),
            *((variables.feature(scope, profile),) if profile.features else ()),
        ),
        annotations=variables.marks(of_model),
        rows=tuple(row for row in rows if row is not None),
        home=True,
    )


def _url(uid: str, settings: Settings) -> str:
    """Return this dashboard with all that is chosen, but for the feature."""
    kept = map(kept_name, settings.keep_labels)
    names = ("datasource", *kept, "job", "version", "window", "segment")
    return f"/d/{uid}?${{__url_time_range}}" + "".join(f"&${{{name}:queryparam}}" for name in names)
