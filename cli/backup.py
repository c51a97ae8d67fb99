"""`flaneur backup` and `flaneur restore`: what a deployment cannot make again, to a file and back."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click


@click.command("backup")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def command(file: Path) -> None:
    """Save devices, conditions and what was learned of streets and crowds, while everything runs.

    \b
    Examples:
      flaneur backup /var/backups/flaneur-$(date +%F).gz
    """
    from streams.settings import Settings
    from streams.worker.backup import Saved, save

    saved: Saved = save(Settings.from_env(), file)
    _show("saved", saved.values, saved.ts)


@click.command("restore")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
def restore(file: Path) -> None:
    """Put a backup into a deployment whose topics are there and empty, before anything else is started.

    \b
    Examples:
      flaneur topics --create && flaneur restore /var/backups/flaneur-2026-05-04.gz
    """
    from streams.settings import Settings
    from streams.worker.backup import restore as put_back

    found = put_back(Settings.from_env(), file)
    _show("restored", found.values, found.ts)


def _show(done: str, values: dict[str, int], ts: float) -> None:
    told = ", ".join(f"{count:,} {name}" for name, count in values.items())
    click.echo(f"{done} as of {datetime.fromtimestamp(ts, UTC):%Y-%m-%d %H:%M:%S}Z: {told}")
