"""What all tests share."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

# Threads that wait must not spin: beside other work on the same cores, training a model then
# takes five times as long. OpenMP reads it when it is loaded, with scikit-learn.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# A busy machine is no failure.
settings.register_profile("modelmeter", deadline=None)
settings.load_profile("modelmeter")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    """Fail a CI run in which a test was skipped: a real part was missing."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = len(reporter.stats.get("skipped", [])) if reporter else 0
    if os.environ.get("MODELMETER_NO_SKIPS") and skipped and exitstatus == pytest.ExitCode.OK:
        reporter.write_line(f"{skipped} tests were skipped; none may be", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
