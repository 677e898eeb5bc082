"""Labels of one model: its predictions are kept, its labels counted, the totals exported."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from modelmeter import names
from modelmeter._errors import ConfigurationError, MissingExtraError, StoreUnavailableError
from modelmeter.live.counts import Counts
from modelmeter.live.merge import Family
from modelmeter.live.outputs import Answer
from modelmeter.profile.profile import Profile

try:
    from modelmeter.live.kept import Form, Kept
    from modelmeter.live.label_families import label_families
    from modelmeter.live.labels import LabelStore, Outcome, Prediction
    from modelmeter.live.tallies import check_of, series_of, tally_of
except ImportError as error:
    raise MissingExtraError("sqlalchemy", "serve") from error

REASONS: Final = ("full", "closed", "invalid", "repeated", "refused")
"""Why a prediction was not kept; see `LabelStore.dropped`."""


class Feedback:
    """Keeps a model's predictions until their labels come, and counts these once.

    Parameters
    ----------
    profile
        Of the model.
    url
        Where; see `LabelStore`.
    counts
        Where dropped predictions are counted.
    on_failure
        Called with each failure that the store survived, and that a scrape met.
    retention_days
        How long a prediction waits for its label.

    Raises
    ------
    ConfigurationError
        The database cannot be used, or the model predicts neither classes nor numbers.
    MissingExtraError
        Its driver is not installed.
    """

    def __init__(
        self,
        profile: Profile,
        url: str | Path,
        *,
        counts: Counts,
        on_failure: Callable[[Exception], None],
        retention_days: float = 90.0,
    ) -> None:
        if not profile.model.classes and profile.model.task != "regression":
            raise ConfigurationError(
                f"{profile.name}/{profile.version} predicts neither classes nor numbers that a "
                "label could be compared with"
            )
        self.form = Form(profile)
        self._name = (profile.name, profile.version)
        self._check = check_of(profile)
        self._counts = counts
        self._on_failure = on_failure
        rows = [("labels", reason) for reason in REASONS]
        self._dropped = counts.block(names.DROPPED, rows).cells
        self.store = LabelStore(
            url,
            tally=tally_of(profile),
            retention_days=retention_days,
            on_drop=self._note_dropped,
            on_failure=on_failure,
        )
        self.store.declare(*self._name, series_of(profile))

    def remember(self, answer: Answer) -> None:
        """Let the predictions of a call wait for their labels; never blocks."""
        self.store.remember(Kept(self.form, answer))

    def complete(self, answer: Answer) -> None:
        """Add what the model said in a second call, if it is anything that is kept."""
        if self.form.keeps(answer):
            self.remember(answer)

    def label(
        self, items: Sequence[Mapping[str, Any]], predictions: Sequence[Prediction] = ()
    ) -> list[Outcome]:
        """Count labels; what is answered ``counted`` is on disk. See `LabelStore.label`."""
        name, version = self._name
        return self.store.label(
            items, model=name, version=version, check=self._check, predictions=predictions
        )

    def families(self) -> list[Family]:
        """Return the totals as metrics; nothing while the store cannot be read, never raises.

        Old numbers would do harm: where a store's total falls, it seems to have started anew.
        """
        try:
            return label_families(self.store.snapshot(), self._name[0])
        except StoreUnavailableError as error:
            self._on_failure(error)
            return []

    def _note_dropped(self, reason: str, number: int) -> None:
        place = REASONS.index(reason)
        with self._counts.lock:
            self._dropped[place] += number
