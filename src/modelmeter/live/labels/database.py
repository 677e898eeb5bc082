"""One way to SQLite and PostgreSQL: connections, transactions, failures, forks.

SQLite: a file in WAL mode with ``synchronous=FULL``, so a commit is on disk; every
transaction begins IMMEDIATE (one that reads first and then writes would fail with 'database
is locked' without waiting); within a process they take turns, between processes they wait
for each other up to the time-out. PostgreSQL: READ COMMITTED, with the settings that matter
set per transaction, since a pooler such as PgBouncer loses those of a session.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Final

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    Text,
    any_,
    create_engine,
    event,
    literal,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    OperationalError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.schema import Table

from modelmeter._errors import ConfigurationError, MissingExtraError, StoreUnavailableError
from modelmeter.live.labels.bulk import insert_into
from modelmeter.live.labels.schema import prepare
from modelmeter.live.labels.sqlite import READING, begin_sqlite, set_up_sqlite
from modelmeter.live.labels.urls import parse_url

logger = logging.getLogger("modelmeter")

# After a failure to connect, how long the next ones are told so without trying again.
_REST_SECONDS: Final = 1.0

# What a PostgreSQL server that was reached answers when it only needs time.
_PASSING: Final = ("the database system is", "too many", "connection slots")


_SETTINGS: Final = """SELECT
    set_config('statement_timeout', '{limit}', true),
    set_config('lock_timeout', '{lock}', true),
    set_config('idle_in_transaction_session_timeout', '{limit}', true),
    CASE current_setting('synchronous_commit') WHEN 'off'
        THEN set_config('synchronous_commit', 'on', true) END"""


class Database:
    """The database of a label store.

    Parameters
    ----------
    url
        As `parse_url` takes it.
    timeout_seconds
        How long to wait for a connection or for a lock. A transaction may take four times
        as long; after that its connection is cut, even if the server hangs.

    Attributes
    ----------
    name
        The URL without its password, for messages.
    store
        Id of the store; empty until the database was reached.

    Raises
    ------
    ConfigurationError
        The URL cannot work.
    MissingExtraError
        The database's driver is not installed.
    """

    def __init__(self, url: str | Path, *, timeout_seconds: float = 5.0) -> None:
        self._url = parse_url(url)
        self.name: Final = self._url.render_as_string(hide_password=True)
        self.is_sqlite: Final = self._url.get_backend_name() == "sqlite"
        self.shards: Final = 1 if self.is_sqlite else 8
        self.store = ""
        self._timeout = timeout_seconds
        self._engine = self._make_engine()
        self._prepared = False
        self._resting_until = 0.0
        self._begin_anew()
        self._held: list[threading.Lock] = []
        self._at_rest = True
        self._torn = False

    def open(self) -> bool:
        """Make the tables if need be; tell whether the database was reached.

        Raises
        ------
        ConfigurationError
            It was reached and cannot be used: no such database, no permission, read-only,
            disk full, a newer schema, not a database.
        """
        try:
            with self.transaction():
                return True
        except StoreUnavailableError as error:
            if not self._may_pass(error.__cause__):
                raise ConfigurationError(
                    f"cannot keep labels in {self.name}: {_reason(error.__cause__)}; give a "
                    "database that this process can write to"
                ) from error
            logger.warning("%s; predictions go on, and it is tried again", error)
            return False
        finally:
            # A process that forks workers later must not hand them its connections.
            self.close()

    @contextlib.contextmanager
    def transaction(
        self, *, reading: bool = False, limit_seconds: float | None = None
    ) -> Iterator[Connection]:
        """Begin a transaction; commit at the end, roll back when anything raises.

        Parameters
        ----------
        reading
            Whether it writes nothing, and so need not wait for writers on SQLite.
        limit_seconds
            How long all of it may take on PostgreSQL, by default four times the time-out.

        Raises
        ------
        StoreUnavailableError
            Anything that may be over in a while: no connection, a lock held for too long, a
            full disk. Nothing was committed, unless the connection broke during the commit.
        DataError, IntegrityError
            The database refuses the values.
        """
        if self._torn:
            raise StoreUnavailableError(
                f"this process was forked while {self.name} was in use and must not touch it: "
                "give the worker a LabelStore of its own"
            )
        if time.monotonic() < self._resting_until:
            raise StoreUnavailableError(f"the label store {self.name} did not answer just now")
        try:
            limit = limit_seconds or 4 * self._timeout
            reading = reading and self._prepared
            in_turn = self._in_turn(reading=reading)
            with in_turn, self._begin(limit, reading=reading) as connection:
                if not self._prepared:
                    self.store = prepare(connection, time.time())
                yield connection
            self._prepared = True
        except (DataError, IntegrityError):
            raise
        except (DBAPIError, PoolTimeoutError) as error:
            # Perhaps there is another database behind the same name now.
            self._prepared = self._prepared and _is_same(error)
            raise StoreUnavailableError(
                f"the label store {self.name} cannot be used now: {_reason(error)}"
            ) from error

    def insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """Return an INSERT that knows ON CONFLICT."""
        return insert_into(table, is_sqlite=self.is_sqlite)

    def among(self, column: Column[str], texts: Collection[str]) -> ColumnElement[bool]:
        """Return the condition that a column has one of a few thousand values."""
        if self.is_sqlite:
            return column.in_(texts)
        # One parameter instead of thousands: three times as fast.
        return column == any_(literal(list(texts), postgresql.ARRAY(Text)))

    def close(self) -> None:
        """Close the connections that are not in use; the next transaction opens new ones."""
        self._engine.dispose()

    def before_fork(self) -> None:
        """Close SQLite's connection, at the end of the transaction that uses it."""
        # It must not be there on both sides of a fork: SQLite would take the parent's locks
        # for the child's own (https://sqlite.org/howtocorrupt.html#_carrying_an_open_database_
        # connection_across_a_fork_).
        if self.is_sqlite:
            turns = (self._turn, self._reading_turn)
            self._held = [turn for turn in turns if turn.acquire(timeout=self._timeout)]
            self._at_rest = len(self._held) == len(turns)
            if self._at_rest:
                self.close()

    def after_fork(self) -> None:
        """Let transactions begin again."""
        for turn in self._held:
            turn.release()

    def after_fork_in_child(self) -> None:
        """Forget the parent's connections, which stay the parent's."""
        self._torn = self._torn or not self._at_rest
        self._begin_anew()
        # Not closed: psycopg leaves a connection of another process alone as well.
        self._engine.dispose(close=False)

    def _begin_anew(self) -> None:
        # Whoever reads does not wait behind one who waits for the file to write.
        self._turn = threading.Lock()
        self._reading_turn = threading.Lock()

    @contextlib.contextmanager
    def _in_turn(self, *, reading: bool) -> Iterator[None]:
        turn = self._reading_turn if reading else self._turn
        if not self.is_sqlite:
            yield
        elif turn.acquire(timeout=self._timeout):
            try:
                yield
            finally:
                turn.release()
        else:
            raise StoreUnavailableError(
                f"the label store {self.name} was busy for {self._timeout:g} seconds"
            )

    @contextlib.contextmanager
    def _begin(self, limit: float, *, reading: bool) -> Iterator[Connection]:
        for last in (False, True):
            started = False
            try:
                with self._connect() as connection, _cut_after(connection, limit + 0.5):
                    connection.execution_options(**{READING: reading})
                    with connection.begin():
                        self._set(connection, limit)
                        started = True
                        yield connection
                    return
            except DBAPIError as error:
                # The first statement finds out that a pooled connection is of before the
                # server's restart; SQLAlchemy drops the others too, and the next is new.
                if started or last or not error.connection_invalidated:
                    raise

    def _set(self, connection: Connection, limit: float) -> None:
        if not self.is_sqlite:
            limits = {"limit": round(limit * 1000), "lock": round(self._timeout * 1000)}
            connection.exec_driver_sql(_SETTINGS.format(**limits))

    def _connect(self) -> Connection:
        try:
            return self._engine.connect()
        except (DBAPIError, PoolTimeoutError):
            self._resting_until = time.monotonic() + _REST_SECONDS
            raise

    def _make_engine(self) -> Engine:
        pool = {"pool_size": 2, "max_overflow": 0} if self.is_sqlite else {"pool_size": 5}
        try:
            engine = create_engine(
                self._url,
                connect_args=self._arguments(),
                pool_timeout=self._timeout,
                **pool,
            )
        except ImportError as error:
            raise MissingExtraError(error.name or "psycopg", "postgres") from error
        except (ArgumentError, TypeError, ValueError) as error:
            raise ConfigurationError(f"cannot use the URL {self.name}: {error}") from error
        if self.is_sqlite:
            event.listen(engine, "connect", set_up_sqlite)
            event.listen(engine, "begin", lambda c: begin_sqlite(c, self._timeout))
        return engine

    def _arguments(self) -> dict[str, Any]:
        """Return the driver's arguments; the URL's own come first."""
        if self.is_sqlite:
            return {"timeout": self._timeout, "check_same_thread": False}
        arguments = {
            "connect_timeout": max(2, round(self._timeout)),
            "prepare_threshold": None,  # PgBouncer before 1.21 does not know them
            "application_name": "modelmeter",
        }
        return {k: v for k, v in arguments.items() if k not in self._url.query}

    def _may_pass(self, error: BaseException | None) -> bool:
        """Tell whether a failure at start-up is likely to pass without anybody's help."""
        if not isinstance(error, OperationalError):
            return not isinstance(error, DBAPIError)
        text = str(error.orig)
        if self.is_sqlite:
            return "locked" in text
        state = getattr(error.orig, "sqlstate", None)
        if state is not None:
            return state[:2] in ("08", "40", "55", "57")
        return "FATAL" not in text or any(words in text for words in _PASSING)


@contextlib.contextmanager
def _cut_after(connection: Connection, seconds: float) -> Iterator[None]:
    """Cut a connection to PostgreSQL that takes longer, whatever it waits for.

    The server's own time-outs end a slow statement, but not the wait for a server that hangs.
    """
    if connection.dialect.name != "postgresql":
        yield
        return
    driver: Any = connection.connection.driver_connection
    with socket.socket(fileno=os.dup(driver.fileno())) as wire:

        def cut() -> None:
            with contextlib.suppress(OSError):
                wire.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(seconds, cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()


def _is_same(error: Exception) -> bool:
    """Tell whether the connection outlived an error and the tables are still there."""
    if not isinstance(error, DBAPIError) or error.connection_invalidated:
        return False
    return not isinstance(error, ProgrammingError) and "no such table" not in str(error.orig)


def _reason(error: BaseException | None) -> str:
    """Return what the driver said, in one line."""
    said = error.orig if isinstance(error, DBAPIError) and error.orig else error
    return " ".join(str(said).split())
