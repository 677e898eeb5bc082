"""Files with secrets: where they are inside and outside of containers."""

from __future__ import annotations

import pytest

from modelmeter.generate.secrets import Secret, secrets_in


@pytest.mark.parametrize(
    ("path", "host", "inside"),
    [
        ("/run/secrets/token", "./secrets/token", "/run/secrets/token"),
        ("secrets/token", "./secrets/token", "/etc/prometheus/secrets/token"),
        ("./token", "./token", "/etc/prometheus/token"),
        ("/etc/keys/token", "/etc/keys/token", "/etc/keys/token"),
    ],
)
def test_a_path_says_where_a_secret_is(path, host, inside):
    """A program finds it at the path that it was told; outside it follows from the path."""
    assert (Secret(path).host, Secret(path).inside("/etc/prometheus")) == (host, inside)


def test_one_file_has_one_name_and_two_files_have_two():
    """Names are made of what Compose allows, whatever the path."""
    assert Secret("/run/secrets/token").name == Secret("secrets/token").name == "token"
    names = [Secret(path).name for path in ("/a/b c", "/a/b-c", "/d/b c", "/ü", "/run/secrets/a/b")]
    assert len(set(names)) == len(names)
    assert all(
        name.replace("-", "").isascii() and name.replace("-", "").isalnum() for name in names
    )


def test_secrets_are_found_in_a_configuration():
    """Every field that ends in _file is one, at any depth, each once."""
    text = "a: [{url_file: /x, c: 1}, {password_file: y}]\ncredentials_file: /x\nrule_files: [z]"
    assert [secret.path for secret in secrets_in(text)] == ["/x", "y"]
