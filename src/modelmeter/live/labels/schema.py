"""Tables of the label store, the same on SQLite and PostgreSQL.

To change them: raise ``SCHEMA_VERSION``; write in `prepare` the statements that bring a store
of the version before to the new one, in one transaction; only add (tables, columns with a
default), because replicas of the version before go on writing during a rolling upgrade; and
add a store written by the old version to ``tests/live/labels/stores``. A store of a newer
version is refused.
"""

from __future__ import annotations

import secrets
from importlib.metadata import version
from typing import Final

from sqlalchemy import (
    Column,
    Connection,
    Double,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    func,
    insert,
    inspect,
    select,
    update,
)

from modelmeter._errors import ConfigurationError

SCHEMA_VERSION: Final = 1

metadata = MetaData()

# Compared byte by byte: faster, and an upgrade of the machine's collations cannot break an index.
_TEXT = Text().with_variant(Text(collation="C"), "postgresql")

schema_version = Table(
    "modelmeter_schema_version",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("store", _TEXT, nullable=False),
    Column("writer", _TEXT, nullable=False),
    Column("created", Double, nullable=False),
    Column("opened", Double, nullable=False),
)

models = Table(
    "modelmeter_models",
    metadata,
    Column("model_key", Integer, primary_key=True),
    Column("model", _TEXT, nullable=False),
    Column("version", _TEXT, nullable=False),
    UniqueConstraint("model", "version"),
)

# Predictions, and their label once there is one (y_true). Room in every page, so that setting
# y_true, which no index holds, stays in the page.
predictions = Table(
    "modelmeter_predictions",
    metadata,
    Column("id", _TEXT, primary_key=True),
    Column("model_key", Integer, primary_key=True, autoincrement=False),
    Column("time", Double, nullable=False),
    Column("y_pred", _TEXT),
    Column("ord", _TEXT),
    Column("bin", _TEXT),
    Column("value", Double),
    Column("segments", _TEXT),
    Column("center", Double),
    Column("y_true", _TEXT),
    sqlite_with_rowid=False,
    postgresql_with={"fillfactor": "80"},
)
Index("modelmeter_predictions_time", predictions.c.time)

# Labels whose prediction is not there yet: (id, model) is unique whichever version was asked.
waiting = Table(
    "modelmeter_waiting_labels",
    metadata,
    Column("id", _TEXT, primary_key=True),
    Column("model", _TEXT, primary_key=True),
    Column("model_key", Integer, nullable=False),
    Column("y_true", _TEXT, nullable=False),
    Column("time", Double, nullable=False),
    Column("received", Double, nullable=False),
    sqlite_with_rowid=False,
)
Index("modelmeter_waiting_labels_received", waiting.c.received)

# What is exported: sums over `shard`, which only keeps writers out of each other's way.
totals = Table(
    "modelmeter_totals",
    metadata,
    Column("shard", Integer, primary_key=True, autoincrement=False),
    Column("model_key", Integer, primary_key=True, autoincrement=False),
    Column("metric", _TEXT, primary_key=True),
    Column("labels", _TEXT, primary_key=True),
    Column("value", Double, nullable=False),
    Column("updated", Double, nullable=False),
    sqlite_with_rowid=False,
    postgresql_with={"fillfactor": "50"},
)

# Predictions and labels by the hour of the prediction, kept up to date so that nobody counts
# rows.
hours = Table(
    "modelmeter_hours",
    metadata,
    Column("shard", Integer, primary_key=True, autoincrement=False),
    Column("model_key", Integer, primary_key=True, autoincrement=False),
    Column("hour", Integer, primary_key=True, autoincrement=False),
    Column("predictions", Integer, nullable=False),
    Column("labels", Integer, nullable=False),
    sqlite_with_rowid=False,
    postgresql_with={"fillfactor": "50"},
)

# Any number that no other program is likely to lock: 'modelmet' as text.
_CREATION_LOCK: Final = 0x6D6F64656C6D6574


def prepare(connection: Connection, now: float) -> str:
    """Make the tables where they are missing and see that they can be written to.

    Parameters
    ----------
    connection
        Within a transaction; on SQLite one that holds the write lock.
    now
        Unix time.

    Returns
    -------
    str
        Id of the store, the same for all who share it.

    Raises
    ------
    ConfigurationError
        The store is of a newer schema, or the database cannot hold all of Unicode.
    """
    if connection.dialect.name == "postgresql":
        encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
        if encoding != "UTF8":
            raise ConfigurationError(
                f"the label store needs a database in UTF8, this one is in {encoding}: "
                "CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0"
            )
        # Two replicas that start on an empty database must not both create the tables.
        connection.execute(select(func.pg_advisory_xact_lock(_CREATION_LOCK)))
    if not inspect(connection).has_table(schema_version.name):
        metadata.create_all(connection)
        connection.execute(
            insert(schema_version).values(
                version=SCHEMA_VERSION,
                store=secrets.token_hex(4),
                writer=f"modelmeter {version('modelmeter')}",
                created=now,
                opened=now,
            )
        )
    found = connection.execute(select(schema_version).limit(1)).one()
    if found.version > SCHEMA_VERSION:
        raise ConfigurationError(
            f"the label store has schema {found.version}, written by {found.writer}; this is "
            f"modelmeter {version('modelmeter')}, which knows schemas up to {SCHEMA_VERSION}: "
            "upgrade it, or give another store"
        )
    # A write, to learn now that the database is read-only or full.
    connection.execute(update(schema_version).values(opened=now))
    store: str = found.store
    return store
