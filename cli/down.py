"""`flaneur down`: stop everything that `flaneur up` started here."""

from __future__ import annotations

import time

import click

from cli.services import WATCHER, stop_all
from geo.errors import Unavailable
from streams.local.processes import is_running, stop
from streams.local.services import run_folder

# the run that is asked stops its own processes first: workers checkpoint, the broker closes its files
UP_WITHIN_S = 90.0
LOCK_WITHIN_S = 10.0


@click.command("down")
def command() -> None:
    """Stop all that runs in this folder, and a `flaneur up` that watches over it.

    Only processes that were started from here are touched, whatever else listens on those ports.

    \b
    Examples:
      flaneur down
      make stop
    """
    folder = run_folder()
    watcher = folder.load().find(WATCHER)
    if watcher is not None:
        click.echo("stopping the run of process " + str(watcher.pid), err=True)
        stop(watcher, UP_WITHIN_S)
    give_up = time.monotonic() + LOCK_WITHIN_S
    while True:
        with folder.locked() as mine:
            if mine:
                # what a run that was killed has left behind
                stopped = stop_all(folder, folder.load(), lambda line: click.echo(line, err=True))
                break
        if time.monotonic() > give_up:
            raise Unavailable(f"another command is starting or stopping things in {folder.path}: wait for it")
        time.sleep(0.2)
    if watcher is None and not stopped:
        click.echo("nothing runs here", err=True)
    elif watcher is not None and is_running(watcher):
        raise Unavailable(f"the run of process {watcher.pid} does not end")
