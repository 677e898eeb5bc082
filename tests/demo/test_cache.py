"""Tests of modelmeter.demo.cache."""

from pathlib import Path

import pytest

from modelmeter.demo import cache


def test_directory_is_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Cached files go below XDG_CACHE_HOME, in a directory that is made when needed."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert cache.directory() == tmp_path / "cache" / "modelmeter"
    assert cache.directory().is_dir()


def test_directory_falls_back_to_a_private_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Where no directory can be made a fresh private one is used, never a shared one."""
    blocked = tmp_path / "file"
    blocked.write_text("not a directory")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    found = cache.directory()
    assert found.parent == tmp_path
    assert found.stat().st_mode & 0o077 == 0


def test_directory_without_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A user without a home directory, as in a container, gets a private directory too."""

    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert cache.directory().parent == tmp_path


def test_digest_depends_on_every_part_and_its_place(tmp_path: Path):
    """Other text, other content or another split of the same text give another digest."""
    file = tmp_path / "file"
    file.write_bytes(b"content")
    known = cache.digest("ab", "c", file)
    assert known == cache.digest("ab", "c", file)
    assert known != cache.digest("a", "bc", file)
    file.write_bytes(b"other")
    assert known != cache.digest("ab", "c", file)


def test_keep_leaves_nothing_when_writing_fails(tmp_path: Path):
    """A write that fails half-way leaves neither the file nor its half."""

    def fail(path: Path) -> None:
        path.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        cache.keep(tmp_path / "file.txt", fail)
    assert list(tmp_path.iterdir()) == []


def test_keep_replaces(tmp_path: Path):
    """A file that is there already is replaced."""
    target = tmp_path / "file.txt"
    target.write_text("old")
    assert cache.keep(target, lambda path: path.write_text("new")) == target
    assert target.read_text() == "new"
