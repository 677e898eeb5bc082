"""scikit-learn's imputers and encoders, which also count while a monitor is serving."""

from __future__ import annotations

from sklearn import impute, preprocessing

from modelmeter.serving.transformers.counting import CountingEncoder, CountingImputer, DropIn

PUBLIC = "modelmeter.sklearn"
"""Where users import the classes from, hence where pickles and skops look for them.

The modules here may move, that name may not.
"""


class OneHotEncoder(DropIn, CountingEncoder, preprocessing.OneHotEncoder):  # type: ignore[misc]
    """Encode categories as one-hot columns, counting them while a monitor is serving.

    Everything else - parameters, attributes, results - is that of
    :class:`sklearn.preprocessing.OneHotEncoder`.

    Counted per feature are the values of every category (``model_encoded_total``), with
    missing and unknown values told apart, and unknown values alone
    (``model_unknown_category_total``).

    See Also
    --------
    modelmeter.Monitor.watch : A watched model counts unknown categories in scikit-learn's
        own encoders as well.

    Examples
    --------
    >>> from modelmeter.sklearn import OneHotEncoder
    >>> OneHotEncoder(handle_unknown="ignore").fit([["JFK"], ["EWR"]]).transform(
    ...     [["EWR"], ["LGA"]]
    ... ).toarray()
    array([[1., 0.],
           [0., 0.]])
    """

    __module__ = PUBLIC


class OrdinalEncoder(DropIn, CountingEncoder, preprocessing.OrdinalEncoder):  # type: ignore[misc]
    """Encode categories as integers, counting them while a monitor is serving.

    Everything else - parameters, attributes, results - is that of
    :class:`sklearn.preprocessing.OrdinalEncoder`; what is counted is what `OneHotEncoder`
    counts.

    Examples
    --------
    >>> from modelmeter.sklearn import OrdinalEncoder
    >>> OrdinalEncoder().fit([["JFK"], ["EWR"]]).transform([["JFK"]])
    array([[1.]])
    """

    __module__ = PUBLIC


class SimpleImputer(DropIn, impute.SimpleImputer, CountingImputer):  # type: ignore[misc]
    """Fill in missing values per column, counting them while a monitor is serving.

    Everything else - parameters, attributes, results - is that of
    :class:`sklearn.impute.SimpleImputer`.

    Counted are the values filled in per feature, with the imputer's path in the model and
    its strategy (``model_imputed_total``).

    See Also
    --------
    modelmeter.Monitor.watch : A watched model counts the same in scikit-learn's own
        imputers.

    Examples
    --------
    >>> import numpy as np
    >>> from modelmeter.sklearn import SimpleImputer
    >>> SimpleImputer().fit([[1.0], [3.0]]).transform([[np.nan]])
    array([[2.]])
    """

    __module__ = PUBLIC


class KNNImputer(DropIn, impute.KNNImputer, CountingImputer):  # type: ignore[misc]
    """Fill in missing values from similar rows, counting them while a monitor is serving.

    Everything else - parameters, attributes, results - is that of
    :class:`sklearn.impute.KNNImputer`; what is counted is what `SimpleImputer` counts, with
    the method ``knn``.

    Examples
    --------
    >>> import numpy as np
    >>> from modelmeter.sklearn import KNNImputer
    >>> KNNImputer(n_neighbors=1).fit([[1.0, 1.0], [3.0, 5.0]]).transform([[3.0, np.nan]])
    array([[3., 5.]])
    """

    __module__ = PUBLIC
