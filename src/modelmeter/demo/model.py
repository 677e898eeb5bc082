"""The demo's model, which says whether a flight will arrive more than 15 minutes late.

An ordinary scikit-learn pipeline, trained in seconds, that knows nothing of monitoring.
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelmeter.demo import cache, flights
from modelmeter.profile.measuring import Measuring
from modelmeter.profile.profile import Profile

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

NAME = "flight-delay"
VERSION = "1"


@dataclass(frozen=True)
class Trained:
    """A fitted model and the profile of its training data.

    Parameters
    ----------
    model
        Fitted pipeline with ``predict`` and ``predict_proba``.
    profile
        Profile of the flights it was trained on.
    """

    model: Any
    profile: Profile

    def save(self, directory: Path) -> None:
        """Write ``flight-delay.joblib`` and ``flight-delay.profile.json``.

        Parameters
        ----------
        directory
            Where to; made when it is not there.
        """
        import joblib

        directory.mkdir(parents=True, exist_ok=True)
        joblib.dump(self.model, directory / f"{NAME}.joblib")
        self.profile.save(directory / f"{NAME}.profile.json")


def build() -> Pipeline:
    """Return the pipeline, not fitted.

    Missing numbers become the median, missing categories the most frequent one, and a
    category that training never saw becomes zeros: at just these places a fitted model
    hides trouble, and the monitor counts there.

    Returns
    -------
    sklearn.pipeline.Pipeline
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = Pipeline([("impute", SimpleImputer(strategy="median")), ("scale", StandardScaler())])
    categories = Pipeline(
        [
            ("impute", SimpleImputer(strategy="most_frequent")),
            ("encode", OneHotEncoder(handle_unknown="ignore", sparse_output=False)),
        ]
    )
    columns = ColumnTransformer(
        [
            ("numbers", numbers, list(flights.NUMBERS)),
            ("categories", categories, list(flights.CATEGORIES)),
        ]
    )
    classifier = HistGradientBoostingClassifier(
        max_iter=120,
        max_leaf_nodes=15,
        min_samples_leaf=200,
        early_stopping=False,
        random_state=0,
    )
    return Pipeline([("columns", columns), ("classifier", classifier)])


def fit(known: flights.Flights) -> Pipeline:
    """Return the pipeline, fitted.

    Parameters
    ----------
    known
        Flights, all with a known outcome.

    Returns
    -------
    sklearn.pipeline.Pipeline
    """
    return build().fit(known.X, known.late.astype("int64"))


def trained() -> Trained:
    """Return the model of January to March and its profile, from the cache once made.

    Returns
    -------
    Trained
    """
    import joblib

    libraries = (f"{name} {version(name)}" for name in ("scikit-learn", "numpy", "pandas"))
    key = cache.digest(
        *(Path(__file__), Path(flights.__file__)),
        *(platform.python_version(), platform.machine(), *libraries),
    )
    package = Path(__file__).parents[1]
    code = sorted(path for part in ("profile", "stats") for path in (package / part).glob("*.py"))
    model_path = cache.directory() / f"{NAME}-{key}.joblib"
    profile_path = cache.directory() / f"{NAME}-{cache.digest(key, *code)}.profile.json"
    if model_path.exists() and profile_path.exists():
        return Trained(joblib.load(model_path), Profile.load(profile_path))
    known = flights.training().with_outcome()
    if model_path.exists():
        model = joblib.load(model_path)
    else:
        model = fit(known)
        cache.keep(model_path, lambda part: joblib.dump(model, part))
    profile = profile_of(model, known)
    cache.keep(profile_path, profile.save)
    return Trained(model, profile)


def profile_of(model: Any, known: flights.Flights) -> Profile:
    """Return the profile of a model over the flights it was trained on.

    Parameters
    ----------
    model
        Fitted model.
    known
        Flights, all with a known outcome.

    Returns
    -------
    Profile
    """
    # Whole days are held out together: a model that has seen a day knows its weather, and
    # would look better than it will ever be in production.
    days = known.departure.dt.tz_convert(flights.ZONE).dt.strftime("%Y-%m-%d")
    return Profile.build(
        model,
        known.X,
        known.late.astype("int64"),
        name=NAME,
        version=VERSION,
        segments=["origin"],
        canary_rows=20,
        measuring=Measuring(groups=days, max_rows=40_000),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Train and write model and profile: ``python -m modelmeter.demo.model DIRECTORY``.

    Returns
    -------
    int
        Exit status, 0.
    """
    parser = argparse.ArgumentParser(prog="python -m modelmeter.demo.model")
    parser.add_argument("directory", type=Path, help="where model and profile are written")
    trained().save(parser.parse_args(arguments).directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
