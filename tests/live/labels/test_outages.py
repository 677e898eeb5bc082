"""Databases that are away, stuck, full or not what was expected."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy.exc import OperationalError

from live.labels.common import check_books, item, label, made, open_store
from modelmeter._errors import ConfigurationError, StoreUnavailableError
from real.postgres import Postgres
from real.prometheus import free_port
from real.server import wait_for


@pytest.fixture(scope="module")
def server():
    """A PostgreSQL to be rough with."""
    with Postgres() as server:
        yield server


def test_a_store_outlives_the_servers_restart(server):
    """Predictions wait in memory while the server is away; labels are refused, and then counted."""
    url = server.new_schema()
    with open_store(url) as store:
        store.remember(made("before"))
        store.flush()
        store.snapshot()
        server.kill()
        assert store.remember(made("during")) == 0
        with pytest.raises(StoreUnavailableError, match=r"cannot be used now|did not answer"):
            label(store, item("before"))
        with pytest.raises(StoreUnavailableError):
            store.snapshot()
        server.start()
        assert store.flush(20)
        assert label(store, item("before"), item("during")) == ["counted", "counted"]
        assert store.dropped == {}
    assert check_books(url) == 2


def test_a_pooled_connection_of_before_a_restart_is_replaced(server):
    """The first label after a restart is counted though its connection is gone."""
    with open_store(server.new_schema()) as store:
        store._writer._tidy = lambda: 60.0
        assert label(store, item("a"), predictions=made("a")) == ["counted"]
        server.kill()
        server.start()
        assert label(store, item("a")) == ["duplicate"]


def test_a_server_that_hangs_is_given_up(server):
    """When the server accepts and never answers, everything but the queue gives up in time."""
    with open_store(server.new_schema(), timeout_seconds=0.3) as store:
        store.remember(made("a"))
        store.flush()
        server.pause()
        try:
            with pytest.raises(StoreUnavailableError):
                store.snapshot()
            with pytest.raises(StoreUnavailableError):
                label(store, item("a"))
            assert store.remember(made("b")) == 0
        finally:
            server.resume()
        assert store.flush(20)
        assert label(store, item("a"), item("b")) == ["counted", "counted"]


def test_a_server_that_is_not_there_yet_is_no_error(caplog):
    """A store opens while the server does not answer, and works once it does."""
    url = f"postgresql://postgres:secret@127.0.0.1:{free_port()}/labels"
    with open_store(url, timeout_seconds=0.3) as store:
        store.declare("late", "1", [("bin", ("", "03", "1"))])
        assert store.id == ""
        assert store.remember(made("a")) == 0
        with pytest.raises(StoreUnavailableError):
            label(store, item("a"))
        assert store.close(0.1) is False
        assert store.dropped == {"closed": 1}
    text = caplog.records[0].getMessage()
    assert "predictions go on, and it is tried again" in text
    assert "***@127.0.0.1" in text
    assert "secret" not in text


def test_commits_wait_for_the_disk_where_the_database_would_not(server):
    """A database with synchronous_commit off has it on while labels are counted."""
    url = server.new_database()
    server.execute(f"ALTER DATABASE {url.rpartition('/')[2]} SET synchronous_commit = off")
    with open_store(url) as store, store._database.transaction() as connection:
        setting = connection.exec_driver_sql("SHOW synchronous_commit").scalar_one()
        assert setting == "on"
    assert server.execute("SHOW synchronous_commit", url=url) == [("off",)]


def test_sqlite_commits_wait_for_the_disk(tmp_path):
    """SQLite is in WAL mode and waits for the disk at every commit."""
    with open_store(tmp_path / "l.db") as store, store._database.transaction() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda url: f"{url}_nowhere", "does not exist"),
        (lambda url: url.replace("postgres@", "nobody@"), 'role "nobody" does not exist'),
    ],
)
def test_a_wrong_url_is_found_at_the_start(server, change, words):
    """A database or user that does not exist is an error when the store is opened."""
    with pytest.raises(ConfigurationError, match=words):
        open_store(change(server.new_database()))


def test_a_read_only_database_is_found_at_the_start(server):
    """A PostgreSQL that cannot be written to is an error that says so."""
    url = server.new_database()
    name = url.rpartition("/")[2]
    server.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    with pytest.raises(ConfigurationError, match="read-only transaction; give a database"):
        open_store(url)


def test_a_database_of_another_encoding_is_refused(server):
    """A PostgreSQL database that cannot hold all of Unicode is refused."""
    server.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    with pytest.raises(ConfigurationError, match="needs a database in UTF8, this one is in LATIN1"):
        open_store(server.url("latin"))


def test_a_locked_file_delays_no_prediction(tmp_path):
    """While another process locks the file, predictions queue and labels are refused."""
    path = tmp_path / "labels.db"
    with open_store(path, timeout_seconds=0.2) as store:
        store.remember(made("a"))
        store.flush()
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert store.remember(made("b")) == 0
        with pytest.raises(StoreUnavailableError, match=r"database is locked|was busy"):
            label(store, item("a"))
        assert store.snapshot().progress[0].pending == 1
        other.rollback()
        other.close()
        assert store.flush(20)
        assert label(store, item("a"), item("b")) == ["counted", "counted"]


def test_a_full_disk_is_outlived(tmp_path):
    """When the disk fills up, labels are refused and predictions wait; then all is counted."""
    path = tmp_path / "labels.db"
    with open_store(path) as store:
        assert label(store, item("a"), predictions=made("a")) == ["counted"]
        with store._database.transaction() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        store.remember(made(*(f"{i}" * 50 for i in range(500))))
        failing = made(*(f"x{i}" * 20 for i in range(500)))
        with pytest.raises(StoreUnavailableError, match="database or disk is full"):
            label(store, item("a"), predictions=failing)
        store._database.close()  # the limit was the connection's
        assert store.flush(20)
        assert label(store, item("a"), item("7" * 50)) == ["duplicate", "counted"]


RESTRICTED = """
import os, resource, signal, sys, tempfile
from live.labels.common import open_store
from modelmeter._errors import ConfigurationError
open_store(tempfile.mkdtemp() + "/labels.db").close()  # loads all that is loaded late
if sys.argv[2] == "full":
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
elif os.geteuid() == 0:
    os.setuid(65534)
