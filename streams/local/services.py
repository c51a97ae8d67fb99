"""Runs a real Kafka broker and a real Redis on this machine, for people without Docker and for the tests.

The broker is Apache Kafka itself (KRaft, one node, its libraries resolved by Maven), run with java directly.
Both listen on the loopback address only and keep their data and logs in the run folder.
"""

from __future__ import annotations

import base64
import os
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from string import Template

import redis
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from geo.errors import Unavailable
from streams.kafka.connection import client_options
from streams.local.processes import (
    LocalProcess,
    RunFolder,
    any_port,
    choose_port,
    has_ended,
    is_free,
    is_running,
    last_lines,
    spawn,
    stop,
)
from streams.local.tools import JAVA_AT_LEAST, find_java, find_redis
from streams.settings import Settings

BROKER_PORT = 9092
REDIS_PORT = 6379
START_WITHIN_S = 60.0
# the broker idles at 330 MB in all; a large heap would not help it, it lives off the operating system's cache
BROKER_HEAP = ("-Xms256m", "-Xmx1g", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20")

PROJECT = Path(__file__).resolve().parents[2]


def run_folder() -> RunFolder:
    """`$FLANEUR_RUN_DIR`, or `.run` beside the project's files, or `.run` here if there are none."""
    if given := os.environ.get("FLANEUR_RUN_DIR"):
        return RunFolder(Path(given).resolve())
    at_home = (PROJECT / "compose" / "broker" / "pom.xml").is_file()
    return RunFolder((PROJECT if at_home else Path.cwd()) / ".run")


def start_broker(
    folder: RunFolder,
    *,
    port: int | None = None,
    usual_port: int = BROKER_PORT,
    libraries: Path | None = None,
    jvm_options: tuple[str, ...] = BROKER_HEAP,
) -> LocalProcess:
    """Start the broker and return without waiting for it; `wait_for_broker` does.

    `port` is demanded, `usual_port` only preferred. Raises Unavailable if Java, the libraries or a port is
    missing.
    """
    java = find_java()
    if java is None:
        raise Unavailable(
            f"no Java {JAVA_AT_LEAST} or newer for the broker: run `make setup`, or set JAVA_HOME"
        )
    jars = folder.broker_libraries if libraries is None else libraries
    if not any(jars.glob("kafka_*.jar")):
        raise Unavailable(f"no Kafka in {jars}: run `make setup`, or set BOOTSTRAP to a broker that you have")
    broker_port = choose_port("the broker", usual_port, port)
    data = folder.path / "kafka"
    data.mkdir(parents=True, exist_ok=True)
    settings = data / "server.properties"
    template = Template((PROJECT / "compose" / "broker" / "server.properties").read_text())
    settings.write_text(
        template.substitute(
            broker_port=broker_port, controller_port=_controller_port(broker_port), data_dir=data / "log"
        )
    )
    classpath = f"{jars}/*"
    if not (data / "log" / "meta.properties").is_file():
        _format_storage(java, classpath, settings)
    logging = PROJECT / "compose" / "broker" / "log4j2.properties"
    command = [str(java), *jvm_options, f"-Dlog4j2.configurationFile={logging}"]
    return spawn(
        "kafka",
        [*command, "-cp", classpath, "kafka.Kafka", str(settings)],
        folder=data,
        log=folder.logs / "kafka.log",
        marker=f"kafka.Kafka {settings}",
        port=broker_port,
    )


def _controller_port(broker_port: int) -> int:
    while (port := any_port()) == broker_port:
        pass
    return port


def _format_storage(java: Path, classpath: str, settings: Path) -> None:
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
    # an id that starts with a dash would be read as an option
    command = [str(java), "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", classpath, "kafka.tools.StorageTool"]
    command += ["format", f"--cluster-id={cluster}", f"--config={settings}"]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise Unavailable(
            f"the broker's storage cannot be formatted in {settings.parent}: {' '.join(said[-2:])}"
        )


def start_redis(folder: RunFolder, *, port: int | None = None, usual_port: int = REDIS_PORT) -> LocalProcess:
    """Start Redis, every write appended to its file, and return without waiting for it."""
    program = find_redis()
    if program is None:
        raise Unavailable(
            "no redis-server on this machine: run `make setup`, or set REDIS_URL to one that you have"
        )
    chosen = choose_port("Redis", usual_port, port)
    data = folder.path / "redis"
    command = [str(program), "--bind", "127.0.0.1", "--port", str(chosen), "--dir", str(data)]
    command += ["--appendonly", "yes", "--save", "", "--daemonize", "no", "--logfile", ""]
    # Redis rewrites its command line to its name and address; the folder tells whose it is
    return spawn(
        "redis", command, folder=data, log=folder.logs / "redis.log", marker=program.name, port=chosen
    )


def broker_answers(settings: Settings, timeout_s: float = 2.0) -> bool:
    """Whether a broker there answers a metadata request with at least one broker."""
    client = AdminClient({**client_options(settings), "socket.timeout.ms": 5000})
    try:
        return bool(client.list_topics(timeout=timeout_s).brokers)
    except KafkaException:
        return False


def redis_answers(url: str, timeout_s: float = 2.0) -> bool:
    """Whether a Redis there answers PING."""
    try:
        with redis.Redis.from_url(url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s) as client:
            return bool(client.ping())
    except (redis.RedisError, ValueError):
        return False


def wait_for_broker(process: LocalProcess, folder: RunFolder, within_s: float = START_WITHIN_S) -> str:
    """Wait until a broker that we started answers; its bootstrap address."""
    address = f"127.0.0.1:{process.port}"

    local = Settings(bootstrap=address)

    def ready() -> bool:
        # the port opens seconds after the start: a client before that would only back off longer and longer
        return process.port is not None and not is_free(process.port) and broker_answers(local)

    wait_until_ready(process, ready, folder.logs / "kafka.log", within_s)
    return address


def wait_for_redis(process: LocalProcess, folder: RunFolder, within_s: float = START_WITHIN_S) -> str:
    """Wait until a Redis that we started answers; its URL."""
    url = f"redis://127.0.0.1:{process.port}/0"
    wait_until_ready(process, lambda: redis_answers(url), folder.logs / "redis.log", within_s)
    return url


def wait_until_ready(process: LocalProcess, ready: Callable[[], bool], log: Path, within_s: float) -> None:
    """Wait for a child; Unavailable, with the end of its log, if it ends or takes too long and is stopped."""
    give_up = time.monotonic() + within_s
    while time.monotonic() < give_up:
        if has_ended(process):
            raise Unavailable(f"{process.name} ended while starting; the end of {log}:\n{last_lines(log)}")
        if ready() and is_running(process):  # not somebody else, who took the port a moment before
            return
        time.sleep(0.1)
    stop(process)
    raise Unavailable(
        f"{process.name} did not answer within {within_s:.0f} s; the end of {log}:\n{last_lines(log)}"
    )
