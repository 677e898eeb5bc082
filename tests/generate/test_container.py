"""What a model's container is told, and what `modelmeter serve` understands of it."""

from __future__ import annotations

from pathlib import Path

from typer.main import get_command

from modelmeter.cli import app
from modelmeter.generate.container import PROFILE, STORE, environment


def test_serve_reads_what_a_container_is_told(monkeypatch):
    """Every variable is an option of `modelmeter serve`, which takes its value from there."""
    variables = {**environment(token_file="/run/secrets/token"), "MODELMETER_STORE": STORE}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    serve = get_command(app).commands["serve"]
    assert set(variables) <= {getattr(parameter, "envvar", None) for parameter in serve.params}
    given = serve.make_context("serve", ["model.skops"]).params
    assert (given["host"], given["port"], given["workers"]) == ("0.0.0.0", 5000, 1)
    assert (given["profile"], given["store"]) == (Path(PROFILE), STORE)
    assert given["token_file"] == Path("/run/secrets/token")


def test_options_go_before_the_environment(monkeypatch):
    """What is said on the command line counts."""
    monkeypatch.setenv("MODELMETER_PORT", "5000")
    serve = get_command(app).commands["serve"]
    arguments = ["model.skops", "--profile", "p.json", "--port", "5001"]
    assert serve.make_context("serve", arguments).params["port"] == 5001
