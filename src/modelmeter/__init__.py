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

import importlib
import typing

from modelmeter._errors import (
    ConfigurationError,
    DataError,
    MergeError,
    MissingExtraError,
    ModelError,
    ModelmeterError,
    ProfileError,
    ProfileFileError,
    PushError,
    SourceUnavailableError,
    StoreUnavailableError,
)
from modelmeter.report import check, compare

if typing.TYPE_CHECKING:
    from modelmeter.profile.choose import Binning
    from modelmeter.profile.measuring import Measuring
    from modelmeter.profile.profile import FeatureProfile, Profile
    from modelmeter.serving.monitor import Monitor
else:
    # On first use: who only catches an error, or asks for the version, loads no NumPy.
    _HOMES = {
        "Binning": "modelmeter.profile.choose",
        "FeatureProfile": "modelmeter.profile.profile",
        "Measuring": "modelmeter.profile.measuring",
        "Monitor": "modelmeter.serving.monitor",
        "Profile": "modelmeter.profile.profile",
    }

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = globals()[name] = getattr(importlib.import_module(_HOMES[name]), name)
        return found

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


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
    "PushError",
    "SourceUnavailableError",
    "StoreUnavailableError",
    "__version__",
    "check",
    "compare",
]
