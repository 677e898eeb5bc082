"""Thousands of rows in one statement.

SQLite is quick when a prepared statement is executed for every row. PostgreSQL is five times as
quick, and the process has a fifth of the work, when the rows come as one array per column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Subquery, Text, and_, bindparam, func, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import Table

Rows = Sequence[Mapping[str, Any]]


def insert_into(table: Table, *, is_sqlite: bool) -> sqlite.Insert | postgresql.Insert:
    """Return an INSERT that knows ON CONFLICT."""
    return sqlite.insert(table) if is_sqlite else postgresql.insert(table)


def insert_new(connection: Connection, table: Table, rows: Rows) -> int:
    """Insert rows, but those whose key is there already.

    Parameters
    ----------
    connection
        Within a transaction.
    table
        Where to.
    rows
        At least one, all with the same columns.

    Returns
    -------
    int
        How many were inserted.
    """
    if connection.dialect.name == "sqlite":
        insert = sqlite.insert(table).on_conflict_do_nothing()
        options = {"preserve_rowcount": True}
        return connection.execute(insert, rows, execution_options=options).rowcount
    arrays = _arrays(table, rows)
    new = postgresql.insert(table).from_select(arrays.c.keys(), select(arrays))
    options = {"preserve_rowcount": True}
    return connection.execute(new.on_conflict_do_nothing(), execution_options=options).rowcount


def update_rows(connection: Connection, table: Table, rows: Rows) -> None:
    """Update rows by their primary key.

    Parameters
    ----------
    connection
        Within a transaction.
    table
        What to update.
    rows
        At least one, all with the same columns: the key's, and those to set.
    """
    keys = table.primary_key.columns.keys()
    changed = [name for name in rows[0] if name not in keys]
    if connection.dialect.name == "sqlite":
        same = and_(*(table.c[name] == bindparam(f"b_{name}") for name in keys))
        values: dict[str, Any] = {name: bindparam(f"b_{name}") for name in changed}
        bound = [{f"b_{name}": value for name, value in row.items()} for row in rows]
        connection.execute(update(table).where(same).values(values), bound)
        return
    arrays = _arrays(table, rows)
    same = and_(*(table.c[name] == arrays.c[name] for name in keys))
    connection.execute(update(table).where(same).values({n: arrays.c[n] for n in changed}))


def _arrays(table: Table, rows: Rows) -> Subquery:
    """Return rows as a table that PostgreSQL makes of one array per column."""
    columns = []
    for name in rows[0]:
        kind = table.c[name].type
        # Without the collation, which is no part of an array's type.
        plain = Text() if isinstance(kind, Text) else kind
        array: postgresql.ARRAY[Any] = postgresql.ARRAY(plain)
        values = literal([row[name] for row in rows], array)
        columns.append(func.unnest(values).label(name))
    return select(*columns).subquery()
