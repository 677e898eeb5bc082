"""The package as a whole: public names, imports, reference pages, the make targets."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import modelmeter
from modelmeter import names

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src" / "modelmeter").rglob("*.py"))


def load_script(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_public_names_are_sorted_and_there():
    """``__all__`` is sorted and names all that the package offers, and nothing else."""
    assert all(hasattr(modelmeter, name) for name in modelmeter.__all__)
    assert set(modelmeter.__all__) <= set(dir(modelmeter))
    offered = {
        name
        for name, value in vars(modelmeter).items()
        if not name.startswith("_") and not isinstance(value, type(sys))
    }
    assert modelmeter.__all__ == sorted(modelmeter.__all__)
    assert offered <= set(modelmeter.__all__)
    with pytest.raises(AttributeError, match="no attribute 'monitor'"):
        modelmeter.monitor  # noqa: B018


HEAVY = {
    *("pandas", "polars", "pyarrow", "narwhals", "sklearn", "scipy", "fastapi", "starlette"),
    *("sqlalchemy", "prometheus_client", "typer", "jinja2", "yaml", "grafana_foundation_sdk"),
}


@pytest.mark.parametrize(
    ("code", "light"),
    [
        ("import modelmeter; modelmeter.__version__", {"numpy", "logging", "json"}),
        ("import modelmeter as mm; mm.Monitor(mm.Profile.load(sys.argv[1]))", set()),
    ],
    ids=["import", "monitor"],
)
def test_importing_loads_no_heavy_library_and_starts_nothing(code, light, tmp_path):
    """Neither importing modelmeter nor monitoring loads what is heavy or optional, or a thread."""
    path = tmp_path / "a.profile.json"
    modelmeter.Profile.build(None, np.arange(9.0).reshape(-1, 1), name="a", version="1").save(path)
    loaded = f"print(sorted({HEAVY | light} & set(sys.modules)), threading.active_count())"
    command = [sys.executable, "-c", f"import sys, threading\n{code}\n{loaded}", path]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.stdout.strip() == "[] 1", result.stderr


def test_the_version_is_in_the_changelog():
    """The changelog has a section for what is being built."""
    assert "## [Unreleased]" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("page", ["metrics.md", "cli.md", "findings.md"])
def test_reference_pages_are_as_the_code_says(page):
    """Every metric, command, option and finding is as `scripts/reference.py` writes it."""
    written = (ROOT / "docs" / "reference" / page).read_text()
    assert written == load_script("reference").PAGES[page](), "run scripts/reference.py"


def test_metric_names_follow_the_conventions():
    """Counters end in _total and nothing else does; no name is there twice; help is a sentence."""
    assert len({metric.name for metric in names.ALL}) == len(names.ALL)
    for metric in names.ALL:
        assert metric.name.endswith("_total") == (metric.type == "counter"), metric
        assert metric.name.endswith("_info") == (metric.type == "info"), metric
        assert metric.help.endswith("."), metric
        assert bool(metric.buckets) == (metric.type == "histogram"), metric


def test_metric_names_are_spelt_in_one_place():
    """No module outside of names/ spells the name of a metric that modelmeter exports."""
    for path in SOURCES:
        if path.parent.name == "names":
            continue
        texts = {
            node.value
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        for metric in names.ALL:
            assert metric.name not in texts, f"{path} spells {metric.name}"


def test_modules_and_functions_stay_small():
    """Without docstrings no module is over 300 lines and no function over 60; with them 600."""
    for path in SOURCES:
        text = path.read_text()
        tree = ast.parse(text)
        size = len(text.splitlines())
        for node in ast.walk(tree):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                documented = ast.get_docstring(node) is not None
                docstring = node.body[0] if documented else None
                size -= docstring.end_lineno - docstring.lineno + 1 if documented else 0
                body = node.body[1:] if documented else node.body
                if body and not isinstance(node, (ast.Module, ast.ClassDef)):
                    lines = body[-1].end_lineno - body[0].lineno + 1
                    assert lines <= 60, f"{path}: {node.name} has {lines} lines"
        assert size <= 300, f"{path} has {size} lines of code"
        assert len(text.splitlines()) <= 600, path


@pytest.mark.parametrize("target", ["help", "demo", "test", "check", "bench", "format"])
def test_make_targets_exist(target):
    """Every make target that the documents name can be made."""
    subprocess.run(["make", "-n", target], cwd=ROOT, check=True, capture_output=True)


def test_ci_runs_the_tests_and_refuses_skips():
    """CI calls `make test` with nothing allowed to be skipped."""
    script = (ROOT / ".ci" / "run").read_text()
    assert "make test" in script
    assert "MODELMETER_NO_SKIPS=1" in script


def test_every_test_says_what_it_holds():
    """Every test has a docstring that states the behaviour in one sentence."""
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                assert ast.get_docstring(node), f"{path}: {node.name}"
