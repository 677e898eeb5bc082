"""A real PostgreSQL for tests: a cluster of its own on a loopback port, stopped at the end.

Missing programs are an error, never a skip. PostgreSQL refuses to run as root: there it runs
as the user ``postgres`` of Debian's package, or as ``nobody``.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg

from real.prometheus import free_port
from real.server import wait_for

_DEBIAN = Path("/usr/lib/postgresql")
# What makes tests quick and would lose data with the machine's power, not with a process.
_QUICK = ("fsync=off", "full_page_writes=off")


def find_programs() -> Path:
    """Return the folder of PostgreSQL's programs, the newest version's, or say what to do."""
    found = sorted(_DEBIAN.glob("*/bin/postgres"), key=lambda path: float(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("postgres")
    if on_path is None:
        raise RuntimeError(
            "these tests run a real PostgreSQL and it is not installed: "
            f"apt-get install postgresql (nothing in {_DEBIAN}/*/bin, no postgres on PATH)"
        )
    return Path(on_path).resolve().parent


class Postgres:
    """A cluster with trust authentication; use it as a context manager.

    Parameters
    ----------
    settings
        Of the server, as ``name=value``.
    durable
        Whether commits wait for the disk, as in production; slower.
    """

    def __init__(self, *settings: str, durable: bool = False) -> None:
        self.port = free_port()
        self._programs = find_programs()
        self._settings = (*(() if durable else _QUICK), *settings)
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = Path(tempfile.mkdtemp(prefix="modelmeter-postgres-"))
        self._user = _unprivileged_user()
        try:
            if self._user is not None:
                entry = pwd.getpwnam(self._user)
                os.chown(self._folder, entry.pw_uid, entry.pw_gid)
            self._initialise()
            self.start()
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Postgres:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def url(self, database: str = "postgres") -> str:
        """Return the URL of a database."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """Make an empty database and return its URL."""
        name = f"test_{uuid4().hex}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def new_schema(self) -> str:
        """Make an empty schema, in a tenth of the time, and return the URL that leads there."""
        name = f"test_{uuid4().hex}"
        self.execute(f"CREATE SCHEMA {name}")
        return f"{self.url()}?options=-csearch_path%3D{name}"

    def execute(self, statement: str, *, url: str | None = None) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows, if it has any."""
        with psycopg.connect(url or self.url(), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def start(self) -> None:
        """Start the server, again after `kill`, on the same port and data."""
        settings = (f"port={self.port}", "listen_addresses=127.0.0.1", *self._settings)
        options = [word for s in settings for word in ("-c", s)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._data, "-k", "", *options],
                stdout=log,
                stderr=subprocess.STDOUT,
                **self._as_user(),
            )
        wait_for(
            self._answers, seconds=30, what="PostgreSQL to be ready", explain=self._log.read_text
        )

    def kill(self) -> None:
        """End all of the server with SIGKILL, as when the machine dies."""
        assert self._process is not None
        backends = self._backends()
        self._process.kill()
        self._process.wait()
        # The server's own processes end when it does; a new one refuses to start before.
        wait_for(
            lambda: not any(Path(f"/proc/{pid}").exists() for pid in backends),
            seconds=30,
            what="PostgreSQL's processes to end",
        )
        self._process = None

    def pause(self) -> None:
        """Let the server hang: connections stay, nothing answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused server go on."""
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """End the server and remove its data; does nothing when that was done."""
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGQUIT)  # at once: the data is thrown away
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    @property
    def _log(self) -> Path:
        return self._folder / "log"

    def _initialise(self) -> None:
        command: list[str | Path] = [
            *(self._programs / "initdb", "--pgdata", self._data, "--username=postgres"),
            *("--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"),
        ]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, **self._as_user()
        )
        if done.returncode:
            raise RuntimeError(f"initdb failed as {self._user}:\n{done.stdout}{done.stderr}")

    def _as_user(self) -> dict[str, Any]:
        if self._user is None:
            return {"cwd": self._folder}
        group = pwd.getpwnam(self._user).pw_gid
        return {"cwd": self._folder, "user": self._user, "group": group, "extra_groups": []}

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(f"PostgreSQL did not start:\n{self._log.read_text()}")
        try:
            return self.execute("SELECT 1") == [(1,)]
        except psycopg.OperationalError:
            return False

    def _backends(self) -> list[int]:
        assert self._process is not None
        pid = self._process.pid
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def _signal(self, number: int) -> None:
        assert self._process is not None
        for pid in (self._process.pid, *self._backends()):
            os.kill(pid, number)


def _unprivileged_user() -> str | None:
    """Return whom to run as; None for whoever runs the tests."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"
