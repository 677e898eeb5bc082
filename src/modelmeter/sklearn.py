"""Drop-in scikit-learn transformers that count while a monitor is serving.

>>> from modelmeter.sklearn import OneHotEncoder, SimpleImputer
>>> OneHotEncoder(handle_unknown="ignore")
OneHotEncoder(handle_unknown='ignore')

Parameters, attributes and results are scikit-learn's own, to the bit. They count for the
monitor that watches the model they are part of, or inside ``with monitor.serving():``;
never in ``fit`` or cross-validation, and without a monitor not at all.
"""

from modelmeter._errors import MissingExtraError

try:
    import sklearn as _sklearn  # noqa: F401
except ImportError as error:
    raise MissingExtraError("scikit-learn", "sklearn") from error

from modelmeter.serving.transformers.dropins import (
    KNNImputer,
    OneHotEncoder,
    OrdinalEncoder,
    SimpleImputer,
)

__all__ = ["KNNImputer", "OneHotEncoder", "OrdinalEncoder", "SimpleImputer"]
