"""Where a label store is: URLs that can work, and those that cannot."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from modelmeter._errors import ConfigurationError


def parse_url(url: str | Path) -> URL:
    """Return the URL of a database that labels can be kept in.

    Parameters
    ----------
    url
        ``sqlite:///labels.db``, ``postgresql://user@host/database``, or the path of an
        SQLite file, whose folder is made when it is not there.

    Raises
    ------
    ConfigurationError
        It is no URL, of another database, or of SQLite without a file.
    """
    text = str(url)
    if isinstance(url, Path) or "://" not in text:
        return _sqlite_url(text)
    try:
        parsed = make_url(text)
    except (ArgumentError, ValueError) as error:
        # Not echoed whole: there may be a password in it.
        raise ConfigurationError(
            f"{text.partition('://')[0]}://... is not the URL of a database: {error}"
        ) from error
    backend = parsed.drivername.partition("+")[0]
    if backend in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    if backend == "sqlite":
        return _sqlite_url(parsed.database or "")
    raise ConfigurationError(
        f"labels are kept in sqlite:///FILE or postgresql://..., not in {backend}://..."
    )


def _sqlite_url(database: str) -> URL:
    if not database or database.startswith((":memory:", "file:")):
        raise ConfigurationError(
            "labels are kept in an SQLite file, such as sqlite:///labels.db, "
            f"not in {database or ':memory:'!r}: they must outlive the process"
        )
    path = Path(database).absolute()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"cannot make the folder of the label store {str(path)!r}: {error}"
        ) from error
    return URL.create("sqlite", database=str(path))
