"""From a fitted model to a monitored model, on Prometheus and Grafana.

Where the model is trained::

    profile = mm.Profile.build(model, X_train, y_train, name="flight-delay", version="1")
    profile.save("flight-delay.profile.json")

Where it is served::

    monitor = mm.Monitor(mm.Profile.load("flight-delay.profile.json"))
    model = monitor.watch(model)
    monitor.instrument(app)

Where a batch comes::

    mm.check(profile, "batch.parquet")
"""

from modelmeter._errors import (
    ConfigurationError,
    DataError,
    MergeError,
    MissingExtraError,
    ModelError,
    ModelmeterError,
    ProfileError,
    ProfileFileError,
    SourceUnavailableError,
    StoreUnavailableError,
)
from modelmeter.profile.choose import Binning
from modelmeter.profile.measuring import Measuring
from modelmeter.profile.profile import FeatureProfile, Profile
from modelmeter.report import check, compare
from modelmeter.serving.monitor import Monitor

__version__ = "0.1.0"

__all__ = [
    "Binning",
    "ConfigurationError",
    "DataError",
    "FeatureProfile",
    "Measuring",
    "MergeError",
    "MissingExtraError",
    "ModelError",
    "ModelmeterError",
    "Monitor",
    "Profile",
    "ProfileError",
    "ProfileFileError",
    "SourceUnavailableError",
    "StoreUnavailableError",
    "__version__",
    "check",
    "compare",
]
