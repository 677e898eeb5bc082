"""What SQLite needs to be told: commits that are on disk, writers that wait their turn."""

from __future__ import annotations

import random
import sqlite3
import time
from typing import Any, Final

from sqlalchemy import Connection

from modelmeter._errors import ConfigurationError

READING: Final = "modelmeter_reading"
"""Execution option of a connection: whether its transaction only reads."""


def set_up_sqlite(connection: Any, _: Any) -> None:
    """Put a new SQLite connection into WAL mode, with commits that are on disk."""
    # The sqlite3 module begins transactions by itself, and too late; see `begin_sqlite`.
    connection.isolation_level = None
    # Of processes that open a new file at once SQLite lets one pass and refuses the others,
    # without waiting.
    timeout = connection.execute("PRAGMA busy_timeout").fetchone()[0] / 1000
    mode = _in_turn(connection, "PRAGMA journal_mode=WAL", timeout).fetchone()[0]
    if mode != "wal":
        raise ConfigurationError(
            f"SQLite cannot use WAL here (its journal mode stays {mode!r}): keep the label "
            "store on a local file system"
        )
    connection.execute("PRAGMA synchronous=FULL")


def begin_sqlite(connection: Connection, timeout: float) -> None:
    """Begin a transaction; one that writes waits for the other processes' to end."""
    if connection.get_execution_options()[READING]:
        connection.exec_driver_sql("BEGIN")
        return
    # SQLite itself soon looks only ten times a second, and then hardly ever finds a gap between
    # the transactions of a process that labels a large file.
    driver: Any = connection.connection.driver_connection
    driver.execute("PRAGMA busy_timeout=0")
    try:
        _in_turn(driver, "BEGIN IMMEDIATE", timeout)
    except sqlite3.OperationalError:
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # SQLAlchemy's error, as of all else
    finally:
        driver.execute(f"PRAGMA busy_timeout={round(1000 * timeout)}")


def _in_turn(driver: Any, statement: str, timeout: float) -> Any:
    """Execute a statement, again and again for so long while the file is busy."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            return driver.execute(statement)
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() >= deadline:
                raise
        time.sleep(random.uniform(0.001, 0.004))