try:
    open_store(sys.argv[1])
except ConfigurationError as error:
    sys.stdout.write(str(error))
"""


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("full", ("disk I/O error", "disk is full")),
        ("read-only", ("readonly database", "unable to open database file")),
    ],
)
def test_an_unusable_disk_is_found_at_the_start(tmp_path, how, words):
    """A full disk and a file that may not be written are errors when the store is opened."""
    with TemporaryDirectory() as folder:  # where another user can come
        path = Path(folder) / "labels.db"
        open_store(path).close()
        path.chmod(0o444)
        path.parent.chmod(0o555)
        if how == "full":
            path.unlink()
        done = subprocess.run(
            [sys.executable, "-c", RESTRICTED, str(path), how],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        )
        path.parent.chmod(0o755)
    assert any(words_ in done.stdout for words_ in words), done
    assert "give a database that this process can write to" in done.stdout


def test_a_file_that_is_no_database_is_refused(tmp_path):
    """A file of another kind is an error, and stays as it is."""
    path = tmp_path / "labels.db"
    path.write_text("id,y_true\n" * 100)
    with pytest.raises(ConfigurationError, match="file is not a database"):
        open_store(path)
    assert path.read_text().startswith("id,y_true")


def test_connecting_is_not_tried_again_at_once():
    """After a failure to connect the next are told so without waiting."""
    url = f"postgresql://postgres@127.0.0.1:{free_port()}/labels"
    with open_store(url, timeout_seconds=0.3) as store:
        with pytest.raises(StoreUnavailableError, match="did not answer just now"):
            store.snapshot()
        store._database._resting_until = 0.0
        with pytest.raises(StoreUnavailableError, match="Connection refused") as caught:
            store.snapshot()
    assert isinstance(caught.value.__cause__, OperationalError)


def test_pruning_waits_for_nobody(server):
    """A prediction that another transaction holds is left for the next step."""
    url = server.new_schema()
    clock = [0.0]
    with open_store(url, retention_days=1, clock=lambda: clock[0]) as store:
        store._writer._tidy = lambda: 60.0
        store.remember(made("held", "free", time=0.0))
        store.flush()
        clock[0] = 2 * 86_400.0
        with store._database.transaction() as connection:
            connection.exec_driver_sql(
                "SELECT 1 FROM modelmeter_predictions WHERE id = 'held' FOR UPDATE"
            )
            store._tidy()
        left = "SELECT id FROM modelmeter_predictions"
        assert server.execute(left, url=url) == [("held",)]
        store._next_prune = 0.0
        store._tidy()
        assert server.execute(left, url=url) == []


def test_threads_end_with_the_process(tmp_path):
    """A process that ends without closing writes what it had remembered."""
    code = (
        "import sys\n"
        "from live.labels.common import made, open_store\n"
        "open_store(sys.argv[1]).remember(made(*map(str, range(5000))))\n"
    )
    path = tmp_path / "labels.db"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code, path], env=environment, check=True, timeout=60)
    with open_store(path) as store:
        wait_for(lambda: store.snapshot().progress[0].pending == 5000, seconds=1, what="5,000")
