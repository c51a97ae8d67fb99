"""What the peers run with: a Python that has the package, and Java projects built on first use."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from geo.errors import Unavailable
from streams.local.services import run_folder
from streams.local.tools import JAVA_AT_LEAST, find_java, find_maven

#: Where the peers live that pin other versions of our libraries, if installed (docs/benchmarks.md).
PEERS_PYTHON = run_folder().path / "peers" / "bin" / "python"


def python_with(module: str) -> str | None:
    """The Python that can import `module`: this one, that of `.run/peers`, or None."""
    candidates = [sys.executable]
    if PEERS_PYTHON.exists():
        candidates.append(str(PEERS_PYTHON))
    for python in candidates:
        code = f"import importlib.util as u; raise SystemExit(u.find_spec({module!r}) is None)"
        if subprocess.run([python, "-c", code], check=False).returncode == 0:
            return python
    return None


@dataclass(frozen=True)
class JavaProject:
    """A Maven project that makes target/peer.jar, with its libraries in target/lib."""

    folder: Path

    @property
    def jar(self) -> Path:
        return self.folder / "target" / "peer.jar"

    def why_not(self, name: str) -> str | None:
        """Why it cannot run on this machine, in one sentence; None if it can."""
        if find_java() is None:
            return f"{name} needs Java {JAVA_AT_LEAST} or newer: run `make setup`, or set JAVA_HOME"
        if not self.jar.exists() and find_maven() is None:
            return f"{name} needs Maven on the PATH to be built once"
        return None

    def build(self) -> None:
        """Build it where it was not yet; raises Unavailable with Maven's last words."""
        pom = self.folder / "pom.xml"
        newest = max(path.stat().st_mtime for path in [pom, *(self.folder / "src").rglob("*.java")])
        if self.jar.exists() and self.jar.stat().st_mtime >= newest:
            return
        result = subprocess.run(
            [str(find_maven()), "-q", "-B", "-f", str(pom), "package"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if result.returncode != 0:
            raise Unavailable(f"the peer in {self.folder} does not build: {result.stdout.strip()[-400:]}")

    def command(self, main_class: str, *arguments: str) -> list[str]:
        """Its command line, with a heap of 2 GB."""
        class_path = f"{self.jar}{os.pathsep}{self.folder / 'target' / 'lib' / '*'}"
        return [str(find_java()), "-Xms2g", "-Xmx2g", "-cp", class_path, main_class, *arguments]

    def library(self, name: str) -> str:
        """name-version of one of its libraries."""
        return next((self.folder / "target" / "lib").glob(f"{name}-[0-9]*.jar")).stem
