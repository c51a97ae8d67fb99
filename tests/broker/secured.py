"""The broker of compose, started here by its own script, its paths and ports mapped to ours."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streams.local.processes import LocalProcess, any_port, is_free, spawn, stop
from streams.local.services import PROJECT, run_folder, wait_until_ready
from streams.local.tools import find_java

COMPOSE = PROJECT / "compose"
WITHIN_S = 90.0


def make_secrets(folder: Path) -> Path:
    """What compose/make-secrets.sh makes."""
    done = subprocess.run(
        ["sh", COMPOSE / "make-secrets.sh", folder], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


@contextmanager
def compose_broker(folder: Path, secrets: Path | None = None) -> Iterator[LocalProcess]:
    """A broker as in compose, or as in its secured form; it must end well when it is told to."""
    port, controller_port = any_port(), any_port()
    names = ["compose.properties", *(["secure.properties"] if secrets else [])]
    for name in names:
        text = (COMPOSE / "broker" / name).read_text()
        for theirs, ours in (
            ("0.0.0.0:9092", f"127.0.0.1:{port}"),
            ("kafka:9092", f"127.0.0.1:{port}"),
            ("127.0.0.1:9093", f"127.0.0.1:{controller_port}"),
            ("/var/lib/kafka/data", str(folder / "data")),
            ("/run/secrets", str(secrets)),
        ):
            text = text.replace(theirs, ours)
        (folder / name).write_text(text)
    java = find_java()
    assert java is not None
    process = spawn(
        "kafka",
        ["sh", str(COMPOSE / "broker" / "start.sh"), *names],
        folder=folder,
        log=folder / "kafka.log",
        marker="kafka.Kafka",
        port=port,
        environment={
            "PATH": f"{java.parent}:{os.environ['PATH']}",
            "KAFKA_LIBRARIES": str(run_folder().broker_libraries),
            "KAFKA_SECRETS": str(secrets),
            "KAFKA_WORK": str(folder),
            "KAFKA_HEAP": "-Xms128m -Xmx512m -XX:TieredStopAtLevel=1",
        },
    )
    try:
        # the port opens once the broker takes requests
        wait_until_ready(process, lambda: not is_free(port), folder / "kafka.log", WITHIN_S)
        yield process
    finally:
        assert stop(process)
