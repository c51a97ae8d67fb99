"""`flaneur doctor`: what is installed, reachable and free, with the remedy for what is not."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, requires, version

import click
import orjson

from cli.services import given_redis
from streams.local.processes import RunFolder, is_free
from streams.local.services import (
    BROKER_PORT,
    REDIS_PORT,
    broker_answers,
    redis_answers,
    run_folder,
)
from streams.local.tools import JAVA_AT_LEAST, find_java, find_maven, find_prometheus, find_redis, version_of
from streams.settings import Settings

PYTHON_AT_LEAST = (3, 11)
FREE_GB_AT_LEAST = 2.0


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: whether it is all right, what was found, what to do if it is not."""

    name: str
    ok: bool
    found: str
    remedy: str = ""


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(as_json: bool) -> int:
    """Check programs, packages, broker, Redis, ports, graph and disk; exit 1 if something is amiss.

    \b
    Examples:
      flaneur doctor
      BOOTSTRAP=kafka-1:9092 flaneur doctor --json
    """
    findings = list(examine(run_folder()))
    well = all(finding.ok for finding in findings)
    if as_json:
        click.echo(orjson.dumps({"ok": well, "findings": [asdict(finding) for finding in findings]}))
    else:
        for finding in findings:
            mark = click.style("ok  ", fg="green") if finding.ok else click.style("fix ", fg="red")
            remedy = "" if finding.ok or not finding.remedy else f" → {finding.remedy}"
            click.echo(f"{mark} {finding.name}: {finding.found}{remedy}")
    return 0 if well else 1


def examine(folder: RunFolder) -> Iterator[Finding]:
    """Look at everything, one finding after the other."""
    yield _python()
    yield _packages()
    settings = Settings.from_env()
    bootstrap, redis_url = os.environ.get("BOOTSTRAP"), given_redis(settings)
    state = folder.load()
    if bootstrap:
        yield _broker(settings, "start it, or unset BOOTSTRAP to get one here")
    else:
        yield from _broker_programs(folder)
        if process := state.find("kafka"):
            address = state.bootstrap or f"127.0.0.1:{process.port}"
            yield _broker(Settings(bootstrap=address), f"see {folder.logs}/kafka.log")
        else:
            yield _port("broker", BROKER_PORT)
    if redis_url:
        # the URL may hold a password
        yield _reachable("redis", redis_url, redis_answers, "start it, or unset REDIS_URL", shown="REDIS_URL")
    else:
        yield _program("redis-server", find_redis, "run `make setup`, or set REDIS_URL", "--version")
        if process := state.find("redis"):
            url = state.redis_url or f"redis://127.0.0.1:{process.port}/0"
            yield _reachable("redis", url, redis_answers, f"see {folder.logs}/redis.log")
        else:
            yield _port("redis", REDIS_PORT)
    yield _prometheus()
    yield _graph(folder)
    yield _disk(folder)


def _python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    needed = ".".join(map(str, PYTHON_AT_LEAST))
    return Finding(
        "python", sys.version_info >= PYTHON_AT_LEAST, found, f"Python {needed} or newer is needed"
    )


def _packages() -> Finding:
    wanted = [line for line in requires("flaneur") or [] if "extra ==" not in line]
    missing = []
    for line in wanted:
        name = re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0]
        try:
            version(name)
        except PackageNotFoundError:
            missing.append(name)
    found = (
        f"missing {', '.join(missing)}"
        if missing
        else f"flaneur {version('flaneur')}, {len(wanted)} packages"
    )
    return Finding("packages", not missing, found, "run `make setup`")


def _program(name: str, find: Callable[[], object], remedy: str, *ask_version: str) -> Finding:
    path = find()
    if path is None:
        return Finding(name, False, "not found", remedy)
    return Finding(name, True, f"{path}, {version_of(path, *ask_version)}")  # type: ignore[arg-type]


def _prometheus() -> Finding:
    """Whether runs are recorded; all else works without."""
    path = find_prometheus()
    found = "not found, so runs are not recorded: `make setup`" if path is None else str(path)
    return Finding("prometheus", True, found)


def _broker_programs(folder: RunFolder) -> Iterator[Finding]:
    remedy = "run `make setup`, or set BOOTSTRAP"
    yield _program(f"java {JAVA_AT_LEAST}+", find_java, f"{remedy}, or JAVA_HOME", "-version")
    jars = sorted(folder.broker_libraries.glob("kafka_*.jar"))
    if jars:
        yield Finding("kafka", True, f"{jars[0].name.removesuffix('.jar')} in {folder.broker_libraries}")
    else:
        yield Finding("kafka", False, f"not in {folder.broker_libraries}", remedy)
        # only needed to resolve the broker
        yield _program("maven", find_maven, remedy, "--version")


def _port(service: str, port: int) -> Finding:
    found = f"not running here, port {port} is free"
    if not is_free(port):
        found = f"not running here, port {port} is taken: `flaneur up` takes the next free one"
    return Finding(service, True, found)


def _broker(settings: Settings, remedy: str) -> Finding:
    return _reachable("broker", settings.bootstrap, lambda _: broker_answers(settings), remedy)


def _reachable(
    service: str, address: str, answers: Callable[[str], bool], remedy: str, shown: str | None = None
) -> Finding:
    well = answers(address)
    found = f"{'answers' if well else 'does not answer'} at {shown or address}"
    return Finding(service, well, found, remedy)


def _graph(folder: RunFolder) -> Finding:
    given = os.environ.get("GRAPH_DIR")
    directory = Settings.from_env().graph_path if given else folder.graph
    from gateway.map.archives import open_archives
    from geo.errors import BadGraph
    from geo.graph import open_graph

    try:
        graph = open_graph(directory)
    except (BadGraph, OSError) as error:
        remedy = "run `flaneur import-osm`" if given else "run `make setup`"
        return Finding("graph", False, str(error), remedy)
    if not open_archives(directory).areas:
        remedy = "import it again with `flaneur import-osm`" if given else "run `make graph`"
        return Finding("graph", False, f"{directory} has no base map", remedy)
    return Finding("graph", True, f"{len(graph.head):,} edges in {directory}")


def _disk(folder: RunFolder) -> Finding:
    at = next(path for path in (folder.path, *folder.path.parents) if path.is_dir())
    free_gb = shutil.disk_usage(at).free / 1e9
    remedy = f"{FREE_GB_AT_LEAST:.0f} GB are wanted for the broker's data: make room, or set FLANEUR_RUN_DIR"
    return Finding("disk", free_gb >= FREE_GB_AT_LEAST, f"{free_gb:.1f} GB free at {at}", remedy)
