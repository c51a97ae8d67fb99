"""`flaneur`: finds the command, runs it, and turns errors into one sentence and an exit code.

0 done, 1 a check found something, 2 something given or needed cannot be used, 130 interrupted.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version

import click

from geo.errors import FlaneurError

# name → (module whose `command` it is, summary). The help page is printed from this table alone: a command's
# module, and with it numba, Faust or Kafka's client, is imported only when the command runs.
COMMANDS = {
    "up": ("cli.up", "Start everything on this machine and replay the recorded day."),
    "down": ("cli.down", "Stop everything that `flaneur up` started."),
    "status": ("cli.status", "Show lag, checkpoints, graph and conditions."),
    "doctor": ("cli.doctor", "Check what is installed, reachable and free, and say what to do."),
    "worker": ("cli.worker", "Run one worker in the foreground."),
    "gateway": ("cli.gateway", "Run one gateway for phones and navigation clients in the foreground."),
    "topics": ("cli.topics", "Create and check the topics."),
    "backup": ("cli.backup", "Save what a deployment cannot make again."),
    "restore": ("cli.restore", "Put a backup into an empty deployment."),
    "import-osm": ("cli.import_osm", "Make the walk graph from OpenStreetMap extracts."),
    "plan": ("cli.plan", "Propose walks: ways to a place, or loops."),
    "factors": ("cli.factors", "List what a taste can weigh."),
    "features": ("cli.features", "List what is known of walkers, cells and stretches."),
    "match": ("cli.match", "Match recorded traces to the graph."),
    "replay": ("cli.replay", "Publish recorded traces as if people walked them now."),
    "feed": ("cli.feed", "Publish traffic and weather from the files of a feed."),
    "draw": ("cli.draw", "Draw what happened to one walker."),
    "dashboards": ("cli.dashboards", "Write Grafana's dashboards, or draw them from a Prometheus."),
    "dead-letters": ("cli.dead_letters", "List messages that could not be used, and why."),
    "bench": ("cli.bench.command", "Measure, ours and the peers', in one run."),
}
# these find out by themselves what runs here
_START_AND_STOP = frozenset({"up", "down", "doctor"})


class LazyGroup(click.Group):
    """A group that imports a command's module only when that command runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        if name not in _START_AND_STOP:
            _use_what_runs_here(name)
        command: click.Command = import_module(COMMANDS[name][0]).command
        command.name = name
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("flaneur"), prog_name="flaneur")
def flaneur() -> None:
    """Pleasant walking routes that are replanned while people walk.

    \b
    Examples:
      flaneur up                start everything here and watch a recorded day
      flaneur up --once --json  the same as fast as it goes, summed up
      flaneur COMMAND --help    what a command does, with examples
    """


def _use_what_runs_here(name: str) -> None:
    """Point a command at the broker and Redis that `flaneur up` runs, unless the environment names others."""
    from cli.services import addresses_here

    for variable, value in addresses_here().items():
        # a second worker needs a metrics port of its own; only status asks the first one
        if variable != "METRICS_PORT" or name == "status":
            os.environ.setdefault(variable, value)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; ends the process with the exit code."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    try:
        result = flaneur.main(arguments, prog_name="flaneur", standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except FlaneurError as error:
        if any(one.name == "flaneur" for one in logging.getLogger().handlers):  # it keeps a log, of some form
            logging.getLogger("flaneur").critical("%s", error)
        else:
            click.echo(f"flaneur: {error}", err=True)
        return 2
    except (click.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:
        # the reader (head, less) has seen enough; without this Python complains again at its end. Click does
        # the same, with the same exit code, for what a command writes itself
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


if __name__ == "__main__":
    main()
