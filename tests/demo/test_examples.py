"""Tests of examples/: there is no Docker engine here, so the files are checked as files."""

import os
import re
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

import modelmeter as mm
from modelmeter.demo.model import Trained
from modelmeter.generate.compose import COMPOSE_FILE, PROMETHEUS_INSIDE_FILE
from modelmeter.generate.stack import generate
from real.prometheus import promtool

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
PROMETHEUS = EXAMPLES / "prometheus"
COMPOSE = (EXAMPLES / "docker-compose.yml").read_text()
SERVICES = yaml.safe_load(COMPOSE)["services"]
OWN = {COMPOSE_FILE, PROMETHEUS_INSIDE_FILE}  # the example has a Compose file of its own
DOCKERFILE = (EXAMPLES / "Dockerfile").read_text()


def test_prometheus_and_grafana_files_are_generated(trained: Trained, tmp_path: Path):
    """Configuration, rules and dashboards are what modelmeter generates for the demo's profile.

    ``MODELMETER_UPDATE=1 pytest tests/demo/test_examples.py`` writes them anew.
    """
    written = generate(
        trained.profile,
        tmp_path,
        targets=["api:5000"],
        windows=["10m", "1h", "24h"],
        scrape_interval="5s",
        evaluation_interval="15s",
        alertmanagers=[],
    )
    names = [path.relative_to(tmp_path) for path in written if path.name not in OWN]
    places = {n: EXAMPLES / n if n.parts[0] == "grafana" else PROMETHEUS / n for n in names}
    if os.environ.get("MODELMETER_UPDATE"):
        for name, place in places.items():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(tmp_path / name, place)
    kept = [p for folder in (PROMETHEUS, EXAMPLES / "grafana") for p in folder.rglob("*")]
    assert sorted(places.values()) == sorted(path for path in kept if path.is_file())
    for name, place in places.items():
        assert place.read_text() == (tmp_path / name).read_text(), (
            f"{place} is out of date: run MODELMETER_UPDATE=1 pytest tests/demo/test_examples.py"
        )


def test_promtool_accepts_the_configuration():
    """Promtool finds nothing wrong with configuration and rules."""
    assert "rules found" in promtool("check", "config", EXAMPLES / "prometheus/prometheus.yml")


@pytest.mark.parametrize(
    ("service", "port"), [("api", 5000), ("prometheus", 9090), ("grafana", 3000)]
)
def test_ports(service: str, port: int):
    """The app is on 5000, Prometheus on 9090, Grafana on 3000, for this machine only."""
    assert SERVICES[service]["ports"] == [f"127.0.0.1:{port}:{port}"]


@pytest.mark.parametrize("service", ["api", "prometheus", "grafana"])
def test_health_checks(service: str):
    """Every service that stays up has a health check, and waits for what it needs."""
    check = SERVICES[service]["healthcheck"]
    assert check["test"][0] in ("CMD", "CMD-SHELL")
    assert {"interval", "timeout", "retries", "start_period"} <= check.keys()
    needs = {"prometheus": "api", "grafana": "prometheus"}
    if service in needs:
        assert SERVICES[service]["depends_on"] == {needs[service]: {"condition": "service_healthy"}}


def test_images_are_pinned():
    """Every image has a full version; the app's own has that of the package."""
    images = {name: service["image"].partition(":") for name, service in SERVICES.items()}
    assert images["api"] == images["traffic"] == ("modelmeter-demo", ":", mm.__version__)
    assert images["prometheus"][0] == "prom/prometheus"
    assert images["grafana"][0] == "grafana/grafana"
    for _, _, tag in images.values():
        assert re.fullmatch(r"v?\d+\.\d+\.\d+", tag)


def test_data_is_in_named_volumes():
    """What Prometheus and Grafana keep is in named volumes; the rest is mounted read-only."""
    declared = yaml.safe_load(COMPOSE)["volumes"]
    assert set(declared) == {"prometheus-data", "grafana-data"}
    for name in ("prometheus", "grafana"):
        sources = {mount.split(":")[0]: mount for mount in SERVICES[name]["volumes"]}
        assert f"{name}-data" in sources
        for source, mount in sources.items():
            if source.startswith("./"):
                assert mount.endswith(":ro")
                assert (EXAMPLES / source).is_dir()


def test_grafana_has_its_data_source():
    """Grafana is provisioned with Prometheus, and finds the dashboards where Compose puts them."""
    path = EXAMPLES / "grafana/provisioning/datasources/modelmeter.yml"
    (source,) = yaml.safe_load(path.read_text())["datasources"]
    assert (source["type"], source["isDefault"]) == ("prometheus", True)
    assert source["url"] == "http://prometheus:9090"
    assert "prometheus" in SERVICES
    path = EXAMPLES / "grafana/provisioning/dashboards/modelmeter.yml"
    (provider,) = yaml.safe_load(path.read_text())["providers"]
    mount = f"./grafana/dashboards:{provider['options']['path']}:ro"
    assert mount in SERVICES["grafana"]["volumes"]


def test_prometheus_reads_what_is_mounted():
    """The configuration is where Prometheus is told to look, and scrapes the app's service."""
    assert "--config.file=/etc/prometheus/prometheus.yml" in SERVICES["prometheus"]["command"]
    assert "./prometheus:/etc/prometheus:ro" in SERVICES["prometheus"]["volumes"]
    configuration = yaml.safe_load((EXAMPLES / "prometheus/prometheus.yml").read_text())
    (job,) = configuration["scrape_configs"]
    assert job["static_configs"] == [{"targets": ["api:5000"]}]


def test_image_is_slim_and_runs_without_privileges():
    """The image is slim, built in two stages, has a health check and does not run as root."""
    stages = re.findall(r"^FROM (\S+)", DOCKERFILE, flags=re.MULTILINE)
    assert len(stages) == 2
    assert all(re.fullmatch(r"python:\d+\.\d+-slim", image) for image in stages)
    last = DOCKERFILE.rpartition("FROM ")[2]
    assert re.search(r"^USER [1-9]\d*$", last, flags=re.MULTILINE)
    assert re.search(r"^HEALTHCHECK ", last, flags=re.MULTILINE)
    assert "FLIGHT_DELAY_DIRECTORY=" in last


def test_image_is_built_from_files_that_are_there():
    """What the Dockerfile copies exists, and the ignore file lets it through."""
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, flags=re.MULTILINE)
    names = [name for line in copied for name in line.split()]
    assert names == ["pyproject.toml", "README.md", "LICENSE", "src"]
    allowed = (EXAMPLES / "Dockerfile.dockerignore").read_text().splitlines()
    for name in names:
        assert (ROOT / name).exists()
        assert f"!{name}" in allowed


def test_commands_exist():
    """What the images run can be run here: the app's factory and the traffic module."""
    assert find_spec("modelmeter.demo.traffic")
    command = re.findall(r'"(modelmeter\S+:create_app)"', DOCKERFILE)
    assert command == ["modelmeter.demo.talk:create_app"]
    assert SERVICES["traffic"]["command"][2] == "modelmeter.demo.traffic"
