"""What `make setup` does on machines that lack something: it installs where it may, else it says what to do.

The machine is a folder of stand-ins on the PATH; only the script is the real one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "compose" / "setup.sh"
# the real programs that the script may count on anywhere
COMMON = ("sh", "env", "dirname", "sed", "rm", "mkdir", "touch", "true")
TOOLS = ("java", "maven", "redis", "prometheus")
OFFERED = "openjdk-17-jre-headless maven redis-server prometheus python3.12-venv"


class Machine:
    """A project folder with the script, and a PATH with nothing but what is put there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.bin = root / "bin"
        self.log = root / "log"
        self.bin.mkdir()
        (root / "compose").mkdir()
        shutil.copy(SCRIPT, root / "compose" / "setup.sh")
        for name in COMMON:
            program = shutil.which(name)
            assert program is not None
            (self.bin / name).symlink_to(program)
        self.program("id", "echo 1000")
        self.program("python", self._tools(), folder=root / ".venv" / "bin")

    def _tools(self) -> str:
        # `python -m streams.local.tools NAME` finds what was installed; a version check is answered with 3.12
        return f'case "$2" in streams.local.tools) [ -e "{self.root}/have-$3" ] ;; *) echo 312 ;; esac'

    def program(self, name: str, body: str, folder: Path | None = None) -> None:
        """Put a program there: a line or two of sh."""
        where = folder or self.bin
        where.mkdir(parents=True, exist_ok=True)
        (where / name).write_text(f"#!/bin/sh\n{body}\n")
        (where / name).chmod(0o755)

    def installer(self, name: str) -> None:
        """A package manager that notes what it is asked for, after which every tool is there."""
        have = " ".join(f'"{self.root}/have-{tool}"' for tool in TOOLS)
        note = f'echo "{name} $*" >> "{self.log}"; case " $* " in *" install "*) touch {have} ;; esac'
        self.program(name, note)

    def debian(self) -> None:
        """apt, and the packages that this release has."""
        self.installer("apt-get")
        found = f'case " {OFFERED} " in *" $2 "*) version=1.0 ;; *) version="(none)" ;; esac'
        self.program("apt-cache", f'{found}; echo "  Candidate: $version"')

    def python(self, name: str, version: str, *, venv: bool = True) -> None:
        """A Python of that version (312 for 3.12), with or without what makes virtual environments."""
        dotted = f"{version[0]}.{int(version[1:])}"
        self.program(
            name,
            f'case "$*" in *ensurepip*) {"true" if venv else "exit 1"} ;; *"%d%02d"*) echo {version} ;;\n'
            f"*-venv*) echo python{dotted}-venv ;; --version) echo Python {dotted}.0 ;;\n"
            f'"-m venv .venv") echo "{name} $*" >> "{self.log}" ;; esac',
        )

    def run(self, step: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.bin / "sh", self.root / "compose" / "setup.sh", step],
            env={"PATH": str(self.bin), **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def noted(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_root_on_debian_installs_what_is_missing(machine: Machine) -> None:
    machine.debian()
    machine.program("id", "echo 0")
    (machine.root / "have-maven").touch()
    done = machine.run("tools")
    assert done.returncode == 0, done.stderr
    assert machine.noted() == [
        "apt-get update -q",
        "apt-get install -y -q --no-install-recommends openjdk-17-jre-headless redis-server",
    ]


def test_without_a_terminal_sudo_must_not_ask(machine: Machine) -> None:
    machine.debian()
    machine.program("sudo", f'echo "sudo $*" >> "{machine.log}"; shift; exec "$@"')
    assert machine.run("tools").returncode == 0
    assert all(line.startswith(("sudo -n ", "apt-get ")) for line in machine.noted())
    assert "apt-get update -q" in machine.noted()


@pytest.mark.parametrize("sudo", [False, True])
def test_who_may_not_install_is_told_the_command(machine: Machine, sudo: bool) -> None:
    machine.debian()
    if sudo:
        machine.program("sudo", "exit 1")  # it would ask for a password
    done = machine.run("tools")
    assert done.returncode == 1
    assert done.stderr == (
        "setup: missing: java maven redis - run:"
        " sudo apt-get install openjdk-17-jre-headless maven redis-server\n"
    )
    assert machine.noted() == []


def test_homebrew(machine: Machine) -> None:
    machine.installer("brew")
    assert machine.run("tools").returncode == 0
    assert machine.noted() == ["brew install openjdk@21 maven redis"]


def test_another_system_is_told_what_is_missing(machine: Machine) -> None:
    done = machine.run("tools")
    assert done.returncode == 1
    assert "missing: java maven redis" in done.stderr


def test_what_is_there_is_not_installed_again(machine: Machine) -> None:
    machine.debian()
    machine.program("id", "echo 0")
    for tool in TOOLS:
        (machine.root / f"have-{tool}").touch()
    assert machine.run("tools").returncode == 0
    assert machine.noted() == []


def test_only_prometheus_may_be_missing(machine: Machine) -> None:
    for tool in ("java", "maven", "redis"):
        (machine.root / f"have-{tool}").touch()
    done = machine.run("tools")
    assert done.returncode == 0
    assert done.stderr == (
        "setup: missing: prometheus - going on without graphs and alerts; to have them:"
        " sudo apt-get install prometheus\n"
    )
    machine.debian()
    machine.program("id", "echo 0")
    machine.program("systemctl", f'echo "systemctl $*" >> "{machine.log}"')
    assert machine.run("tools").returncode == 0
    assert machine.noted() == [
        "apt-get update -q",
        "apt-get install -y -q --no-install-recommends prometheus",
        "systemctl disable --now prometheus",
    ]


def test_services_of_ones_own_need_no_programs(machine: Machine) -> None:
    assert machine.run("tools", BOOTSTRAP="kafka:9092", REDIS_URL="redis://r").returncode == 0
    assert machine.run("broker", BOOTSTRAP="kafka:9092").returncode == 0


def test_a_missing_helm_is_said(machine: Machine) -> None:
    machine.program("python", "echo there is no Helm >&2; exit 1", folder=machine.root / ".venv" / "bin")
    done = machine.run("helm")
    assert done.returncode == 1
    assert done.stderr == "there is no Helm\nsetup: Helm could not be brought: look above\n"


def test_an_old_python_is_said(machine: Machine) -> None:
    machine.python("python3", "309")
    done = machine.run("venv")
    assert done.returncode == 1
    assert "Python 3.11 or newer is needed (python3 is: Python 3.9.0)" in done.stderr


def test_no_python_is_said(machine: Machine) -> None:
    done = machine.run("venv")
    assert done.returncode == 1
    assert "Python 3.11 or newer is needed" in done.stderr


@pytest.mark.parametrize(
    ("there", "taken"),
    [
        ({"python3": "311", "python3.13": "313"}, "python3"),
        ({"python3": "309", "python3.11": "311", "python3.13": "313"}, "python3.13"),
        ({"python3": "314", "python3.12": "312"}, "python3.12"),
        ({"python3": "314"}, "python3"),
    ],
)
def test_which_python_is_taken(machine: Machine, there: dict[str, str], taken: str) -> None:
    (machine.root / ".venv" / "bin" / "python").unlink()
    for name, version in there.items():
        machine.python(name, version)
    machine.run("venv")  # goes on to pip, which no stand-in has
    assert machine.noted() == [f"{taken} -m venv .venv"]


def test_debians_missing_package_is_named(machine: Machine) -> None:
    (machine.root / ".venv" / "bin" / "python").unlink()
    machine.debian()
    machine.python("python3", "312", venv=False)
    done = machine.run("venv")
    assert done.returncode == 1
    assert "run sudo apt-get install python3.12-venv" in done.stderr
    machine.program("id", "echo 0")
    machine.run("venv")
    assert "apt-get install -y -q --no-install-recommends python3.12-venv" in machine.noted()


def test_the_script_is_plain_sh() -> None:
    shell = shutil.which("dash") or "sh"
    done = subprocess.run([shell, "-n", SCRIPT], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert os.access(SCRIPT, os.X_OK)
