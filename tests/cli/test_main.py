"""The command line as a whole: help without imports, exit codes, addresses of what runs here."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import psutil
import pytest

from cli import main
from cli.services import METRICS_PORT, addresses_here, this_process
from geo.errors import FlaneurError, NoRoute
from streams.local.processes import LocalProcess, RunFolder, RunState


def with_command(monkeypatch: pytest.MonkeyPatch, body: Any) -> None:
    """Put a command called `probe` into the table."""
    probe = click.command("probe")(body)
    monkeypatch.setattr(main, "COMMANDS", {"probe": ("cli.probe", "A probe.")})
    monkeypatch.setattr(main, "import_module", lambda name: SimpleNamespace(command=probe))


def failing(error: BaseException) -> Any:
    def body() -> None:
        raise error

    return body


@pytest.mark.parametrize("name", main.COMMANDS)
def test_every_command_is_there_with_an_example(name: str) -> None:
    module, summary = main.COMMANDS[name]
    command = import_module(module).command
    assert isinstance(command, click.Command)
    assert summary.endswith(".")
    page = command.get_help(click.Context(command, info_name=name))
    assert f"flaneur {name}" in page, "help texts have examples"


def test_the_help_page_imports_no_command() -> None:
    script = (
        "import sys\n"
        "from cli.main import run\n"
        "code = run(['--help'])\n"
        "heavy = {'numba', 'numpy', 'faust', 'confluent_kafka', 'redis', 'rich', 'orjson', 'psutil'}\n"
        "loaded = heavy | {name for name in sys.modules if name.startswith('cli.')} - {'cli.main'}\n"
        "print(sorted(loaded & set(sys.modules)), file=sys.stderr)\n"
        "sys.exit(code)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stderr.strip() == "[]"
    for name, (_, summary) in main.COMMANDS.items():
        assert f"\n  {name} " in done.stdout
        assert summary.split()[0] in done.stdout


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("flaneur, version ")


@pytest.mark.parametrize("arguments", [["nosuch"], ["--nosuch"], ["worker", "--metrics-port", "x"]])
def test_a_wrong_command_line_exits_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(arguments) == 2
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("error", [FlaneurError("the port is 0, it must be above 0"), NoRoute("no way")])
def test_an_error_of_ours_is_one_sentence(
    error: FlaneurError, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_command(monkeypatch, failing(error))
    assert main.run(["probe"]) == 2
    output = capsys.readouterr()
    assert (output.out, output.err) == ("", f"flaneur: {error}\n")


def test_an_error_that_nobody_foresaw_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    with_command(monkeypatch, failing(ZeroDivisionError("a bug")))
    with pytest.raises(ZeroDivisionError):
        main.run(["probe"])


def test_an_interrupt_is_quiet(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with_command(monkeypatch, failing(KeyboardInterrupt()))
    assert main.run(["probe"]) == 130
    assert capsys.readouterr().err.strip() == ""


def test_a_command_may_return_its_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    with_command(monkeypatch, lambda: 1)
    assert main.run(["probe"]) == 1


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    script = "from cli.main import run; import sys; sys.exit(run(['--help']))"
    command = f'{sys.executable} -c "{script}" | true; echo ${{PIPESTATUS[0]}}'
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.strip() in {"0", "1"}  # 0 if all fitted into the pipe before it was closed


def test_commands_find_what_runs_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLANEUR_RUN_DIR", str(tmp_path))
    assert addresses_here() == {}
    # this very process stands for the three: it runs, and its command line and folder are known
    me = this_process()
    ours = [LocalProcess(name, me.pid, me.marker, me.folder, 9470) for name in ("kafka", "redis", "worker-0")]
    RunFolder(tmp_path).save(RunState("127.0.0.1:9099", "redis://127.0.0.1:6399/0", tuple(ours)))
    assert addresses_here() == {
        "BOOTSTRAP": "127.0.0.1:9099",
        "REDIS_URL": "redis://127.0.0.1:6399/0",
        "METRICS_PORT": "9470",
    }
    dead = [
        LocalProcess(name, me.pid, "another program", me.folder, METRICS_PORT) for name in ("kafka", "redis")
    ]
    RunFolder(tmp_path).save(RunState("127.0.0.1:9099", "redis://127.0.0.1:6399/0", tuple(dead)))
    assert addresses_here() == {}


def test_what_was_named_wins_over_what_runs_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLANEUR_RUN_DIR", str(tmp_path))
    monkeypatch.setenv("BOOTSTRAP", "kafka-1:9092")
    monkeypatch.delenv("METRICS_PORT", raising=False)
    me = this_process()
    ours = [LocalProcess(name, me.pid, me.marker, me.folder, 9470) for name in ("kafka", "worker-0")]
    RunFolder(tmp_path).save(RunState("127.0.0.1:9099", None, tuple(ours)))
    seen: dict[str, str | None] = {}

    def probe() -> None:
        import os

        seen.update({name: os.environ.get(name) for name in ("BOOTSTRAP", "METRICS_PORT")})

    with_command(monkeypatch, probe)
    assert main.run(["probe"]) == 0
    assert seen == {"BOOTSTRAP": "kafka-1:9092", "METRICS_PORT": None}


def test_this_process_is_recognised() -> None:
    assert this_process().pid == psutil.Process().pid
    assert RunState(processes=(this_process(),)).running() == (this_process(),)
