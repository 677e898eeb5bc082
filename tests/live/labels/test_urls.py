"""Which URLs lead to a label store."""

from __future__ import annotations

import subprocess
import sys

import pytest

from modelmeter._errors import ConfigurationError
from modelmeter.live.labels.database import Database
from modelmeter.live.labels.urls import parse_url


def test_paths_and_urls_lead_to_one_file(tmp_path, monkeypatch):
    """A path, its text and an SQLite URL mean the same file, wherever the process goes later."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "deep" / "labels.db"
    forms = [path, str(path), f"sqlite:///{path}", "deep/labels.db", "sqlite:///deep/labels.db"]
    assert {parse_url(form).database for form in forms} == {str(path)}
    assert path.parent.is_dir()


def test_postgresql_is_reached_by_psycopg():
    """Every way to write a PostgreSQL URL means the driver that is installed."""
    for name in ("postgresql", "postgres", "postgresql+psycopg2"):
        url = parse_url(f"{name}://me:secret@host:1234/labels?sslmode=require")
        assert url.drivername == "postgresql+psycopg"
        assert (url.host, url.port, url.database) == ("host", 1234, "labels")
        assert url.query == {"sslmode": "require"}


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://root@host/labels", "not in mysql://..."),
        ("sqlite://", "not in ':memory:'"),
        ("sqlite:///:memory:", "they must outlive the process"),
        ("sqlite:///file:labels.db?mode=ro&uri=true", "not in 'file:labels.db'"),
        ("postgresql://host:port/labels", r"^postgresql://\.\.\. is not the URL of a database"),
        ("/dev/null/labels.db", "cannot make the folder"),
    ],
)
def test_urls_that_cannot_work_are_refused(url, words):
    """A URL of another database, of memory or of nothing is refused with what to give instead."""
    with pytest.raises(ConfigurationError, match=words):
        parse_url(url)


def test_arguments_of_the_url_win():
    """What the URL says about the connection is not overruled."""
    database = Database("postgresql://host/labels?connect_timeout=17&application_name=mine")
    assert set(database._arguments()) == {"prepare_threshold"}


def test_a_missing_driver_names_the_extra():
    """Without psycopg, PostgreSQL is refused with what to install; SQLite needs nothing."""
    code = (
        "import sys, tempfile\n"
        "sys.modules['psycopg'] = None\n"
        "from modelmeter.live.labels import LabelStore\n"
        "LabelStore(tempfile.mkdtemp() + '/labels.db', tally=print).close()\n"
        "LabelStore('postgresql://host/labels', tally=print)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "pip install 'modelmeter[postgres]'" in done.stderr.splitlines()[-1]
