"""Finds the programs that Flaneur runs beside itself: Java 17 or newer, Maven, redis-server and Prometheus.

`python -m streams.local.tools java|maven|redis|prometheus` prints the path it would use, or exits with 1;
`make setup` asks it before it installs anything.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

JAVA_AT_LEAST = 17
# Homebrew does not link its Java and Redis into PATH; Debian keeps every Java under /usr/lib/jvm
_HOMEBREW = (Path("/opt/homebrew"), Path("/usr/local"), Path("/home/linuxbrew/.linuxbrew"))


def _java_candidates() -> Iterator[Path]:
    if home := os.environ.get("JAVA_HOME"):
        yield Path(home) / "bin" / "java"
    if found := shutil.which("java"):
        yield Path(found)
    for prefix in _HOMEBREW:
        yield from sorted(prefix.glob("opt/openjdk*/bin/java"), reverse=True)
    yield from sorted(Path("/usr/lib/jvm").glob("*/bin/java"), reverse=True)
    apple = Path("/Library/Java/JavaVirtualMachines")
    yield from sorted(apple.glob("*/Contents/Home/bin/java"), reverse=True)


def version_of(program: Path, *arguments: str) -> str:
    """The first line with a digit that a program prints when asked for its version; "" if it cannot run."""
    try:
        done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    if done.returncode != 0:
        return ""
    lines = (re.sub(r"\x1b\[[0-9;]*m", "", line).strip() for line in (done.stdout + done.stderr).splitlines())
    # a JVM that was handed options through the environment says so before its version
    return next((line for line in lines if re.search(r"\d", line) and not line.startswith("Picked up")), "")


def java_major(version_line: str) -> int:
    """17 from `openjdk version "17.0.15"`, 8 from `java version "1.8.0_402"`, 0 from anything else."""
    match = re.search(r'version "(\d+)(?:\.(\d+))?', version_line)
    if not match:
        return 0
    major = int(match[1])
    return int(match[2] or 0) if major == 1 else major


@lru_cache(maxsize=1)
def find_java() -> Path | None:
    """A Java that can run the broker, or None."""
    for path in _java_candidates():
        if path.is_file() and java_major(version_of(path, "-version")) >= JAVA_AT_LEAST:
            return path
    return None


def _find(name: str) -> Path | None:
    if found := shutil.which(name):
        return Path(found)
    places = [prefix / folder for prefix in _HOMEBREW for folder in ("bin", f"opt/{name}/bin")]
    # a user's PATH may lack the folders for administrators, where Debian used to keep servers
    places += [Path("/usr/bin"), Path("/usr/sbin")]
    return next((place / name for place in places if (place / name).is_file()), None)


def find_redis() -> Path | None:
    """The redis-server program (or Valkey's, which speaks the same), or None."""
    return _find("redis-server") or _find("valkey-server")


def find_maven() -> Path | None:
    """The mvn program, or None."""
    return _find("mvn")


def find_prometheus() -> Path | None:
    """The prometheus program, or None: nothing but graphs and alerts are lost without it."""
    return _find("prometheus")


def find_promtool() -> Path | None:
    """The program that checks Prometheus's files, which comes with it; or None."""
    return _find("promtool")


def main(arguments: list[str]) -> int:
    """Print the path of one program; 1 if it is not there."""
    finders: dict[str, Callable[[], Path | None]] = {
        "java": find_java,
        "maven": find_maven,
        "redis": find_redis,
        "prometheus": find_prometheus,
    }
    if len(arguments) != 1 or arguments[0] not in finders:
        print(f"usage: python -m streams.local.tools {'|'.join(finders)}", file=sys.stderr)
        return 2
    path = finders[arguments[0]]()
    if path is None:
        return 1
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
