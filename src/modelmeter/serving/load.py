"""Models from files and modules."""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from modelmeter._errors import MissingExtraError, ModelError

logger = logging.getLogger("modelmeter")

_PICKLES = (".joblib", ".pkl", ".pickle")


def load_model(reference: str, *, trusted: Sequence[str] = ()) -> Any:
    """Load a fitted model.

    Parameters
    ----------
    reference
        A ``.joblib`` or ``.pkl`` file (loading it executes code), a ``.skops`` file (only
        trusted types are loaded), or ``module:attribute``, looked up in the working
        directory too.
    trusted
        Names of types in a ``.skops`` file that are trusted beside scikit-learn's own.

    Returns
    -------
    object
        The model.

    Raises
    ------
    ModelError
        There is no such file or attribute, it cannot be read, or it holds types that are
        not trusted; the message says which.
    """
    path = Path(reference)
    if path.suffix in _PICKLES:
        return _load_pickle(_existing(path))
    if path.suffix == ".skops":
        return _load_skops(_existing(path), trusted)
    module, colon, attribute = reference.partition(":")
    if colon and module and attribute:
        return _load_attribute(module, attribute)
    raise ModelError(f"{reference!r} is no .joblib, .pkl or .skops file and no module:attribute")


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise ModelError(f"there is no model file {str(path)!r}")
    return path


def _load_pickle(path: Path) -> Any:
    try:
        import joblib
    except ImportError as error:
        raise MissingExtraError("joblib", "serve") from error
    logger.warning(
        "loading %s executes code that it holds: load only files that you trust "
        "(a .skops file is safe to open)",
        path,
    )
    try:
        return joblib.load(path)
    except Exception as error:
        raise ModelError(f"{str(path)!r} cannot be loaded: {error!r}") from error


def _load_skops(path: Path, trusted: Sequence[str]) -> Any:
    try:
        from skops import io
    except ImportError as error:
        raise MissingExtraError("skops", "serve") from error
    try:
        unknown = [t for t in io.get_untrusted_types(file=path) if t not in trusted]
    except Exception as error:
        raise ModelError(f"{str(path)!r} cannot be read: {error!r}") from error
    if unknown:
        raise ModelError(
            f"{str(path)!r} holds types that are not trusted. If you know them, trust them by "
            f"name: {' '.join(f'--trust {name}' for name in unknown)}"
        )
    return io.load(path, trusted=list(trusted))


def _load_attribute(module: str, attribute: str) -> Any:
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        found: Any = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise ModelError(f"{module}:{attribute} cannot be imported: {error}") from error
    return found
