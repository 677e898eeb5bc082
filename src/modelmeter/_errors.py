"""What can go wrong, as one tree.

::

    ModelmeterError
    ├── ProfileError (ValueError)            a profile cannot be built, read or merged
    │   ├── DataError                        the training data: names the column and the value
    │   ├── ProfileFileError                 the file: truncated, edited, of a newer schema
    │   └── MergeError                       two profiles over different bins
    ├── ModelError (ValueError)              a model cannot be loaded, or has no way to predict
    ├── ConfigurationError (ValueError)      a setting that cannot work, found at start-up
    ├── StoreUnavailableError (ConnectionError)   the label store's database, for now
    ├── SourceUnavailableError (ConnectionError)  a service or Prometheus that a report asks
    ├── PushError (ConnectionError)          a Pushgateway that does not take a batch's counts
    └── MissingExtraError (ImportError)      an optional dependency; names the extra to install

On the request path nothing of this is raised: monitoring counts its own failure
(``modelmeter_failures_total``), logs it once and lets the prediction through.
"""

from __future__ import annotations


class ModelmeterError(Exception):
    """Base of every error that modelmeter raises on purpose."""


class ProfileError(ModelmeterError, ValueError):
    """A profile cannot be built, read or merged."""


class DataError(ProfileError):
    """The training data cannot be profiled; the message names the column and the value."""


class ProfileFileError(ProfileError):
    """A profile file is truncated, edited into nonsense, or of a newer schema."""


class MergeError(ProfileError):
    """Two profiles cannot be merged because their bins differ."""


class ModelError(ModelmeterError, ValueError):
    """A model cannot be loaded, or offers no way to predict."""


class ConfigurationError(ModelmeterError, ValueError):
    """A setting that cannot work, found at start-up."""


class StoreUnavailableError(ModelmeterError, ConnectionError):
    """The database of the label store cannot be used now; try again later."""


class SourceUnavailableError(ModelmeterError, ConnectionError):
    """A service, or a Prometheus, that a report is to be made from does not answer as it should."""


class PushError(ModelmeterError, ConnectionError):
    """A Pushgateway did not take the counts of a batch; they are kept for the next push."""


class MissingExtraError(ModelmeterError, ImportError):
    """An optional dependency is not installed; the message names the extra."""

    def __init__(self, module: str, extra: str) -> None:
        super().__init__(
            f"{module} is needed here and is not installed: pip install 'modelmeter[{extra}]'"
        )
