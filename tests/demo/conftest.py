"""What the demo's tests share: the flights and the model, made once."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from modelmeter.demo import flights, model
from modelmeter.demo.processes import free_port
from modelmeter.demo.talk import DIRECTORY_VARIABLE


@pytest.fixture(scope="session")
def training() -> flights.Flights:
    """Return the flights of January to March."""
    return flights.training()


@pytest.fixture(scope="session")
def production() -> flights.Flights:
    """Return the flights of April to December."""
    return flights.production()


@pytest.fixture(scope="session")
def trained() -> model.Trained:
    """Return the demo's model and profile."""
    return model.trained()


@pytest.fixture(scope="session")
def model_directory(trained: model.Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with model and profile."""
    directory = tmp_path_factory.mktemp("model")
    trained.save(directory)
    return directory


@pytest.fixture(scope="module")
def service(model_directory: Path) -> Iterator[str]:
    """Run the talk's app in a uvicorn process; return its URL."""
    port = free_port(0)
    command = ["uvicorn", "--factory", "modelmeter.demo.talk:create_app", "--port", str(port)]
    process = subprocess.Popen(
        [sys.executable, "-m", *command, "--log-level", "warning"],
        env={**os.environ, DIRECTORY_VARIABLE: str(model_directory)},
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_up(url)
        yield url
    finally:
        process.terminate()
        process.wait(10)


def wait_until_up(url: str, seconds: float = 30) -> None:
    """Poll until the service answers."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            httpx2.get(url, trust_env=False)
            return
        except httpx2.TransportError:
            time.sleep(0.05)
    raise AssertionError(f"{url} did not come up in {seconds} s")
